"""What can be asked: the fields of QueryRoot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from sims.shopify import merges, subscriptions
from sims.shopify.baskets import Checkout as CheckoutRecord
from sims.shopify.blinks import Blinks
from sims.shopify.bulk.record import Operation as OperationRecord
from sims.shopify.filters import (
    BULK_OPERATIONS,
    CHECKOUTS,
    COMMON,
    COUNTED_SUBSCRIPTIONS,
    CUSTOMERS,
    ORDERS,
    PRODUCTS,
    VARIANTS,
)
from sims.shopify.pages import Page
from sims.shopify.run import Refusal
from sims.shopify.schema import snake
from sims.shopify.search import Field
from sims.shopify.state import Customer as CustomerRecord
from sims.shopify.state import Order as OrderRecord
from sims.shopify.state import Product as ProductRecord
from sims.shopify.state import Subscription as SubscriptionRecord
from sims.shopify.state import Variant as VariantRecord
from sims.shopify.views import bulk as bulk_views
from sims.shopify.views import catalogue, checkouts, fulfilments, merge_jobs, metafields, plain, refunds
from sims.shopify.views import customers as customer_views
from sims.shopify.views import merges as merge_views
from sims.shopify.views import orders as order_views
from sims.shopify.views import returns as return_views
from sims.shopify.views import shop as shop_views
from sims.shopify.views import subscriptions as subscription_views
from sims.shopify.views.sight import Sight


class View(Protocol):
    """Whatever shows one GraphQL type."""

    type_name: ClassVar[str]


V = TypeVar("V", bound=View)


class QueryRoot:
    """The root of every query."""

    __slots__ = ("sight",)
    type_name: ClassVar[str] = "QueryRoot"

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    @property
    def shop(self) -> shop_views.Shop:
        return shop_views.Shop(self.sight)

    @property
    def current_app_installation(self) -> dict[str, Any]:
        return shop_views.installation(self.sight)

    @property
    def public_api_versions(self) -> list[dict[str, Any]]:
        return shop_views.public_versions()

    def metafield_definitions(self, owner_type: str, **asked: Any) -> Page:
        return metafields.definitions(self.sight.store.definitions, owner_type, **asked)

    def node(self, id: str) -> Any:  # noqa: A002
        return self._node(id)

    def nodes(self, ids: list[str]) -> list[Any]:
        return [self._blinking(each) for each in ids]

    def customer(self, id: str) -> customer_views.Customer | None:  # noqa: A002
        return self._of(customer_views.Customer, id)

    def customer_by_identifier(self, identifier: Mapping[str, Any]) -> customer_views.Customer | None:
        store = self.sight.store
        if identifier.get("id") is not None:
            return self.customer(identifier["id"])
        if identifier.get("customId") is not None:
            told = "Metafield definition of type 'id' is required when using custom ids."
            raise Refusal(told, code="NOT_FOUND")
        email, phone = identifier.get("emailAddress"), identifier.get("phoneNumber")
        number = store.by_email.get(email.strip().lower()) if email is not None else store.by_phone.get(phone or "")
        record = store.customers.get(number) if number is not None else None
        return None if record is None else self._customer(record)

    def customer_merge_preview(
        self, customer_one_id: str, customer_two_id: str, override_fields: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        sight, override = self.sight, {snake(name): value for name, value in (override_fields or {}).items()}
        chosen = merges.preview(sight.store, customer_one_id, customer_two_id, override)
        return merge_views.preview(sight, chosen)

    def customer_merge_job_status(self, job_id: str) -> dict[str, Any] | None:
        merge = self._merge(job_id)
        return None if merge is None else merge_jobs.request(self.sight, merge)

    def job(self, id: str) -> dict[str, Any] | None:  # noqa: A002
        merge = self._merge(id)
        return None if merge is None else merge_jobs.job(merge)

    def customers(self, query: str | None = None, sort_key: str = "ID", **asked: Any) -> Page:
        records = self.sight.store.customers
        return self.sight.find("customers", records, self._customer, CUSTOMERS, query, sort_key, **asked)

    def customers_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self.sight.store.customers.values(), query, COMMON, limit)

    def order(self, id: str) -> order_views.Order | None:  # noqa: A002
        return self._of(order_views.Order, id)

    def orders(
        self, query: str | None = None, sort_key: str = "PROCESSED_AT", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = self.sight.orders
        return self.sight.find("orders", records, self._order, ORDERS, query, sort_key, **asked)

    def orders_count(
        self, query: str | None = None, limit: int | None = 10_000, saved_search_id: str | None = None
    ) -> dict[str, Any]:
        _no_saved_search(saved_search_id)
        return self._count(self.sight.orders.values(), query, ORDERS, limit)

    def return_(self, id: str) -> return_views.Return | None:  # noqa: A002
        return self._of(return_views.Return, id)

    def abandoned_checkouts(
        self, query: str | None = None, sort_key: str = "ID", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = {each.id: each for each in self._abandoned()}
        # A part of the shop's checkouts, which older ones join: a kept sorting would not notice.
        return self.sight.find(
            "checkouts", records, self._checkout, CHECKOUTS, query, sort_key, is_whole=False, **asked
        )

    def abandoned_checkouts_count(
        self, query: str | None = None, limit: int | None = 10_000, saved_search_id: str | None = None
    ) -> dict[str, Any]:
        _no_saved_search(saved_search_id)
        return self._count(self._abandoned(), query, CHECKOUTS, limit)

    def product(self, id: str) -> catalogue.Product | None:  # noqa: A002
        return self._of(catalogue.Product, id)

    def products(
        self, query: str | None = None, sort_key: str = "ID", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = self.sight.store.products
        return self.sight.find("products", records, self._product, PRODUCTS, query, sort_key, **asked)

    def products_count(
        self, query: str | None = None, limit: int | None = 10_000, saved_search_id: str | None = None
    ) -> dict[str, Any]:
        _no_saved_search(saved_search_id)
        return self._count(self.sight.store.products.values(), query, PRODUCTS, limit)

    def product_variant(self, id: str) -> catalogue.ProductVariant | None:  # noqa: A002
        return self._of(catalogue.ProductVariant, id)

    def product_variants(
        self, query: str | None = None, sort_key: str = "ID", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = self.sight.store.variants
        return self.sight.find("variants", records, self._variant, VARIANTS, query, sort_key, **asked)

    def product_variants_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self.sight.store.variants.values(), query, VARIANTS, limit)

    def webhook_subscription(self, id: str) -> subscription_views.WebhookSubscription | None:  # noqa: A002
        return self._of(subscription_views.WebhookSubscription, id)

    def webhook_subscriptions(
        self,
        query: str | None = None,
        sort_key: str = "CREATED_AT",
        topics: list[str] | None = None,
        uri: str | None = None,
        format: str | None = None,  # noqa: A002
        **asked: Any,
    ) -> Page:
        wanted = None if topics is None else set(topics)
        records = {
            each.id: each
            for each in self._subscriptions()
            if (wanted is None or subscriptions.enum_topic(each.topic) in wanted)
            and uri in (None, each.uri)
            and format in (None, each.format)
        }
        view = subscription_views.WebhookSubscription
        return self.sight.find("subscriptions", records, view, COMMON, query, sort_key, is_whole=False, **asked)

    def webhook_subscriptions_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self._subscriptions(), query, COUNTED_SUBSCRIPTIONS, limit)

    def bulk_operation(self, id: str) -> bulk_views.BulkOperation | None:  # noqa: A002
        return self._of(bulk_views.BulkOperation, id)

    def bulk_operations(self, query: str | None = None, sort_key: str = "CREATED_AT", **asked: Any) -> Page:
        records = {each.id: each for each in self._operations()}
        # Newest first unless reversed, as documented; the other listings begin with the oldest.
        asked["reverse"] = not asked.get("reverse", False)
        view = self._operation
        return self.sight.find("bulk", records, view, BULK_OPERATIONS, query, sort_key, is_whole=False, **asked)

    def current_bulk_operation(self, type: str = "QUERY") -> bulk_views.BulkOperation | None:  # noqa: A002
        found = [each for each in self._operations() if each.type == type]
        return self._operation(found[-1]) if found else None

    def _blinking(self, gid: str) -> Any:
        """Find a node, unless this is a reading that does not show it."""
        found = self._node(gid)
        kind, number = split(gid)
        if found is None or self.sight.faults is None or kind not in _BLINKING:
            return found
        return Blinks(self.sight.faults).of(kind, number, found.record, found, self.sight.now)

    def _node(self, gid: str) -> Any:
        kind, number = split(gid)
        store = self.sight.store
        tables: dict[str, tuple[Mapping[Any, Any], Any]] = {
            "Customer": (store.customers, self._customer),
            "Order": (self.sight.orders if kind == "Order" else {}, self._order),
            "Product": (store.products, self._product),
            "ProductVariant": (store.variants, self._variant),
        }
        if kind in tables:
            records, view = tables[kind]
            record = records.get(number)
            return None if record is None else view(record)
        return self._rare(kind, number)

    def _rare(self, kind: str, number: int) -> Any:
        """Find a node that lives inside another; slow, since nobody asks for many."""
        store = self.sight.store
        if kind == "BulkOperation":
            found_operation = next((each for each in self._operations() if each.id == number), None)
            return None if found_operation is None else self._operation(found_operation)
        if kind == "WebhookSubscription":
            known = subscriptions.find(store, number)
            return None if known is None else subscription_views.WebhookSubscription(known)
        if kind == "Shop":
            return shop_views.Shop(self.sight) if number == store.shop.id else None
        if kind == "AbandonedCheckout":
            found = (each for each in self._abandoned() if each.id == number)
            return next((self._checkout(each) for each in found), None)
        for record in self.sight.orders.values() if kind in _PARTS else ():
            for part in _PARTS[kind][0](record):
                if part.id == number:
                    return _PARTS[kind][1](self._order(record), part)
        return None

    def _of(self, kind: type[V], gid: str) -> V | None:
        """Find a record of one kind; the id of another kind is refused, as captured."""
        if split(gid)[0] != kind.type_name:
            raise Refusal(f"Invalid id: {gid}", code="RESOURCE_NOT_FOUND")
        found = self._node(gid)
        return found if isinstance(found, kind) else None

    def _count(
        self, records: Iterable[Any], query: str | None, known: Mapping[str, Field], limit: int | None
    ) -> dict[str, Any]:
        return plain.count(self.sight.count(records, query, known), limit)

    def _abandoned(self) -> list[CheckoutRecord]:
        """List the checkouts somebody left contact details on: completed ones stay, as recovered."""
        return [each for each in self.sight.store.checkouts.values() if each.email or each.phone]

    def _subscriptions(self) -> list[SubscriptionRecord]:
        return [each for each in self.sight.store.subscriptions.values() if each.owner == "api"]

    def _merge(self, gid: str) -> merges.Merge | None:
        found = self.sight.world.merges.get(gid.removeprefix("gid://shopify/Job/"))
        return found if found is not None and found.shop == self.sight.store.shop.domain else None

    def _operations(self) -> list[OperationRecord]:
        bulk = self.sight.bulk
        return [] if bulk is None else bulk.of(self.sight.store.shop.domain)

    def _operation(self, record: OperationRecord) -> bulk_views.BulkOperation:
        return bulk_views.BulkOperation(self.sight, record)

    def _customer(self, record: CustomerRecord) -> customer_views.Customer:
        return customer_views.Customer(self.sight, record)

    def _order(self, record: OrderRecord) -> order_views.Order:
        return order_views.Order(self.sight, record)

    def _product(self, record: ProductRecord) -> catalogue.Product:
        return catalogue.Product(self.sight, record)

    def _variant(self, record: VariantRecord) -> catalogue.ProductVariant:
        return catalogue.ProductVariant(self.sight, record)

    def _checkout(self, record: CheckoutRecord) -> checkouts.AbandonedCheckout:
        return checkouts.AbandonedCheckout(self.sight, record)


def split(gid: str) -> tuple[str, int]:
    """Return kind and number of a global id; one without a number belongs to nothing."""
    kind, _, tail = gid.removeprefix("gid://shopify/").partition("/")
    digits = tail.partition("?")[0]
    return kind, int(digits) if digits.isdecimal() else -1


def _no_saved_search(saved_search_id: str | None) -> None:
    if saved_search_id is not None:
        raise Refusal(f"Invalid id: {saved_search_id}", code="RESOURCE_NOT_FOUND")


_BLINKING = ("Customer", "Order", "Product")

_PARTS: dict[str, tuple[Any, Any]] = {
    "Fulfillment": (lambda order: order.fulfillments, fulfilments.Fulfillment),
    "LineItem": (lambda order: order.lines, lambda order, part: order.line(part)),
    "OrderTransaction": (lambda order: order.transactions, order_views.Transaction),
    "Refund": (lambda order: order.refunds, refunds.Refund),
    "Return": (lambda order: order.returns, return_views.Return),
}
