"""What Ometria's own Shopify connections read of a store and write to it: where one external API sees the other.

Opt-outs go back every five minutes, where the person is known by Shopify's id
(https://support.ometria.com/hc/en-gb/articles/17315331725085). How the importer treats refunds, and what else its ids
and products look like, is ASSUMED.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sims.clock import iso
from sims.ometria import consent, tamper
from sims.ometria.account import Account, Unsubscribe
from sims.ometria.importer import ShopCustomer, ShopOrder, ShopProduct
from sims.ometria.validate import OPTED_OUT
from sims.shopify import money
from sims.shopify.deeds import people
from sims.shopify.events import Event
from sims.shopify.state import ZERO, EmailConsent, Store, World

BACK_EVERY = timedelta(minutes=5)
"""How often opt-outs go back to the shop."""

SCRIPT = "agency"
"""Who an agency's script is, as `source` of what it wrote and as its contact collection."""

_SUBSCRIBED = {"SUBSCRIBED": True, "UNSUBSCRIBED": False}
_PAID = frozenset({"PAID", "PARTIALLY_REFUNDED", "REFUNDED"})
_NEVER_PAID = frozenset({"VOIDED", "EXPIRED"})


def customers(store: Store) -> Iterator[ShopCustomer]:
    """Yield every living customer; email consent only, since the importer knows no other."""
    for one in store.customers.values():
        subscribed = _SUBSCRIBED.get(one.email_consent.state)
        yield ShopCustomer(str(one.id), _tidy(one.email), one.phone, one.first_name, one.last_name, subscribed)


def orders(store: Store) -> Iterator[ShopOrder]:
    """Yield every living order that is no test, with its first total and with what is left of it."""
    for one in store.orders.values():
        if one.test:
            continue
        is_paid = one.financial_status in _PAID
        left = money.net_payment(one).shop if is_paid else money.current_total(one).shop
        yield ShopOrder(
            id=str(one.id),
            name=one.name,
            at=iso(one.processed_at),
            total=float(one.original_total.shop or money.current_total(one).shop),
            currency=store.shop.currency,
            customer_id=None if one.customer_id is None else str(one.customer_id),
            email=_tidy(one.email),
            is_valid=one.cancelled_at is None,
            net=float(left),
            is_kept=not (
                one.financial_status in _NEVER_PAID
                or one.financial_status == "REFUNDED"
                or (bool(one.refunds) and left <= ZERO)
            ),
        )


def products(store: Store) -> Iterator[ShopProduct]:
    """Yield every living product, each with its variants behind it."""
    for one in store.products.values():
        url = f"https://{store.shop.domain}/products/{one.handle}"
        yield ShopProduct(str(one.id), one.title, store.shop.currency, url=url)
        for variant in one.variants:
            yield ShopProduct(
                str(variant.id),
                f"{one.title} {variant.title}",
                store.shop.currency,
                price=float(variant.price),
                sku=variant.sku,
                parent=str(one.id),
            )


def unsubscribe(world: World, store: Store, account: Account, told: list[Unsubscribe], now: datetime) -> list[Event]:
    """Write opt-outs back to the shop: of people who still are opted out and whom it knows by Shopify's id."""
    space = store.shop.namespace if account.switches.importer_namespace else ""
    events: list[Event] = []
    for one in told:
        person = account.people.get(one.profile_id)
        if person is None or consent.resolved(account.listings_of(person.id), account.switches) != OPTED_OUT:
            continue
        for value in person.values("customer_id"):
            number = value.removeprefix(space)
            known = store.customers.get(int(number)) if value.startswith(space) and number.isdecimal() else None
            if known is not None and known.email_consent.state == "SUBSCRIBED":
                said = EmailConsent("UNSUBSCRIBED", known.email_consent.opt_in_level, now)
                events += people.email_consent(
                    world, store, known, said, now, way="native_unsubscriptions", is_own_write=True
                )
    return events


def script(account: Account, now: datetime, n: int) -> dict[str, int]:
    """What an agency's script does: it marks some orders of others, makes some of its own and some people. ASSUMED."""
    done = {"altered": 0, "orders": 0, "contacts": 0}
    for row in [row for row in account.orders if row.source != SCRIPT][:n]:
        tamper.change(account, "order", row.id, {"properties": {"margin": "high"}}, now, source=SCRIPT)
        done["altered"] += 1
        copied = {name: row.record.get(name) for name in ("web_id", "timestamp", "grand_total", "currency", "customer")}
        tamper.change(account, "order", f"{SCRIPT}-{row.seq}", {**copied, "is_valid": False}, now, source=SCRIPT)
        done["orders"] += 1
        if email := (row.record.get("customer") or {}).get("email"):
            values = {"email": email, "properties": {"rfm": "5-5-5"}}
            tamper.change(account, "contact", f"{SCRIPT}-{row.seq}", values, now, collection=SCRIPT, source=SCRIPT)
            done["contacts"] += 1
    return done


def _tidy(email: str | None) -> str | None:
    """An address as the importer takes it over; a form may have let blanks around it through."""
    return email.strip() if email else None
