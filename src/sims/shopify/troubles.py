"""What is wrong with a shop before anybody looks: troubles of many sorts, sown on purpose, each with a label.

Nothing here fires a webhook: it is as if it had been so for ever. Victims are clean and each is hit once, so that a
label names one trouble and nothing else. What people type wrong is made up; that a shop can hold it is ASSUMED.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from sims.shopify.deeds import app
from sims.shopify.state import Address, Customer, EmailConsent, Order, Product, Store, World

_ADDRESS = re.compile(r"[a-z0-9][^\s@]*[a-z0-9]@[a-z0-9.-]+\.[a-z]+")
"""Addresses that no platform refuses."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble: its sort, the shop (domain), what kind of record it is in, and the ids of all that share it."""

    sort: str
    shop: str
    kind: str
    ids: tuple[str, ...]


class Field:
    """Where to sow in one store: hands out records that are clean and were not handed out before."""

    def __init__(self, world: World, store: Store, rng: random.Random) -> None:
        self.world, self.store, self.rng = world, store, rng
        elsewhere = {email for other in world.stores.values() if other is not store for email in other.by_email}
        self._customers = [
            one
            for one in store.customers.values()
            if one.email and one.email.strip().lower() not in elsewhere and one.email_consent.state != "INVALID"
        ]
        self._orders = [one for one in store.orders.values() if one.customer_id in store.customers and not one.test]
        self._products = [
            one
            for one in store.products.values()
            if one.status == "ACTIVE"
            and not one.is_gift_card
            and one.images
            and all(each.sku and each.price for each in one.variants)
        ]
        for records in (self._customers, self._orders, self._products):
            rng.shuffle(records)
        self.n = 0

    def customer(self) -> Customer:
        return self._customers.pop()

    def order(self) -> Order:
        return self._orders.pop()

    def product(self) -> Product:
        return self._products.pop()

    def twin(self, one: Customer) -> Customer:
        """A new customer with nothing of their own but a name."""
        self.n += 1
        at = one.created_at + timedelta(days=1)
        made = Customer(
            self.world.next_id(), at, at, None, None, f"Twin{self.n}", f"Of{one.id}", tags=[], addresses=[],
        )  # fmt: skip
        self.store.customers[made.id] = made
        self.store.version += 1
        return made

    def label(self, sort: str, kind: str, *records: Customer | Order | Product) -> Trouble:
        return Trouble(sort, self.store.shop.domain, kind, tuple(str(one.id) for one in records))


def _duplicate_email(at: Field) -> Trouble:
    one = at.customer()
    two = at.twin(one)
    two.email = f" {(one.email or '').strip().title()}"
    return at.label("duplicate_email", "customers", one, two)


def _duplicate_phone(at: Field) -> Trouble:
    one = at.customer()
    two = at.twin(one)
    one.phone = one.phone or f"+4477009{one.id % 100_000:05d}"
    two.email, two.phone = f"twin{two.id}@example.net", one.phone
    return at.label("duplicate_phone", "customers", one, two)


def _duplicate_name(at: Field) -> Trouble:
    one = at.customer()
    two = at.twin(one)
    one.first_name, one.last_name = f"Zoë{one.id}", "Quill"
    two.first_name, two.last_name, two.email = one.first_name.upper(), "Quill", f"twin{two.id}@example.net"
    for who in (one, two):
        place = who.default_address or Address(
            at.world.next_id(), who.first_name, "Quill", "1 High Street", "Leeds", None, "United Kingdom", "GB"
        )
        who.default_address = replace(place, zip="LS1 4AP" if who is one else "ls14ap")
        who.addresses = [who.default_address]
    return at.label("duplicate_name", "customers", one, two)


def _no_email(at: Field) -> Trouble:
    one = at.customer()
    at.store.unindex_customer(one)
    one.email, one.email_consent = None, EmailConsent()
    at.store.index_customer(one)
    return at.label("no_email", "customers", one)


def _invalid_email(at: Field) -> Trouble:
    one = at.customer()
    at.store.unindex_customer(one)
    shapes = (f"no.at.sign.{one.id}", f"two@@{one.id}.example.com", f"name@host{one.id}", f"a b{one.id}@example.com")
    one.email = at.rng.choice(shapes)
    at.store.index_customer(one)
    return at.label("invalid_email", "customers", one)


def _bounced_email(at: Field) -> Trouble:
    one = at.customer()
    one.email_consent = EmailConsent("INVALID", "SINGLE_OPT_IN", one.created_at)
    return at.label("invalid_email", "customers", one)


def _role_address(at: Field) -> Trouble:
    one = at.customer()
    at.store.unindex_customer(one)
    one.email = f"{at.rng.choice(('info', 'Sales', 'office', 'hello+shop'))}@firm{one.id}.example.com"
    at.store.index_customer(one)
    return at.label("role_address", "customers", one)


def _guest_order(at: Field) -> Trouble:
    one = at.order()
    one.customer_id, one.email, one.phone = None, f"guest{one.id}@example.net", None
    return at.label("guest_orders", "orders", one)


def _ownerless_order(at: Field) -> Trouble:
    one = at.order()
    one.customer_id = one.email = one.phone = None
    return at.label("ownerless_orders", "orders", one)


def _no_sku(at: Field) -> Trouble:
    one = at.product()
    one.variants[0].sku = at.rng.choice((None, ""))
    return at.label("no_sku", "products", one)


def _duplicate_sku(at: Field) -> Trouble:
    one, two = sorted((at.product(), at.product()), key=lambda each: each.id)
    two.variants[-1].sku = (one.variants[0].sku or "").lower()
    return at.label("duplicate_sku", "products", one)


def _no_price(at: Field) -> Trouble:
    one = at.product()
    one.variants[0].price = Decimal("0.00")
    return at.label("no_price", "products", one)


def _no_image(at: Field) -> Trouble:
    one = at.product()
    one.images.clear()
    for each in one.variants:
        each.image_id = None
    return at.label("no_image", "products", one)


def _customer_tags(at: Field) -> Trouble:
    one, two = at.customer(), at.customer()
    one.tags, two.tags = [*one.tags, f"Club {one.id}"], [*two.tags, f"club  {one.id}"]
    return Trouble("tag_spelling", at.store.shop.domain, "customers", (f"club {one.id}",))


def _product_tags(at: Field) -> Trouble:
    one, two = at.product(), at.product()
    one.tags, two.tags = [*one.tags, f"Sale{one.id}"], [*two.tags, f"SALE{one.id}"]
    return Trouble("tag_spelling", at.store.shop.domain, "products", (f"sale{one.id}",))


def _no_time(at: Field) -> Trouble:
    one = at.customer()
    one.email_consent = EmailConsent("SUBSCRIBED", "SINGLE_OPT_IN", None)
    return at.label("consent_without_time", "customers", one)


def _no_level(at: Field) -> Trouble:
    one = at.customer()
    one.email_consent = EmailConsent("SUBSCRIBED", "UNKNOWN", one.created_at)
    return at.label("consent_without_level", "customers", one)


def _between_stores(at: Field) -> Trouble:
    one = at.customer()
    other = next(store for store in at.world.stores.values() if store is not at.store)
    one.email_consent = EmailConsent("SUBSCRIBED", "SINGLE_OPT_IN", one.created_at)
    made = Customer(
        at.world.next_id(), one.created_at, one.created_at, one.email, None, f"Abroad{one.id}", "Quill",
        email_consent=EmailConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", one.created_at + timedelta(days=2)),
    )  # fmt: skip
    other.add_customer(made)
    return at.label("consent_between_stores", "customers", one, made)


def _too_many_tags(at: Field) -> Trouble:
    one = at.customer()
    one.tags = sorted(f"a long tag that nobody needs, number {n:03d} of {one.id}".replace(",", "") for n in range(60))
    return at.label("over_limits", "customers", one)


def _too_many_order_tags(at: Field) -> Trouble:
    one = at.order()
    one.tags = sorted(f"a long tag that nobody needs number {n:03d} of {one.id}" for n in range(60))
    return at.label("over_limits", "orders", one)


def _too_large_product(at: Field) -> Trouble:
    one = at.product()
    one.tags = sorted(f"{n:03d} of {one.id} ".ljust(255, "x") for n in range(250))  # the most and the longest there are
    return at.label("over_limits", "products", one)


def _doubled_subscription(at: Field) -> Trouble:
    made = app.subscribe(
        at.world, at.store, "orders/updated", "https://isthmus.example/hooks/shopify", "api", at.world.now()
    )
    return Trouble("subscriptions", at.store.shop.domain, "subscriptions", (str(made.id),))


SORTS: dict[str, Callable[[Field], Trouble]] = {
    "duplicate_email": _duplicate_email,
    "duplicate_phone": _duplicate_phone,
    "duplicate_name": _duplicate_name,
    "no_email": _no_email,
    "invalid_email": _invalid_email,
    "bounced_email": _bounced_email,
    "role_address": _role_address,
    "guest_order": _guest_order,
    "ownerless_order": _ownerless_order,
    "no_sku": _no_sku,
    "duplicate_sku": _duplicate_sku,
    "no_price": _no_price,
    "no_image": _no_image,
    "customer_tags": _customer_tags,
    "product_tags": _product_tags,
    "consent_without_time": _no_time,
    "consent_without_level": _no_level,
    "consent_between_stores": _between_stores,
    "too_many_tags": _too_many_tags,
    "too_many_order_tags": _too_many_order_tags,
    "too_large_product": _too_large_product,
    "doubled_subscription": _doubled_subscription,
}
"""Every sort that can be sown into a store, by name."""


def sow(world: World, seed: int, each: int = 1, sorts: tuple[str, ...] = ()) -> list[Trouble]:
    """Sow `each` of every sort (or of those named) over the stores in turn; returns their labels.

    Raises `IndexError` where the world is too small, `KeyError` for a sort there is not.
    """
    rng = random.Random(f"troubles {seed}")
    with world.lock:
        fields = [Field(world, store, rng) for store in world.stores.values()]
        sown = []
        for n, name in enumerate((sorts or tuple(SORTS)) * each):
            field = fields[n % len(fields)]
            sown.append(SORTS[name](field))
            field.store.version += 1
        return sown


APART = {
    "consent_against_will": ("UNSUBSCRIBED", True),
    "consent_lost": ("SUBSCRIBED", False),
    "consent_unproven": ("NOT_SUBSCRIBED", True),
}
"""Ways in which the two sides can tell consent apart: what the shop says, and whether Ometria says yes."""


def candidates(world: World, seed: int, state: str) -> Iterator[tuple[Store, Customer]]:
    """Customers of one store alone whose consent is in a state, in a random order."""
    rng = random.Random(f"consent {seed} {state}")
    found = []
    for store in world.stores.values():
        elsewhere = {email for other in world.stores.values() if other is not store for email in other.by_email}
        for one in store.customers.values():
            address = (one.email or "").lower()
            is_only = address not in elsewhere and store.by_email.get(address) == one.id
            if _ADDRESS.fullmatch(address) and is_only and one.email_consent.state == state:
                found.append((store, one))
    rng.shuffle(found)
    yield from found
