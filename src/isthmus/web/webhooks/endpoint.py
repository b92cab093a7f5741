"""The webhook endpoint: read a call within limits, verify it, keep it, answer it. Nothing of it is ever logged."""

import uuid
from collections.abc import Callable, Sequence
from hashlib import sha256

from starlette.types import Receive, Scope, Send

from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.shopify import webhooks
from isthmus.shopify.topics import COMPLIANCE, TOPICS
from isthmus.web.webhooks.bodies import Bodies
from isthmus.web.webhooks.group_commit import GroupCommit, NotPersistedError
from isthmus.web.webhooks.responses import HookResponse, Refused, ResponseCounter
from isthmus.web.webhooks.rotation import Rotation
from isthmus.web.webhooks.verify import VerifiedStore, WebhookVerifier

LONGEST_NAME = 255

OMETRIA_TOPIC = "ometria/hook"

LANES = {name: topic.lane for name, topic in TOPICS.items()}


class ShopifyHook:
    """`POST /hooks/shopify` as a bare ASGI application, since every delivery of every store passes here."""

    def __init__(
        self,
        doors: Callable[[], WebhookVerifier],
        commit: GroupCommit,
        answers: ResponseCounter,
        rotation: Rotation,
        bodies: Bodies,
    ) -> None:
        self._doors = doors
        self._bodies = bodies
        self._commit = commit
        self._answers = answers
        self._rotation = rotation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = _post(scope)
            told = webhooks.read_delivery_headers(headers)
            self._check(told)
            body = await self._bodies.read(headers, receive)
            await self._commit.add(self._verified(told, body))
        except Refused as refused:
            await self._answers.give(refused.answer, send)
        except NotPersistedError:
            await self._answers.give(HookResponse.NOT_KEPT, send)
        else:
            await self._answers.give(HookResponse.KEPT, send)

    def _check(self, told: webhooks.DeliveryHeaders) -> None:
        """What can be known before the body is read: only a caller who may be a shop of ours gets memory for one."""
        topic, shop = told.topic, told.shop
        if not (_is_name(topic) and _is_name(shop) and (told.webhook_id is None or _is_name(told.webhook_id))):
            raise Refused(HookResponse.NONSENSE)
        if topic not in COMPLIANCE and not self._doors().knows(shop):
            raise Refused(HookResponse.UNKNOWN_SHOP)
        if not webhooks.is_signature(told.signature):
            raise Refused(HookResponse.UNSIGNED)

    def _verified(self, told: webhooks.DeliveryHeaders, body: bytes) -> list[Delivery]:
        topic, shop = told.topic, told.shop
        doors = self._doors()
        if topic in COMPLIANCE:
            matches = doors.open_for_compliance(shop, body, told.signature)
        elif doors.knows(shop):  # it may have gone while the body came
            matches = doors.open(shop, body, told.signature)
        else:
            raise Refused(HookResponse.UNKNOWN_SHOP)
        if not matches:
            raise Refused(HookResponse.UNSIGNED)
        self._watch_rotation(topic, matches)
        return [
            Delivery(
                connection=match.connection,
                store=match.store,
                topic=topic,
                # What we do not know yet is decided later, and without haste.
                lane=LANES.get(topic, Lane.ENRICHMENT),
                # Only a proxy could have lost the id; then the same content is the same delivery.
                webhook_id=told.webhook_id or f"sha256:{sha256(body).hexdigest()}",
                body=body,
                action_id=told.event_id if told.event_id and _is_name(told.event_id) else None,
                triggered_at=told.triggered_at,
            )
            for match in matches
        ]

    def _watch_rotation(self, topic: str, matches: Sequence[VerifiedStore]) -> None:
        if topic not in COMPLIANCE:
            self._rotation.note(matches)  # privacy topics come under any secret that ever was
        for match in matches:
            if match.is_previous:
                self._answers.previous_secret.labels(connection=match.connection).inc()


class OmetriaHook:
    """`POST /hooks/ometria/{connection}`: a webhook node of one of the account's automations calls.

    Ometria gives its calls no id, so each is an event of its own: what says the same twice does no harm.
    """

    def __init__(
        self, doors: Callable[[], WebhookVerifier], commit: GroupCommit, answers: ResponseCounter, bodies: Bodies
    ) -> None:
        self._doors = doors
        self._bodies = bodies
        self._commit = commit
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = _post(scope)
            connection = scope["path_params"]["connection"]
            self._check(connection, headers)
            delivery = Delivery(
                connection=connection,
                store="",
                topic=OMETRIA_TOPIC,
                lane=Lane.REALTIME,
                webhook_id=str(uuid.uuid4()),
                body=await self._bodies.read(headers, receive),
            )
            await self._commit.add([delivery])
        except Refused as refused:
            await self._answers.give(refused.answer, send)
        except NotPersistedError:
            await self._answers.give(HookResponse.NOT_KEPT, send)
        else:
            await self._answers.give(HookResponse.KEPT, send)

    def _check(self, connection: str, headers: dict[str, str]) -> None:
        doors = self._doors()
        if not doors.has_hook(connection):
            raise Refused(HookResponse.UNKNOWN_CONNECTION)
        if not doors.opens_hook(connection, headers.get("x-isthmus-secret", "").encode("latin-1")):
            raise Refused(HookResponse.UNSIGNED)


_WANTED = {
    name.encode(): name for name in (*webhooks.HEADERS, "content-length", "content-encoding", "x-isthmus-secret")
}


def _post(scope: Scope) -> dict[str, str]:
    """The headers of a POST that matter here, by lower-case name; the last of equal names counts."""
    if scope["method"] != "POST":
        raise Refused(HookResponse.WRONG_METHOD)
    return {_WANTED[name]: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED}


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isascii() and text.isprintable()
