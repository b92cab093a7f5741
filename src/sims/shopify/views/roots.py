"""Where every operation begins: the fields of QueryRoot and Mutation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from sims.shopify import consent, subscriptions
from sims.shopify.execute import Refusal
from sims.shopify.filters import CHECKOUTS, COMMON, COUNTED_SUBSCRIPTIONS, CUSTOMERS, ORDERS, PRODUCTS, VARIANTS
from sims.shopify.pages import Edge, Page
from sims.shopify.search import Field
from sims.shopify.state import Checkout as CheckoutRecord
from sims.shopify.state import Customer as CustomerRecord
from sims.shopify.state import Order as OrderRecord
from sims.shopify.state import Product as ProductRecord
from sims.shopify.state import Subscription as SubscriptionRecord
from sims.shopify.state import Variant as VariantRecord
from sims.shopify.views import (
    catalogue,
    checkouts,
    customers,
    fulfilments,
    lines,
    metafields,
    orders,
    plain,
    refunds,
    returns,
    shop,
)
from sims.shopify.views import subscriptions as shown
from sims.shopify.views.sight import Sight


class QueryRoot:
    """What can be asked."""

    __slots__ = ("sight",)
    type_name: ClassVar[str] = "QueryRoot"

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    @property
    def shop(self) -> shop.Shop:
        return shop.Shop(self.sight)

    @property
    def current_app_installation(self) -> dict[str, Any]:
        return shop.installation(self.sight)

    @property
    def public_api_versions(self) -> list[dict[str, Any]]:
        return shop.public_versions()

    def node(self, id: str) -> Any:  # noqa: A002
        return self._node(id)

    def nodes(self, ids: list[str]) -> list[Any]:
        return [self._node(each) for each in ids]

    def customer(self, id: str) -> customers.Customer | None:  # noqa: A002
        return self._of("Customer", id)

    def customer_by_identifier(self, identifier: Mapping[str, Any]) -> customers.Customer | None:
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

    def customers(self, query: str | None = None, sort_key: str = "ID", **asked: Any) -> Page:
        records = self.sight.store.customers
        return self.sight.find("customers", records, self._customer, CUSTOMERS, query, sort_key, **asked)

    def customers_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self.sight.store.customers.values(), query, COMMON, limit)

    def order(self, id: str) -> orders.Order | None:  # noqa: A002
        return self._of("Order", id)

    def orders(
        self, query: str | None = None, sort_key: str = "PROCESSED_AT", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = self.sight.store.orders
        return self.sight.find("orders", records, self._order, ORDERS, query, sort_key, **asked)

    def orders_count(
        self, query: str | None = None, limit: int | None = 10_000, saved_search_id: str | None = None
    ) -> dict[str, Any]:
        _no_saved_search(saved_search_id)
        return self._count(self.sight.store.orders.values(), query, ORDERS, limit)

    def return_(self, id: str) -> returns.Return | None:  # noqa: A002
        return self._of("Return", id)

    def abandoned_checkouts(
        self, query: str | None = None, sort_key: str = "ID", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = {each.id: each for each in self._abandoned()}
        return self.sight.find("checkouts", records, self._checkout, CHECKOUTS, query, sort_key, **asked)

    def abandoned_checkouts_count(
        self, query: str | None = None, limit: int | None = 10_000, saved_search_id: str | None = None
    ) -> dict[str, Any]:
        _no_saved_search(saved_search_id)
        return self._count(self._abandoned(), query, CHECKOUTS, limit)

    def product(self, id: str) -> catalogue.Product | None:  # noqa: A002
        return self._of("Product", id)

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
        return self._of("ProductVariant", id)

    def product_variants(
        self, query: str | None = None, sort_key: str = "ID", saved_search_id: str | None = None, **asked: Any
    ) -> Page:
        _no_saved_search(saved_search_id)
        records = self.sight.store.variants
        return self.sight.find("variants", records, self._variant, VARIANTS, query, sort_key, **asked)

    def product_variants_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self.sight.store.variants.values(), query, VARIANTS, limit)

    def webhook_subscription(self, id: str) -> shown.WebhookSubscription | None:  # noqa: A002
        return self._of("WebhookSubscription", id)

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
        slot = f"subscriptions {sorted(records)}"
        return self.sight.find(
            "subscriptions", records, shown.WebhookSubscription, COMMON, query, sort_key, slot, **asked
        )

    def webhook_subscriptions_count(self, query: str | None = None, limit: int | None = 10_000) -> dict[str, Any]:
        return self._count(self._subscriptions(), query, COUNTED_SUBSCRIPTIONS, limit)

    def _node(self, gid: str) -> Any:
        kind, number = _split(gid)
        store = self.sight.store
        tables: dict[str, tuple[Mapping[Any, Any], Any]] = {
            "Customer": (store.customers, self._customer),
            "Order": (store.orders, self._order),
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
        if kind == "WebhookSubscription":
            known = subscriptions.find(store, number)
            return None if known is None else shown.WebhookSubscription(known)
        if kind == "Shop":
            return shop.Shop(self.sight) if number == store.shop.id else None
        if kind == "AbandonedCheckout":
            found = (each for each in self._abandoned() if each.id == number)
            return next((self._checkout(each) for each in found), None)
        for record in store.orders.values() if kind in _PARTS else ():
            for part in _PARTS[kind][0](record):
                if part.id == number:
                    return _PARTS[kind][1](self._order(record), part)
        return None

    def _of(self, kind: str, gid: str) -> Any:
        """Find a record of one kind; the id of another kind is refused, as captured."""
        if _split(gid)[0] != kind:
            raise Refusal(f"Invalid id: {gid}", code="RESOURCE_NOT_FOUND")
        return self._node(gid)

    def _count(
        self, records: Iterable[Any], query: str | None, known: Mapping[str, Field], limit: int | None
    ) -> dict[str, Any]:
        return plain.count(self.sight.count(records, query, known), limit)

    def _abandoned(self) -> list[CheckoutRecord]:
        """List the checkouts somebody left contact details on: completed ones stay, as recovered."""
        return [each for each in self.sight.store.checkouts.values() if each.email or each.phone]

    def _subscriptions(self) -> list[SubscriptionRecord]:
        return [each for each in self.sight.store.subscriptions.values() if each.owner == "api"]

    def _customer(self, record: CustomerRecord) -> customers.Customer:
        return customers.Customer(self.sight, record)

    def _order(self, record: OrderRecord) -> orders.Order:
        return orders.Order(self.sight, record)

    def _product(self, record: ProductRecord) -> catalogue.Product:
        return catalogue.Product(self.sight, record)

    def _variant(self, record: VariantRecord) -> catalogue.ProductVariant:
        return catalogue.ProductVariant(self.sight, record)

    def _checkout(self, record: CheckoutRecord) -> checkouts.AbandonedCheckout:
        return checkouts.AbandonedCheckout(self.sight, record)


class Mutation:
    """What can be changed."""

    __slots__ = ("sight",)
    type_name: ClassVar[str] = "Mutation"

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    def webhook_subscription_create(self, topic: str, webhook_subscription: Mapping[str, Any]) -> dict[str, Any]:
        return self._create(topic, webhook_subscription, "callbackUrl")

    def webhook_subscription_update(self, id: str, webhook_subscription: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._update(id, webhook_subscription, "callbackUrl")

    def webhook_subscription_delete(self, id: str) -> dict[str, Any]:  # noqa: A002
        complaints = subscriptions.delete(self.sight.store, _split(id)[1])
        return {
            "deletedWebhookSubscriptionId": None if complaints else id,
            "userErrors": [each.as_dict() for each in complaints],
        }

    def event_bridge_webhook_subscription_create(
        self, topic: str, webhook_subscription: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self._create(topic, _renamed(webhook_subscription), "arn")

    def event_bridge_webhook_subscription_update(
        self,
        id: str,  # noqa: A002
        webhook_subscription: Mapping[str, Any],
    ) -> dict[str, Any]:
        return self._update(id, _renamed(webhook_subscription), "arn")

    def pub_sub_webhook_subscription_create(
        self, topic: str, webhook_subscription: Mapping[str, Any]
    ) -> dict[str, Any]:
        complaints = _pubsub(webhook_subscription)
        if complaints:
            return _payload(None, complaints)
        return self._create(topic, _joined(webhook_subscription), "pubSubTopic")

    def pub_sub_webhook_subscription_update(
        self,
        id: str,  # noqa: A002
        webhook_subscription: Mapping[str, Any],
    ) -> dict[str, Any]:
        complaints = _pubsub(webhook_subscription)
        if complaints:
            return _payload(None, complaints)
        return self._update(id, _joined(webhook_subscription), "pubSubTopic")

    def customer_email_marketing_consent_update(self, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._consent(consent.email, input, "emailMarketingConsent")

    def customer_sms_marketing_consent_update(self, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._consent(consent.sms, input, "smsMarketingConsent")

    def _consent(self, write: Any, given: Mapping[str, Any], part: str) -> dict[str, Any]:
        sight = self.sight
        record = sight.store.customers.get(_split(given["customerId"])[1])
        written: consent.Written = write(sight.world, sight.store, record, given[part], sight.now)
        sight.emit(written.events)
        shown_customer = None if written.customer is None else customers.Customer(sight, written.customer)
        return {"customer": shown_customer, "userErrors": written.complaints}

    def _create(self, topic: str, wish: Mapping[str, Any], field: str) -> dict[str, Any]:
        number = self.sight.world.next_id()
        return _payload(*subscriptions.create(self._rules(), number, topic, wish, self.sight.now, field))

    def _update(self, gid: str, wish: Mapping[str, Any], field: str) -> dict[str, Any]:
        return _payload(*subscriptions.update(self._rules(), _split(gid)[1], wish, self.sight.now, field))

    def _rules(self) -> subscriptions.Rules:
        sight = self.sight
        return subscriptions.Rules(sight.store, sight.app_id, sight.scopes, sight.insecure_callbacks)


def _payload(record: SubscriptionRecord | None, complaints: list[subscriptions.Complaint]) -> dict[str, Any]:
    return {
        "webhookSubscription": None if record is None else shown.WebhookSubscription(record),
        "userErrors": [each.as_dict() for each in complaints],
    }


def _renamed(wish: Mapping[str, Any]) -> dict[str, Any]:
    return {("uri" if name == "arn" else name): value for name, value in wish.items()}


def _joined(wish: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in wish.items() if name not in ("pubSubProject", "pubSubTopic")}
    return {**rest, "uri": f"pubsub://{wish['pubSubProject']}:{wish['pubSubTopic']}"}


def _pubsub(wish: Mapping[str, Any]) -> list[subscriptions.Complaint]:
    return subscriptions.judge_pubsub(wish["pubSubProject"], wish["pubSubTopic"])


def _split(gid: str) -> tuple[str, int]:
    """Return kind and number of a global id; one without a number belongs to nothing."""
    kind, _, tail = gid.removeprefix("gid://shopify/").partition("/")
    digits = tail.partition("?")[0]
    return kind, int(digits) if digits.isdecimal() else -1


def _no_saved_search(saved_search_id: str | None) -> None:
    if saved_search_id is not None:
        raise Refusal(f"Invalid id: {saved_search_id}", code="RESOURCE_NOT_FOUND")


_PARTS: dict[str, tuple[Any, Any]] = {
    "Fulfillment": (lambda order: order.fulfillments, fulfilments.Fulfillment),
    "LineItem": (lambda order: order.lines, lambda order, part: order.line(part)),
    "OrderTransaction": (lambda order: order.transactions, orders.Transaction),
    "Refund": (lambda order: order.refunds, refunds.Refund),
    "Return": (lambda order: order.returns, returns.Return),
}

VIEWS: Mapping[str, type] = {
    view.type_name: view
    for view in (
        QueryRoot,
        Mutation,
        shop.Shop,
        shop.Location,
        metafields.Metafield,
        plain.MailingAddress,
        customers.Customer,
        customers.EmailAddress,
        customers.PhoneNumber,
        customers.SmsMarketingConsent,
        orders.Order,
        orders.Transaction,
        lines.LineItem,
        lines.ShippingLine,
        refunds.Refund,
        refunds.RefundLineItem,
        refunds.RefundShippingLine,
        refunds.OrderAdjustment,
        fulfilments.Fulfillment,
        fulfilments.FulfillmentEvent,
        fulfilments.FulfillmentLineItem,
        returns.Return,
        returns.ReturnLineItem,
        returns.ExchangeLineItem,
        catalogue.Product,
        catalogue.ProductVariant,
        checkouts.AbandonedCheckout,
        checkouts.CheckoutLineItem,
        shown.WebhookSubscription,
    )
}
"""Every view by its GraphQL type; types that are none of these are plain dicts."""


def view_of(name: str) -> type | None:
    """Return the view of a GraphQL type; None for a plain dict."""
    if name.endswith("Connection"):
        return Page
    return Edge if name.endswith("Edge") else VIEWS.get(name)
