"""What is really so in a store, as plain JSON for checkers: numbers as text, times in UTC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sims.clock import iso
from sims.shopify import money
from sims.shopify.baskets import Checkout
from sims.shopify.state import Customer, Order, Product, Store, Subscription, Variant, World


def truth(world: World, shop: str, kind: str) -> list[dict[str, Any]]:
    """Give all records of a kind of a store (domain or short name); raises `KeyError` for a kind it does not know.

    Kinds: customers, gone_customers, products, gone_products, orders, gone_orders, checkouts, subscriptions.
    """
    return list(walk(world, shop, kind))


def walk(world: World, shop: str, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the same one by one, each as it is when its turn comes: a large store need not be held twice."""
    store, (find, tell) = world.store(shop), KINDS[kind]
    with world.lock:
        found = list(find(store))
    return _told(world, found, tell)


def _told(world: World, found: list[Any], tell: Callable[[Any], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for one in found:
        with world.lock:
            told = tell(one)
        yield told


def customer(one: Customer) -> dict[str, Any]:
    """Tell of a customer."""
    return {
        "id": one.id,
        "email": one.email,
        "phone": one.phone,
        "first_name": one.first_name,
        "last_name": one.last_name,
        "state": one.state,
        "tags": list(one.tags),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "email_consent": _consent(one.email_consent),
        "sms_consent": _consent(one.sms_consent),
        "number_of_orders": one.number_of_orders,
        "amount_spent": str(one.amount_spent),
        "merged_into": one.merged_into,
        "metafields": fields(one),
        "human": one.human or one.id,
    }


def order(one: Order) -> dict[str, Any]:
    """Tell of an order: its state and every sum in shop money, and the presentment side of the two that matter most."""
    sums = money.totals(one)
    return {
        "id": one.id,
        "name": one.name,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "customer_id": one.customer_id,
        "email": one.email,
        "phone": one.phone,
        "test": one.test,
        "source_name": one.source_name,
        "currency": one.currency,
        "presentment_currency": one.presentment_currency,
        "taxes_included": one.taxes_included,
        "financial_status": one.financial_status,
        "fulfillment_status": one.fulfillment_status,
        "return_status": one.return_status,
        "cancelled_at": iso(one.cancelled_at) if one.cancelled_at else None,
        "checkout_token": one.checkout_token,
        "total": str(sums.total.shop),
        "current_total": str(sums.current_total.shop),
        "subtotal": str(sums.subtotal.shop),
        "tax": str(sums.tax.shop),
        "discounts": str(sums.discounts.shop),
        "shipping": str(sums.shipping.shop),
        "received": str(sums.received.shop),
        "refunded": str(sums.refunded.shop),
        "net_payment": str(sums.net_payment.shop),
        "outstanding": str(sums.outstanding.shop),
        "presentment_total": str(sums.total.presentment),
        "presentment_net_payment": str(sums.net_payment.presentment),
        "lines": [
            {
                "id": line.id,
                "product_id": line.product_id,
                "variant_id": line.variant_id,
                "sku": line.sku,
                "title": line.title,
                "quantity": line.quantity,
                "current_quantity": line.current_quantity,
                "removed_quantity": line.removed_quantity,
                "refunded_quantity": line.refunded_quantity,
                "price": str(line.price.shop),
                "discount": str(line.discount.shop),
            }
            for line in one.lines
        ],
        "refunds": [
            {"id": each.id, "moved": str(money.moved(each).shop), "lines": len(each.lines)} for each in one.refunds
        ],
    }


def product(one: Product) -> dict[str, Any]:
    """Tell of a product."""
    return {
        "id": one.id,
        "title": one.title,
        "status": one.status,
        "vendor": one.vendor,
        "product_type": one.product_type,
        "tags": list(one.tags),
        "updated_at": iso(one.updated_at),
        "metafields": fields(one),
        "variants": [
            {
                "id": each.id,
                "metafields": fields(each),
                "sku": each.sku,
                "title": each.title,
                "price": str(each.price),
                "compare_at_price": str(each.compare_at_price) if each.compare_at_price is not None else None,
                "inventory_quantity": each.inventory_quantity,
            }
            for each in one.variants
        ],
    }


def fields(one: Customer | Product | Variant) -> dict[str, dict[str, str]]:
    """Tell of a record's custom fields, by namespace and key."""
    return {f"{each.namespace}.{each.key}": {"type": each.type, "value": each.value} for each in one.metafields}


def checkout(one: Checkout) -> dict[str, Any]:
    """Tell of a checkout."""
    return {
        "id": one.id,
        "token": one.token,
        "email": one.email,
        "phone": one.phone,
        "customer_id": one.customer_id,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "completed_at": iso(one.completed_at) if one.completed_at else None,
        "order_id": one.order_id,
    }


def subscription(one: Subscription) -> dict[str, Any]:
    """Tell of a subscription."""
    return {"id": one.id, "topic": one.topic, "uri": one.uri, "owner": one.owner, "failures": one.failures}


def _consent(one: Any) -> dict[str, Any]:
    return {
        "state": one.state,
        "opt_in_level": one.opt_in_level,
        "updated_at": iso(one.updated_at) if one.updated_at else None,
    }


KINDS: dict[str, tuple[Callable[[Store], Iterable[Any]], Callable[[Any], dict[str, Any]]]] = {
    "customers": (lambda store: store.customers.values(), customer),
    "gone_customers": (lambda store: store.gone_customers.values(), customer),
    "products": (lambda store: store.products.values(), product),
    "gone_products": (lambda store: store.gone_products.values(), product),
    "orders": (lambda store: store.orders.values(), order),
    "gone_orders": (lambda store: store.gone_orders.values(), order),
    "checkouts": (lambda store: store.checkouts.values(), checkout),
    "subscriptions": (lambda store: store.subscriptions.values(), subscription),
}
