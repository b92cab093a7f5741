"""What the webhook endpoint can say, and how it says it: one row per answer, each with its own counter."""

from enum import Enum
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter
from starlette.types import Send

# Shopify tries again by itself within a minute; an Ometria automation node is told the same.
RETRY_AFTER = b"30"


class HookResponse(Enum):
    """A counter's label and a status. Nothing but KEPT is a 2xx, and KEPT is said only of what is durable."""

    KEPT = ("kept", HTTPStatus.OK)
    NONSENSE = ("nonsense", HTTPStatus.BAD_REQUEST)
    UNSIGNED = ("unsigned", HTTPStatus.UNAUTHORIZED)
    UNKNOWN_SHOP = ("unknown_shop", HTTPStatus.NOT_FOUND)
    UNKNOWN_CONNECTION = ("unknown_connection", HTTPStatus.NOT_FOUND)
    WRONG_METHOD = ("wrong_method", HTTPStatus.METHOD_NOT_ALLOWED)
    TOO_SLOW = ("too_slow", HTTPStatus.REQUEST_TIMEOUT)
    TOO_LARGE = ("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    ENCODED = ("encoded", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    OVERLOADED = ("overloaded", HTTPStatus.SERVICE_UNAVAILABLE)
    NOT_KEPT = ("not_kept", HTTPStatus.SERVICE_UNAVAILABLE)

    def __init__(self, label: str, status: HTTPStatus) -> None:
        self.label = label
        self.status = status


class Refused(Exception):  # noqa: N818 - an answer, not a mishap
    """The call is answered otherwise than kept."""

    def __init__(self, answer: HookResponse) -> None:
        super().__init__(answer.label)
        self.answer = answer


class ResponseCounter:
    """Sends answers and counts them. No answer repeats anything of the request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        requests = Counter(
            "hooks_requests_total",
            "Calls at the webhook endpoint by what they were answered.",
            ["answer"],
            registry=registry,
        )
        self.previous_secret = Counter(
            "hooks_previous_secret_total",
            "Deliveries signed with the previous app secret: the rotation is not finished, or should be by now.",
            ["connection"],
            registry=registry,
        )
        self._counted = {answer: requests.labels(answer=answer.label).inc for answer in HookResponse}
        self._messages = {answer: _messages(answer) for answer in HookResponse}

    async def give(self, answer: HookResponse, send: Send) -> None:
        self._counted[answer]()
        start, body = self._messages[answer]
        await send(start)
        await send(body)


def _messages(answer: HookResponse) -> tuple[dict[str, object], dict[str, object]]:
    text = b"" if answer is HookResponse.KEPT else b"%s\n" % answer.label.replace("_", " ").encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(text))]
    if answer in (HookResponse.NOT_KEPT, HookResponse.OVERLOADED):
        headers.append((b"retry-after", RETRY_AFTER))
    if answer is HookResponse.WRONG_METHOD:
        headers.append((b"allow", b"POST"))
    if answer in (HookResponse.TOO_LARGE, HookResponse.TOO_SLOW, HookResponse.OVERLOADED):
        headers.append((b"connection", b"close"))  # there is more of it on the way, and it will not be read
    start = {"type": "http.response.start", "status": int(answer.status), "headers": headers}
    return start, {"type": "http.response.body", "body": text}
