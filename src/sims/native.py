"""What Ometria's own Shopify importer would read of a store: the one place where one neighbour sees the other."""

from __future__ import annotations

from collections.abc import Iterator

from sims.clock import iso
from sims.ometria.importer import ShopCustomer, ShopOrder
from sims.shopify import money
from sims.shopify.state import Store

_SUBSCRIBED = {"SUBSCRIBED": True, "UNSUBSCRIBED": False}


def customers(store: Store) -> Iterator[ShopCustomer]:
    """Yield every living customer; email consent only, since the importer knows no other."""
    for one in store.customers.values():
        subscribed = _SUBSCRIBED.get(one.email_consent.state)
        yield ShopCustomer(str(one.id), one.email, one.phone, one.first_name, one.last_name, subscribed)


def orders(store: Store) -> Iterator[ShopOrder]:
    """Yield every living order that is no test, with its first total; how the importer treats refunds is not known."""
    for one in store.orders.values():
        if not one.test:
            customer_id = None if one.customer_id is None else str(one.customer_id)
            total = float(one.original_total.shop or money.current_total(one).shop)
            is_valid = one.cancelled_at is None
            currency = store.shop.currency
            yield ShopOrder(
                str(one.id), one.name, iso(one.processed_at), total, currency, customer_id, one.email, is_valid
            )
