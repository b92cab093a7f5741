"""Speak with one shop over its Admin GraphQL API (https://shopify.dev/docs/api/admin-graphql)."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

from isthmus.kit.clock import Clock
from isthmus.model.failure import BlockedError, Failure, TransientError
from isthmus.outbound.call import HttpResponse, Outbound
from isthmus.outbound.deadline_transport import Limits
from isthmus.shopify import errors as trouble
from isthmus.shopify.bucket import Bucket
from isthmus.shopify.documents import Document
from isthmus.shopify.parse import lenient

PATIENCE = 10.0
"""Seconds that one call may spend waiting for points before it is put off."""

REFRESH_BEFORE = timedelta(minutes=5)
"""A token lives 24 hours; it is renewed this long before its end."""

SERVED_VERSION = "x-shopify-api-version"

MEGABYTE = 1_000_000

LIMITS = Limits(within=20.0, largest=64 * MEGABYTE)
"""Shopify may think for most of this and still be right; a body that has begun comes quickly. The lease on what waits
for the answer is extended meanwhile."""

FILE_LIMITS = Limits(within=20.0, largest=1_000_000 * MEGABYTE, window=10.0, is_download=True)
"""The result of a bulk operation is as long as it is; it need only keep coming."""

# Connecting is quick or not at all.
_TIMEOUTS = httpx2.Timeout(LIMITS.within, connect=3.0, pool=2.0)


class Credentials(msgspec.Struct, frozen=True):
    """Either a fixed `access_token`, or the app's id and secret for the client credentials grant.

    https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
    """

    client_id: str = ""
    client_secret: str = ""
    access_token: str | None = None

    def __repr__(self) -> str:
        return "Credentials(…)"


class Shopify:
    """One shop. Safe to share between threads; no secret, address or body ever stands in an error or a log.

    `reserve` points are left in the shop's bucket for others. `on_version` hears of every answer that another API
    version gave than the one asked for. Methods raise what `trouble` says.
    """

    def __init__(
        self,
        admin_url: str,
        api_version: str,
        credentials: Credentials,
        clock: Clock,
        *,
        reserve: float = 0.0,
        patience: float = PATIENCE,
        on_version: Callable[[str], None] | None = None,
        transport: httpx2.BaseTransport | None = None,
        limits: Limits = LIMITS,
        file_limits: Limits = FILE_LIMITS,
    ) -> None:
        self.api_version = api_version
        self.served_version: str | None = None
        self.granted_scopes: tuple[str, ...] = ()
        self._credentials = credentials
        self._clock = clock
        self._patience = patience
        self._on_version = on_version
        self._bucket = Bucket(reserve, clock.now())
        self._lock = threading.Lock()
        self._token = credentials.access_token
        self._token_ends: datetime | None = None
        self._url = f"{admin_url.rstrip('/')}/admin/api/{api_version}/graphql.json"
        self._grant_url = f"{admin_url.rstrip('/')}/admin/oauth/access_token"
        self._file_limits = file_limits
        self._http = Outbound(limits, _TIMEOUTS, headers={"Accept": "application/json"}, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def graphql(self, document: Document, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Run one operation and give its `data`, whole or not at all.

        Waits for points within the call's patience, then raises TransientError `storefront.throttled`. A filter that
        Shopify did not understand raises RejectedError `integration.search_ignored`, since it answers with everything.
        """
        return self._run(document, variables)[0]

    def nodes(self, document: Document, variables: Mapping[str, Any]) -> list[dict[str, Any] | Failure | None]:
        """The `nodes` that an operation answers; in the place of one with an error on its path stands that failure."""
        nodes: list[dict[str, Any] | Failure | None] = self.partial(document, variables, "nodes")["nodes"]
        return nodes

    def partial(self, document: Document, variables: Mapping[str, Any], field: str) -> dict[str, Any]:
        """The `data` of an operation, of whose list `field` single elements may be the failures at their paths."""
        data, failures = self._run(document, variables, field)
        listed = data.get(field)
        if not isinstance(listed, list) or any(n >= len(listed) for n in failures):
            raise trouble.error_from_malformed_response()
        return {**data, field: [failures.get(n, one) for n, one in enumerate(listed)]}

    def _run(
        self, document: Document, variables: Mapping[str, Any], field: str | None = None
    ) -> tuple[dict[str, Any], dict[int, Failure]]:
        """The data, and what failed of the list `field` by place; raises where anything else failed."""
        content = msgspec.json.encode(
            {"query": document.text, "operationName": document.operation, "variables": dict(variables)}
        )
        waited = 0.0
        while True:
            waited += self._wait_for_points(document.cost, waited)
            response = self._post(content)
            answer = _object(response)
            extensions = _dict(answer.get("extensions"))
            cost = _dict(extensions.get("cost"))
            self._bucket.told(_dict(cost.get("throttleStatus")), self._clock.now())
            errors = answer.get("errors")
            failures: dict[int, Failure] = {}
            if errors:
                placed = None if field is None else trouble.errors_by_index(errors, field)
                if placed is not None and isinstance(answer.get("data"), dict):
                    failures, errors = placed, []
            if errors:
                if not trouble.is_throttled(errors):
                    raise trouble.error_from_graphql(errors, response.headers)
                waited += self._wait_out(cost, document.cost, waited)
                continue
            warning = trouble.search_warning(extensions)
            if warning is not None:
                raise warning
            data = answer.get("data")
            if not isinstance(data, dict):
                raise trouble.error_from_malformed_response(response.headers)
            return data, failures

    def fetch(self, url: str, start: int = 0) -> Iterator[bytes]:
        """The bytes of a file that Shopify made for us, from `start` on; the address is all the permission it needs.

        Raises TransientError when the connection breaks or brings next to nothing, and what `trouble` says of any
        other answer.
        """
        # Compressed, a file could not be gone on with in the middle.
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self._http.download(url, self._file_limits, headers) as (answer, pieces):
                if answer.status == 416:
                    return  # all of it is here already
                if answer.status not in (200, 206):
                    raise trouble.error_from_response(answer.status, answer.headers)
                before = start if answer.status == 200 else 0
                for piece in pieces:
                    passed = min(before, len(piece))
                    before -= passed
                    if passed < len(piece):
                        yield piece[passed:]
        except httpx2.RequestError as error:
            raise trouble.error_from_no_response(error) from None

    def pause(self, span: timedelta) -> None:
        """Wait by the clock that this client lives by."""
        self._clock.wait(span.total_seconds())

    def _wait_for_points(self, cost: float, waited: float) -> float:
        """Wait until the bucket holds a call, as far as we know; the seconds it took."""
        start = waited
        while (seconds := self._bucket.take(cost, self._clock.now())) > 0:
            self._pause(seconds, waited)
            waited += seconds
        return waited - start

    def _wait_out(self, cost: Mapping[str, Any], believed: float, waited: float) -> float:
        """Wait as long as the missing points take to flow in: somebody else was quicker than our arithmetic."""
        asked = cost.get("requestedQueryCost")
        status = cost.get("throttleStatus") or {}
        left = status.get("currentlyAvailable", 0)
        wanted = asked if isinstance(asked, (int, float)) else believed
        missing = wanted - (left if isinstance(left, (int, float)) else 0)
        seconds = max(missing / self._bucket.rate, 0.1)
        self._pause(seconds, waited)
        return seconds

    def _pause(self, seconds: float, waited: float) -> None:
        if waited + seconds > self._patience:
            raise TransientError(
                "storefront.throttled",
                "no points within the patience of a call",
                retry_after=timedelta(seconds=seconds),
            )
        self._clock.wait(seconds)

    def _post(self, content: bytes) -> HttpResponse:
        token = self._present_token()
        response = self._send(self._url, content, token)
        if response.status == 401 and self._credentials.access_token is None:
            # Revoked, or ended early: one new token, one more try.
            self._forget(token)
            response = self._send(self._url, content, self._present_token())
        self._note_version(response.headers.get(SERVED_VERSION))
        if response.status != 200:
            raise trouble.error_from_response(response.status, response.headers)
        return response

    def _send(self, url: str, content: bytes, token: str | None) -> HttpResponse:
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["X-Shopify-Access-Token"] = token
        try:
            return self._http.call("POST", url, content=content, headers=headers)
        except httpx2.RequestError as error:
            raise trouble.error_from_no_response(error) from None

    def _note_version(self, served: str | None) -> None:
        if served is None:
            return
        self.served_version = served
        if served != self.api_version and self._on_version is not None:
            self._on_version(served)

    def _present_token(self) -> str:
        with self._lock:
            is_due = self._token_ends is not None and self._clock.now() >= self._token_ends - REFRESH_BEFORE
            if self._token is None or is_due:
                self._token = self._grant()
            return self._token

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = None

    def _grant(self) -> str:
        asked = {
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "grant_type": "client_credentials",
        }
        response = self._send(self._grant_url, msgspec.json.encode(asked), None)
        if response.status == 400:
            # The documented answer to credentials that are wrong or whose app is not installed.
            raise BlockedError("storefront.token_refused", "the client credentials were refused")
        if response.status != 200:
            raise trouble.error_from_response(response.status, response.headers)
        granted = _object(response)
        token, lasts = granted.get("access_token"), granted.get("expires_in")
        if not isinstance(token, str) or not token:
            raise trouble.error_from_malformed_response(response.headers)
        self._token_ends = None
        if isinstance(lasts, (int, float)):
            self._token_ends = self._clock.now() + timedelta(seconds=lasts)
        self.granted_scopes = tuple(str(granted.get("scope") or "").split(",")) if granted.get("scope") else ()
        return token


def _object(response: HttpResponse) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = _crooked(response)
    if not isinstance(value, dict):
        raise trouble.error_from_malformed_response(response.headers)
    return value


def _crooked(response: HttpResponse) -> Any:
    """An answer with a text that is half a character: read without it, as a webhook's body is."""
    try:
        return lenient.load_json(response.content)
    except (ValueError, RecursionError):
        raise trouble.error_from_malformed_response(response.headers) from None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
