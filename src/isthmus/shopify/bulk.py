"""Bulk operations: a query over everything, run by Shopify in the background, its result a file of lines.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.model.failure import Failure, RejectedError, SlowError, TransientError
from isthmus.shopify import documents
from isthmus.shopify.client import Shopify
from isthmus.shopify.parse.json import to_utc
from isthmus.shopify.parse.lines import Keys
from isthmus.shopify.topics import HISTORY_SCOPE

BROKEN = "storefront.bulk_failed"

TRIES = 6
"""Downloads that may break one after the other, each too slow or without a single byte, before we give up for now."""

_WINDOW = 'query: "WINDOW"'
_CREATED = {"customer": "customer_date"}
"""Customers are not searched by created_at (https://shopify.dev/docs/api/admin-graphql/latest/queries/customers)."""


class BulkStatus(StrEnum):
    """https://shopify.dev/docs/api/admin-graphql/2026-10/enums/BulkOperationStatus"""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_under_way(self) -> bool:
        return self in (BulkStatus.CREATED, BulkStatus.RUNNING, BulkStatus.CANCELING)


class Operation(Struct, frozen=True):
    """One operation as it is now. `n_objects` counts lines, `n_roots` records, `n_bytes` the file once it is complete.

    A completed operation that found nothing has no `url`; one that failed may have a `partial_url`.
    """

    gid: str
    status: BulkStatus
    error_code: str | None
    url: str | None
    partial_url: str | None
    n_objects: int
    n_roots: int
    n_bytes: int | None
    created_at: datetime
    query: str


class Edge(Struct, frozen=True):
    """The oldest record of a kind that can be seen; orders have a name."""

    created_at: datetime
    name: str | None = None


class Reach(Struct, frozen=True):
    """Which orders can be seen. Without `read_all_orders` those older than 60 days cannot, and nobody says how many
    there are; the number in the `newest` one's name says how many were numbered.
    """

    n_visible: int
    sees_all: bool
    oldest: Edge | None
    newest: str | None


class BusyError(TransientError):
    """As many operations as may run are running: five of an app and shop from API 2026-01 on, one before."""


class AddressEndedError(TransientError):
    """The result is no longer to be had at its address: ask for the operation again, or start another."""


class Bulk:
    """One shop's bulk operations. Methods raise what the client raises, and what they say themselves."""

    def __init__(self, shop: Shopify) -> None:
        self._shop = shop

    def start(self, query: str, *, group_objects: bool = False) -> Operation:
        """Begin an operation. Lines come in any order unless objects are grouped, which takes Shopify longer.

        Raises BusyError while too many run, RejectedError `integration.query_refused` for a query that is unfit.
        """
        told = self._shop.graphql(documents.BULK_START, {"query": query, "groupObjects": group_objects})["started"]
        errors = told["userErrors"]
        if any(error["code"] in ("OPERATION_IN_PROGRESS", "LIMIT_REACHED") for error in errors):
            raise BusyError("storefront.throttled", "as many bulk operations as may run are running")
        if errors or told["bulkOperation"] is None:
            said = "; ".join(str(error["message"]) for error in errors) or "no operation was made"
            raise RejectedError("integration.query_refused", said)
        return _operation(told["bulkOperation"])

    def look(self, gid: str) -> Operation | None:
        """An operation as it is now; None for one that Shopify does not know (any more)."""
        found = self._shop.graphql(documents.BULK_LOOK, {"id": gid})["found"]
        return None if found is None else _operation(found)

    def running(self) -> list[Operation]:
        """This app's own operations that are under way in this shop."""
        nodes = self._shop.graphql(documents.BULK_UNDER_WAY, {})["found"]["nodes"]
        return [one for one in map(_operation, nodes) if one.status.is_under_way]

    def cancel(self, gid: str) -> None:
        """Ask an operation to stop; one that has ended already stays as it is."""
        self._shop.graphql(documents.BULK_CANCEL, {"id": gid})

    def oldest(self, kind: str) -> Edge | None:
        """The record of a kind that was created first, of those that can be seen."""
        nodes = self._shop.graphql(documents.OLDEST[kind], {})["found"]["nodes"]
        return Edge(_when(nodes[0]["createdAt"]), nodes[0].get("name")) if nodes else None

    def reach(self) -> Reach:
        """How far back orders can be seen (https://shopify.dev/docs/api/usage/access-scopes)."""
        installed = self._shop.graphql(documents.SHOP, {})["currentAppInstallation"]
        newest = self._shop.graphql(documents.NEWEST_ORDER, {})["orders"]["nodes"]
        return Reach(
            n_visible=int(self._shop.graphql(documents.COUNT["order"], {"query": None})["total"]["count"]),
            sees_all=HISTORY_SCOPE in {scope["handle"] for scope in installed["accessScopes"]},
            oldest=self.oldest("order"),
            newest=newest[0]["name"] if newest else None,
        )

    def lines(self, url: str) -> Iterator[bytes]:
        """The lines of a result, without their ends; a download that breaks goes on where it broke.

        Raises AddressEndedError when the address opens no more, TransientError `storefront.unavailable` after TRIES
        downloads in a row that brought nothing, or next to nothing.
        """
        rest = b""
        for piece in self._pieces(url):
            lines = (rest + piece).split(b"\n") if rest else piece.split(b"\n")
            rest = lines.pop()
            yield from lines
        if rest:
            yield rest

    def _pieces(self, url: str) -> Iterator[bytes]:
        at, tries = 0, 0
        while True:
            begun = at
            try:
                for piece in self._shop.fetch(url, at):
                    at += len(piece)
                    yield piece
                return
            except TransientError as failure:
                # A file that comes a byte at a time would never be whole: that it moves is no progress.
                is_moving = at > begun and not isinstance(failure, SlowError)
                tries = 1 if is_moving else tries + 1
                if tries >= TRIES:
                    raise
                self._shop.pause(timedelta(seconds=2**tries / 4))
            except Failure as failure:
                raise AddressEndedError(BROKEN, f"the address of the result has ended ({failure.detail})") from None


def bulk_query(
    kind: str, since: datetime | None = None, until: datetime | None = None, keys: Keys = MappingProxyType({})
) -> str:
    """The text of the operation that tells every record of a kind with `since` <= created_at < `until`, with these
    custom fields."""
    text = documents.bulk_document(kind, keys).partition("\n{")[2]
    text = f"{{{text}"  # without the comment above it
    field = _CREATED.get(kind, "created_at")
    window = f"{field}:>='{_text(since)}' " if since else ""
    window += f"{field}:<'{_text(until)}'" if until else ""
    if not window:
        return text.replace(f"({_WINDOW})", "")
    return text.replace(_WINDOW, f"query: {msgspec.json.encode(window.strip()).decode()}")


def _operation(node: dict[str, Any]) -> Operation:
    return Operation(
        gid=node["id"],
        status=BulkStatus(node["status"]),
        error_code=node["errorCode"],
        url=node["url"],
        partial_url=node["partialDataUrl"],
        n_objects=int(node["objectCount"]),
        n_roots=int(node["rootObjectCount"]),
        n_bytes=None if node["fileSize"] is None else int(node["fileSize"]),
        created_at=_when(node["createdAt"]),
        query=node["query"],
    )


def _when(text: str) -> datetime:
    return to_utc(datetime.fromisoformat(text))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
