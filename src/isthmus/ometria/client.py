"""Speak with one Ometria account over its Data API (https://docs.ometria.com/docs/ometria-data-api-introduction)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2
import msgspec

from isthmus.model.failure import BlockedError, RejectedError, TransientError
from isthmus.ometria import errors, responses
from isthmus.ometria.errors import CallType
from isthmus.ometria.responses import FeedEntry, Pushed, Unsubscribed
from isthmus.outbound.call import HttpResponse, Outbound
from isthmus.outbound.deadline_transport import Limits

WITHIN = 5.5
"""Seconds for a whole call: less than half of a lease (12 s), with room for what follows."""

LARGEST = 64_000_000
"""Bytes of an answer: 250 records of the largest kind take a quarter of this."""

PAGE = 250
"""The most that one page of a listing holds."""

# Shorter than WITHIN, so that a dead address is told apart from a slow answer.
_TIMEOUTS = httpx2.Timeout(WITHIN, connect=2.0, pool=1.0)


class OmetriaClient:
    """One account. Safe to share between threads; every method is one HTTP call and takes one slot of a budget.

    Methods raise what `trouble` says: `BlockedError` for a refused key or an address that is not the Data API,
    `TransientError` (with `may_have_arrived` for a push that nobody can be sure about), `RejectedError` for a request
    that can never go through. Neither key, address nor person ever stands in an error.
    """

    def __init__(
        self, base_url: str, api_key: str, *, transport: httpx2.BaseTransport | None = None, within: float = WITHIN
    ) -> None:
        if not (api_key.isascii() and api_key.isprintable() and api_key.strip()):
            raise BlockedError("platform.key_refused", "the key is empty or has characters that no header can carry")
        self._http = Outbound(
            Limits(within=within, largest=LARGEST, window=min(within, 5.0)),
            _TIMEOUTS,
            base_url=base_url.rstrip("/"),
            headers={"X-Ometria-Auth": api_key.strip(), "Accept": "application/json"},
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def push(self, records: list[bytes]) -> Pushed:
        """Send up to 100 records of one type, each already JSON; the answer says received, not applied.

        https://docs.ometria.com/docs/push-endpoint
        """
        body = b"[" + b",".join(records) + b"]"
        response = self._call(CallType.PUSH, "POST", "/push", content=body)
        self._refuse(response, CallType.PUSH, len(records))
        headers = response.headers
        try:
            return responses.parse_push(
                responses.decode_json(response.content),
                len(records),
                headers.get(errors.QUEUE_REMAINING),
                headers.get(errors.QUEUE_LIMIT),
            )
        except (msgspec.DecodeError, ValueError) as problem:
            raise errors.error_from_malformed_response(
                CallType.PUSH, "success without a readable answer", headers
            ) from problem

    def errors(self) -> list[FeedEntry]:
        """Ometria's 100 newest push errors, in its own order (https://docs.ometria.com/docs/list-errors)."""
        return responses.parse_error_feed(self._list("/push/_errors", {}))

    def contact(self, collection: str, contact_id: str) -> dict[str, Any] | None:
        """One contact as Ometria holds it, or None when it says that it holds none."""
        return self._one(f"/contacts/{_segment(collection)}/{_segment(contact_id)}")

    def order(self, order_id: str) -> dict[str, Any] | None:
        """One order, or None."""
        return self._one(f"/orders/{_segment(order_id)}")

    def product(self, product_id: str) -> dict[str, Any] | None:
        """One product or variant, or None."""
        return self._one(f"/products/{_segment(product_id)}")

    def event(self, event_id: str) -> dict[str, Any] | None:
        """One custom event, or None."""
        return self._one(f"/custom-events/{_segment(event_id)}")

    def collections(self) -> list[str]:
        """The names of the contact collections there are (https://docs.ometria.com/docs/contacts-endpoint)."""
        named = [item.get("id") for item in self._items(self._list("/contacts", {}))]
        return [name for name in named if isinstance(name, str)]

    def contacts(
        self, collection: str, *, offset: int = 0, limit: int = PAGE, since: datetime | None = None
    ) -> list[dict[str, Any]]:
        """One page of a collection; a page shorter than `limit` is the last. `since` keeps what changed at or after."""
        return self._page(f"/contacts/{_segment(collection)}", offset, limit, since)

    def orders(self, *, offset: int = 0, limit: int = PAGE, since: datetime | None = None) -> list[dict[str, Any]]:
        """One page of orders; paging as for contacts."""
        return self._page("/orders", offset, limit, since)

    def products(self, *, offset: int = 0, limit: int = PAGE) -> list[dict[str, Any]]:
        """One page of products, variants among them; paging as for contacts."""
        return self._page("/products", offset, limit, None, includeVariants="true")

    def profiles(
        self, *, email: str | None = None, offset: int = 0, limit: int = PAGE, since: datetime | None = None
    ) -> list[dict[str, Any]]:
        """The profiles with an email (documented as one object, seen as a list), or one page of all.

        `since` keeps what changed at or after. Pages are in the order of Ometria's ids, so that one that changes
        meanwhile moves nothing under an offset.
        """
        if email is None:
            changed = {} if since is None else {"updateSince": _utc(since)}
            return self._page("/profiles", offset, limit, None, **changed)
        body = self._read("/profiles", {"email": email}, absent_is_none=True)
        if isinstance(body, dict) and "id" in body:
            return [body]
        return [] if body is None or body == {} else self._items(body)

    def profile(self, profile_id: str) -> dict[str, Any] | None:
        """One profile by Ometria's own id, or None when it says that there is none."""
        return self._one(f"/profiles/{_segment(profile_id)}")

    def merge(self, survivor: str, losers: Sequence[str]) -> str | None:
        """Merge people for good, each named by a customer_id that one profile alone holds; the request's id.

        At most limits.MERGED_AT_ONCE, one call a minute. The losers' contacts are DELETED there, also those of other
        writers, and nothing brings them back (https://docs.ometria.com/docs/merge-profiles).
        """
        asked = {
            "survivor": {"type": "customer_id", "value": survivor},
            "customers_to_merge": [{"type": "customer_id", "value": one} for one in losers],
        }
        response = self._call(CallType.MERGE, "POST", "/merge-profile", content=msgspec.json.encode(asked))
        self._refuse(response, CallType.MERGE)
        try:
            said = responses.decode_json(response.content)
        except msgspec.DecodeError:
            return None  # taken all the same: what came of it is looked up
        return responses.as_text(said.get("request_id")) if isinstance(said, dict) else None

    def unsubscribes(self, since: datetime | None = None) -> list[Unsubscribed]:
        """Unsubscriptions at or after `since` (https://docs.ometria.com/reference/get_unsubscribes)."""
        return responses.parse_unsubscriptions(
            self._list("/unsubscribes", {} if since is None else {"since": _utc(since)})
        )

    def _one(self, path: str) -> dict[str, Any] | None:
        body = self._read(path, {}, absent_is_none=True)
        if isinstance(body, list):
            body = body[0] if body else None
        if body is None or isinstance(body, dict):
            return body or None
        raise errors.error_from_malformed_response(CallType.READ, "a record was asked for, something else was answered")

    def _page(self, path: str, offset: int, limit: int, since: datetime | None, **more: str) -> list[dict[str, Any]]:
        asked = {"limit": str(limit), "offset": str(offset), **more}
        if since is not None:
            asked |= {"updateSince": _utc(since), "orderby": "timestamp_update"}
        return self._items(self._list(path, asked))

    def _list(self, path: str, asked: dict[str, str]) -> list[Any]:
        body = self._read(path, asked, absent_is_none=False)
        try:
            return responses.list_items(body)
        except ValueError as problem:
            raise errors.error_from_malformed_response(
                CallType.READ, "a list was asked for, something else was answered"
            ) from problem

    def _items(self, body: Any) -> list[dict[str, Any]]:
        try:
            return [item for item in responses.list_items(body) if isinstance(item, dict)]
        except ValueError as problem:
            raise errors.error_from_malformed_response(
                CallType.READ, "a list was asked for, something else was answered"
            ) from problem

    def _read(self, path: str, asked: dict[str, str], *, absent_is_none: bool) -> Any:
        """The decoded answer; None for a 404 in the API's own words, since a page says nothing of the record."""
        response = self._call(CallType.READ, "GET", path, params=asked)
        if response.status == 404:
            if absent_is_none and _is_json(response):
                return None
            raise TransientError("platform.read_path_unknown", "read answered 404 for a path, not for a record")
        self._refuse(response, CallType.READ)
        try:
            return responses.decode_json(response.content)
        except msgspec.DecodeError as problem:
            raise errors.error_from_malformed_response(
                CallType.READ, "success without a readable answer", response.headers
            ) from problem

    def _call(self, call: CallType, method: str, path: str, **request: Any) -> HttpResponse:
        if "content" in request:
            request["headers"] = {"Content-Type": "application/json"}
        try:
            return self._http.call(method, path, **request)
        except httpx2.RequestError as error:
            # Its own words and its request hold the address asked for, which may name a person.
            raise errors.error_from_no_response(error, call) from None
        except httpx2.InvalidURL:
            raise RejectedError("platform.refused_read", "an id makes no valid address") from None

    def _refuse(self, response: HttpResponse, call: CallType, sent: int = 0) -> None:
        if not response.is_success:
            said = responses.safe_message(response.content)
            raise errors.error_from_response(response.status, response.headers, call, said, sent)


def _is_json(response: HttpResponse) -> bool:
    try:
        responses.decode_json(response.content)
    except msgspec.DecodeError:
        return False
    return True


def _segment(part: str) -> str:
    """One path segment; a colon, which every id has, may stand there (https://www.rfc-editor.org/rfc/rfc3986)."""
    return quote(part, safe=":")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
