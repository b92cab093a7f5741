"""Read records from a shop as they are now: many by id, those that changed, all there are.

A reading by id has three answers (model/reading.py). A null counts as absent only where we could have seen the record.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from msgspec import Struct

from isthmus.kit import ids
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.failure import Failure, RejectedError
from isthmus.model.metafield import Metafield
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.model.reading import ABSENT, OUT_OF_SIGHT, Absent, Blindness, CannotSee, Found, ReadResult
from isthmus.shopify import documents, errors
from isthmus.shopify.client import Shopify
from isthmus.shopify.documents import Document
from isthmus.shopify.parse import (
    checkout_node,
    customer_node,
    delivery_node,
    listing_node,
    metafield_node,
    order_node,
    product_node,
)
from isthmus.shopify.parse.common_graphql import number_of_gid
from isthmus.shopify.parse.delivery_node import Deliveries
from isthmus.shopify.parse.json import to_utc
from isthmus.shopify.parse.lines import Keys
from isthmus.shopify.parse.listing_node import ListedRecord
from isthmus.shopify.topics import HISTORY_SCOPE

T = TypeVar("T")

UNREADABLE = "storefront.unreadable_record"


_CREATED = {"customer": "customer_date"}
"""Customers are not searched by created_at (https://shopify.dev/docs/api/admin-graphql/latest/queries/customers)."""


NAMES = 50
"""Numbers of one search: half a dozen orders may share each, and a page still holds them."""


class Listed(Struct, frozen=True, gc=False):
    """One record of a listing: its number and the version it has now."""

    id: int
    updated_at: datetime


class Page(Struct, frozen=True):
    """A page of a listing; `cursor` is where the next one begins, None after the last."""

    listed: tuple[Listed, ...]
    cursor: str | None


class Tallies(Struct, frozen=True):
    """A page of tallies; `cursor` is where the next one begins, None after the last."""

    listed: tuple[ListedRecord, ...]
    cursor: str | None


class Reads:
    """One shop's readings. A listing that is longer than its page is always completed, never cut.

    Every method raises what the client raises; an unreadable record raises RejectedError `storefront.unreadable_record`
    naming it, for the whole call: reading the records one by one isolates it. `keys` are the custom fields that
    customers, products and variants are read with.
    """

    def __init__(self, shop: Shopify, keys: Keys = MappingProxyType({})) -> None:
        self._shop = shop
        self._keys = keys
        self._batches: dict[str, int] = {}

    def orders(self, numbers: Sequence[int]) -> dict[int, ReadResult[Order]]:
        """Orders by number. A null is absent only where the app sees all orders; see `reading.dated` for the rest."""
        return self._records("Order", documents.ORDERS, numbers, self._whole_order, order_node.parse_order_node)

    def customers(self, numbers: Sequence[int]) -> dict[int, ReadResult[Customer]]:
        """Customers by number, with tags, consent, counts and custom fields, all in one call for 250 of them. The loser
        of a merge is absent."""
        keys = self._keys.get("customer", ())
        if not keys:
            return self._records("Customer", documents.CUSTOMERS, numbers, _as_it_is, customer_node.parse_customer_node)
        document = documents.CUSTOMERS_WITH_METAFIELDS.with_fields(len(keys))
        return self._records(
            "Customer",
            document,
            numbers,
            _as_it_is,
            lambda node: customer_node.parse_customer_node(node, keys),
            _asked(keys),
        )

    def products(self, numbers: Sequence[int]) -> dict[int, ReadResult[Product]]:
        """Products by number, with every variant, and custom fields of both."""
        own, theirs = self._keys.get("product", ()), self._keys.get("variant", ())
        if not own and not theirs:
            return self._records(
                "Product", documents.PRODUCTS, numbers, self._whole_product, product_node.parse_product_node
            )
        # A connection of no keys would give every field there is, so that one without any asks for the other's.
        asked = _asked(own or theirs) | self._of_variants(theirs or own)
        document = documents.PRODUCTS_WITH_METAFIELDS.with_fields(asked["n"], asked["nOfVariant"])
        return self._records(
            "Product",
            document,
            numbers,
            self._whole_product,
            lambda node: product_node.parse_product_node(node, own, theirs),
            asked,
        )

    def metafields(self, owner: str, numbers: Sequence[int]) -> dict[int, ReadResult[tuple[Metafield, ...]]]:
        """The custom fields of records of one kind ("customer", "product", "variant"), and nothing else of them. A
        reading of eight points for 250 records: what a poll can afford of everybody."""
        keys = self._keys.get(owner, ())
        document = documents.METAFIELDS.with_fields(len(keys))
        return self._records(
            _OWNERS[owner],
            document,
            numbers,
            _as_it_is,
            lambda node: metafield_node.parse_metafield_node(node, keys),
            _asked(keys),
        )

    def orders_of_returns(self, numbers: Sequence[int]) -> dict[int, ReadResult[int]]:
        """The order of each return."""
        return self._records(
            "Return", documents.ORDERS_OF_RETURNS, numbers, _as_it_is, lambda node: number_of_gid(node["order"]["id"])
        )

    def deliveries(self, numbers: Sequence[int]) -> dict[int, ReadResult[Deliveries]]:
        """How the parcels of these orders reach their buyers, by the number of the fulfilment."""
        return self._records("Order", documents.DELIVERIES, numbers, _as_it_is, delivery_node.parse_delivery_node)

    def changed(self, kind: str, since: datetime, until: datetime | None = None) -> Iterator[Listed]:
        """Records of a kind ("order", "customer", "product") with `since` <= updated_at < `until`, oldest change first.

        Search lags behind by seconds, so whoever polls should let windows overlap.
        """
        window = f"updated_at:>='{_text(since)}'" + (f" updated_at:<'{_text(until)}'" if until else "")
        cursor: str | None = None
        while True:
            page = self._page(documents.CHANGED[kind], {"query": window, "after": cursor})
            yield from page.listed
            if page.cursor is None:
                return
            cursor = page.cursor

    def newest(self) -> dict[str, Listed]:
        """The record of each kind ("order", "customer", "product") that changed last; a kind without any is left out.

        One cheap call. Nothing is filtered, so nothing can be ignored.
        """
        data = self._shop.graphql(documents.NEWEST, {})
        found = {kind: data[kind]["nodes"] for kind in documents.CHANGED}
        return {kind: Listed(number_of_gid(n[0]["id"]), _when(n[0]["updatedAt"])) for kind, n in found.items() if n}

    def all_ids(self, kind: str, cursor: str | None = None, since: datetime | None = None) -> Page:
        """One page of every record of a kind, lowest id first, created at or after `since`; resumable by its cursor."""
        query = None if since is None else f"{_CREATED.get(kind, 'created_at')}:>='{_text(since)}'"
        return self._page(documents.ALL[kind], {"query": query, "after": cursor})

    def named(self, names: Sequence[str]) -> list[int]:
        """The orders that carry one of these numbers as people see them ("#1001"), at most NAMES at once.

        https://shopify.dev/docs/api/usage/search-syntax
        """
        if not names:
            return []
        query = " OR ".join(f"name:'{name}'" for name in names if "'" not in name and "\\" not in name)
        found = self._page(documents.ALL["order"], {"query": query, "after": None})
        return [one.id for one in found.listed]

    def tallies(self, kind: str, cursor: str | None = None, since: datetime | None = None) -> Tallies:
        """One page of every record of a kind with its money or consent, lowest id first; those changed at or after
        `since`, where it is given. Search lags behind by seconds."""
        query = None if since is None else f"updated_at:>='{_text(since)}'"
        page = self._shop.graphql(documents.TALLY[kind], {"query": query, "after": cursor})["page"]
        listed = tuple([_read(f"{kind} listing", listing_node.READERS[kind], node) for node in page["nodes"]])
        info = page["pageInfo"]
        return Tallies(listed, info["endCursor"] if info["hasNextPage"] else None)

    def count(self, kind: str) -> int:
        """How many records of a kind there are to see."""
        data = self._shop.graphql(documents.COUNT[kind], {"query": None})
        return int(data["total"]["count"])

    def checkouts(self, since: datetime) -> Iterator[Checkout]:
        """Checkouts left behind that changed at or after `since`."""
        cursor: str | None = None
        while True:
            variables = {"query": f"updated_at:>='{_text(since)}'", "after": cursor}
            page = self._shop.graphql(documents.CHECKOUTS, variables)["page"]
            for node in page["nodes"]:
                self._complete(node["id"], node["lineItems"], documents.CHECKOUT_LINES)
                yield _read("checkout", checkout_node.parse_checkout_node, node)
            if not page["pageInfo"]["hasNextPage"]:
                return
            cursor = page["pageInfo"]["endCursor"]

    def _records(
        self,
        kind: str,
        document: Document,
        numbers: Sequence[int],
        whole: Callable[[dict[str, Any]], None],
        parse: Callable[[dict[str, Any]], T],
        asked: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[int, ReadResult[T]]:
        found: dict[int, ReadResult[T]] = {}
        left = list(dict.fromkeys(numbers))
        while left:
            batch = left[: self._batches.get(document.operation, document.batch)]
            try:
                variables = {"ids": [ids.global_id(kind, one) for one in batch], **asked}
                nodes = self._shop.nodes(document, variables)
            except RejectedError as failure:
                if not errors.is_too_expensive(failure) or len(batch) == 1:
                    raise
                self._batches[document.operation] = len(batch) // 2
                continue
            if len(nodes) != len(batch):
                raise errors.error_from_malformed_response()
            for one, node in zip(batch, nodes, strict=True):
                # A gid of another kind answers an object without the fields we asked of ours: never a null.
                if isinstance(node, Failure):
                    found[one] = CannotSee(Blindness.ERROR, node)
                elif node is None:
                    found[one] = ABSENT
                else:
                    whole(node)
                    found[one] = Found(_read(f"{kind} {one}", parse, node))
            left = left[len(batch) :]
        return found if kind not in _WITHIN_HORIZON else found | self._confirmed(kind, found)

    def sees_all_orders(self) -> bool:
        """Whether the app sees orders of any age, as of now. One small call."""
        return self._sight([])[1]

    def _confirmed(self, kind: str, found: Mapping[int, ReadResult[T]]) -> dict[int, ReadResult[T]]:
        """The nulls among orders or returns once more, with what the app may see in the same answer."""
        nulls = [one for one, result in found.items() if isinstance(result, Absent)]
        confirmed: dict[int, ReadResult[T]] = {}
        for first in range(0, len(nulls), documents.SIGHT.batch):
            some = nulls[first : first + documents.SIGHT.batch]
            nodes, sees_all = self._sight([ids.global_id(kind, one) for one in some])
            for one, node in zip(some, nodes, strict=True):
                if isinstance(node, Failure):
                    confirmed[one] = CannotSee(Blindness.ERROR, node)
                elif node is not None:
                    confirmed[one] = CannotSee(Blindness.CHANGED)
                else:
                    confirmed[one] = ABSENT if sees_all else OUT_OF_SIGHT
        return confirmed

    def _sight(self, gids: Sequence[str]) -> tuple[list[dict[str, Any] | Failure | None], bool]:
        """Whether these records are there, and whether the app sees orders of any age."""
        data = self._shop.partial(documents.SIGHT, {"ids": list(gids)}, "nodes")
        installed = data["currentAppInstallation"] or {"accessScopes": ()}
        return data["nodes"], HISTORY_SCOPE in {scope["handle"] for scope in installed["accessScopes"]}

    def _whole_order(self, node: dict[str, Any]) -> None:
        if "lineItems" not in node:
            return
        self._complete(node["id"], node["lineItems"], documents.ORDER_LINES)
        self._complete(node["id"], node["returns"], documents.ORDER_RETURNS)
        for refund in node["refunds"]:
            self._complete(refund["id"], refund["refundLineItems"], documents.REFUND_LINES)
            self._complete(refund["id"], refund["refundShippingLines"], documents.REFUND_SHIPPING)
            self._complete(refund["id"], refund["transactions"], documents.REFUND_TRANSACTIONS)

    def _whole_product(self, node: dict[str, Any]) -> None:
        if "variants" not in node:
            return
        if "metafields" not in node:
            self._complete(node["id"], node["variants"], documents.PRODUCT_VARIANTS)
            return
        asked = self._of_variants(self._keys.get("variant") or self._keys.get("product", ()))
        document = documents.PRODUCT_VARIANTS_WITH_METAFIELDS.with_fields(asked["nOfVariant"])
        self._complete(node["id"], node["variants"], document, asked)

    @staticmethod
    def _of_variants(keys: Sequence[str]) -> dict[str, Any]:
        return {"nOfVariant": len(keys), "keysOfVariant": list(keys)}

    def _complete(
        self,
        gid: str,
        connection: dict[str, Any],
        document: Document,
        asked: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Fetch the pages that are missing from a connection and put them behind what is there.

        The record may change between two pages; its updated_at was read with the first, so a later delivery wins.
        """
        info = connection["pageInfo"]
        while info["hasNextPage"]:
            node = self._shop.graphql(document, {"id": gid, "after": info["endCursor"], **asked})["node"]
            if node is None:
                raise errors.error_for_vanished_record()
            connection["nodes"].extend(node["page"]["nodes"])
            info = node["page"]["pageInfo"]

    def _page(self, document: Document, variables: Mapping[str, Any]) -> Page:
        page = self._shop.graphql(document, variables)["page"]
        listed = tuple([Listed(number_of_gid(node["id"]), _when(node["updatedAt"])) for node in page["nodes"]])
        info = page["pageInfo"]
        return Page(listed, info["endCursor"] if info["hasNextPage"] else None)


_WITHIN_HORIZON = ("Order", "Return")
"""What an app without the scope for all orders sees for 60 days only."""

_OWNERS = {"customer": "Customer", "product": "Product", "variant": "ProductVariant"}


def _asked(keys: Sequence[str]) -> dict[str, Any]:
    return {"n": len(keys), "keys": list(keys)}


def _as_it_is(node: dict[str, Any]) -> None:
    """Nothing to complete."""


def _read(name: str, parse: Callable[[dict[str, Any]], T], node: dict[str, Any]) -> T:
    try:
        return parse(node)
    except RejectedError as failure:
        raise RejectedError(UNREADABLE, f"{name}: {failure.detail}") from None


def _when(text: str) -> datetime:
    return to_utc(datetime.fromisoformat(text))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
