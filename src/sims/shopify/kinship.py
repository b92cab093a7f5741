"""Accounts that are one human's, and humans who are not one though they look it: sown on purpose, each with a label.

The label says who is really who, as whoever made the accounts knows it; no program derives it. Nothing fires a
webhook. How people come to have two accounts, and how families share things, is ASSUMED.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from sims.shopify import chance, names
from sims.shopify.state import Address, Customer, EmailConsent, Store, World


@dataclass(frozen=True, slots=True)
class Tie:
    """Accounts that have to do with each other: (shop, id), and whether they are one human's."""

    sort: str
    is_one: bool
    accounts: tuple[tuple[str, int], ...]


class Circle:
    """Hands out humans with one account, a whole name and an address, each once, and opens accounts beside theirs."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world, self.rng = world, rng
        self.uk, self.abroad = list(world.stores.values())
        taken = {one.human for store in world.stores.values() for one in store.customers.values() if one.human}
        self._free = [
            one
            for one in self.uk.customers.values()
            if one.email and one.first_name and one.last_name and one.default_address is not None
            and not one.human and one.id not in taken and "+" not in one.email
        ]  # fmt: skip
        rng.shuffle(self._free)

    def human(self) -> Customer:
        """Somebody with one account so far, and a number that only their address tells."""
        one = self._free.pop()
        one.human = one.id
        if one.default_address is not None and one.default_address.phone is None:
            self._number(one, chance.free_phone(self.uk, self.rng))
        return one

    def account(
        self, of: Customer, store: Store, *, email: str | None, is_same: bool, first: str | None = None,
        last: str | None = None, has_place: bool = True, has_phone: bool = True,
    ) -> Customer:  # fmt: skip
        """Another account in a store, like that of somebody but for what is said."""
        at = of.created_at + timedelta(days=self.rng.randrange(1, 40))
        made = Customer(
            self.world.next_id(), at, at, email, None, first or of.first_name, last or of.last_name,
            state="DISABLED", locale=of.locale,
        )  # fmt: skip
        made.human = (of.human or of.id) if is_same else made.id
        made.email_consent = replace(of.email_consent) if email else EmailConsent()
        if of.default_address is not None and has_place:
            made.default_address = replace(
                of.default_address, id=self.world.next_id(), first_name=made.first_name, last_name=made.last_name,
                phone=of.default_address.phone if has_phone else None,
            )  # fmt: skip
        elif has_phone and of.default_address is not None:
            made.default_address = self.elsewhere(made, of.default_address)
            made.default_address.phone = of.default_address.phone
        if made.default_address is not None:
            made.addresses = [made.default_address]
        store.add_customer(made)
        return made

    def elsewhere(self, one: Customer, than: Address) -> Address:
        """Another house in another town."""
        place = self.rng.choice([place for place in names.UK_PLACES if place.zip != than.zip])
        street = f"{self.rng.randrange(200, 400)} {place.street}"
        return Address(
            self.world.next_id(), one.first_name, one.last_name, street, place.city, place.zip, place.country,
            place.country_code,
        )  # fmt: skip

    def fresh(self, store: Store) -> str:
        """An address that nobody has, in no likeness of anybody's."""
        return chance.free_email(store, self.rng, self.rng.choice(names.FIRST), self.rng.choice(names.LAST))

    def another(self, pool: tuple[str, ...], than: str | None) -> str:
        return self.rng.choice([name for name in pool if name.isascii() and name[:1] != (than or " ")[:1]])

    def _number(self, one: Customer, phone: str) -> None:
        for place in {
            id(place): place for place in (*one.addresses, one.default_address) if place is not None
        }.values():
            place.phone = phone

    def newly_numbered(self, one: Customer) -> Customer:
        self._number(one, chance.free_phone(self.uk, self.rng))
        return one


def _parts(one: Customer) -> tuple[str, str]:
    local, _, host = (one.email or "").strip().partition("@")
    return local, host


# One human ------------------------------------------------------------------------------------------------------------


def _plus_tag(at: Circle) -> list[Customer]:
    one = at.human()
    local, host = _parts(one)
    return [one, at.account(one, at.uk, email=f"{local}+shop@{host}", is_same=True, has_place=False, has_phone=False)]


def _dots(at: Circle) -> list[Customer]:
    one = at.human()
    at.uk.unindex_customer(one)
    plain = f"ada{one.id}king"
    one.email = f"{plain}@gmail.com"
    at.uk.index_customer(one)
    email = f"ada.{one.id}.King@googlemail.com"
    return [one, at.account(one, at.uk, email=email, is_same=True, has_place=False, has_phone=False)]


def _new_address_same_number(at: Circle) -> list[Customer]:
    one = at.human()
    return [one, at.account(one, at.uk, email=at.fresh(at.uk), is_same=True, has_place=False)]


def _new_address_same_house(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.account(one, at.uk, email=at.fresh(at.uk), is_same=True, has_phone=False)
    if two.default_address is not None and two.default_address.zip is not None:
        two.default_address.zip = two.default_address.zip.replace(" ", "").lower()
    return [one, two]


def _two_stores(at: Circle) -> list[Customer]:
    one = at.human()
    return [one, at.account(one, at.abroad, email=f" {(one.email or '').title()}", is_same=True)]


def _two_stores_two_addresses(at: Circle) -> list[Customer]:
    one = at.human()
    return [one, at.account(one, at.abroad, email=at.fresh(at.abroad), is_same=True, has_place=False)]


def _initial(at: Circle) -> list[Customer]:
    one = at.human()
    first = f"{(one.first_name or 'A')[0]}."
    return [one, at.account(one, at.uk, email=at.fresh(at.uk), is_same=True, first=first)]


def _last_name_first(at: Circle) -> list[Customer]:
    one = at.human()
    made = at.account(
        one, at.uk, email=at.fresh(at.uk), is_same=True, first=one.last_name, last=one.first_name, has_phone=False
    )
    return [one, made]


def _married(at: Circle) -> list[Customer]:
    one = at.human()
    last = at.another(names.LAST, one.last_name)
    return [one, at.account(one, at.abroad, email=one.email, is_same=True, last=last)]


def _three(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.account(one, at.abroad, email=one.email, is_same=True)
    return [one, two, at.account(one, at.uk, email=at.fresh(at.uk), is_same=True)]


# Several humans -------------------------------------------------------------------------------------------------------


def _family_address(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.account(one, at.abroad, email=one.email, is_same=False, first=at.another(names.FIRST, one.first_name))
    return [one, at.newly_numbered(two)]


def _family_number(at: Circle) -> list[Customer]:
    one = at.human()
    first = at.another(names.FIRST, one.first_name)
    return [one, at.account(one, at.uk, email=at.fresh(at.uk), is_same=False, first=first)]


def _family_mailbox(at: Circle) -> list[Customer]:
    one = at.human()
    local, host = _parts(one)
    first = at.another(names.FIRST, one.first_name)
    made = at.account(one, at.uk, email=f"{local}+{first.lower()}@{host}", is_same=False, first=first)
    return [one, made]


def _namesakes(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.account(one, at.uk, email=at.fresh(at.uk), is_same=False, has_place=False)
    return [one, at.newly_numbered(two)]


def _neighbours(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.newly_numbered(at.account(one, at.uk, email=at.fresh(at.uk), is_same=False))
    for place in two.addresses:
        place.address1 = f"{at.rng.randrange(200, 400)} High Street"
    return [one, two]


def _parent_and_child(at: Circle) -> list[Customer]:
    one = at.human()
    return [one, at.newly_numbered(at.account(one, at.uk, email=at.fresh(at.uk), is_same=False))]


def _parent_and_child_on_one_line(at: Circle) -> list[Customer]:
    one = at.human()
    return [one, at.account(one, at.uk, email=at.fresh(at.uk), is_same=False)]


def _recycled_address(at: Circle) -> list[Customer]:
    one = at.human()
    two = at.account(
        one, at.abroad, email=one.email, is_same=False, first=at.another(names.FIRST, one.first_name),
        last=at.another(names.LAST, one.last_name), has_place=False,
    )  # fmt: skip
    return [one, at.newly_numbered(two)]


def _recycled_number(at: Circle) -> list[Customer]:
    one = at.human()
    made = at.account(
        one, at.abroad, email=at.fresh(at.abroad), is_same=False, first=at.another(names.FIRST, one.first_name),
        last=at.another(names.LAST, one.last_name), has_place=False,
    )  # fmt: skip
    return [one, made]


ONE_HUMAN: dict[str, Callable[[Circle], list[Customer]]] = {
    "plus_tag": _plus_tag,
    "dots": _dots,
    "new_address_same_number": _new_address_same_number,
    "new_address_same_house": _new_address_same_house,
    "two_stores": _two_stores,
    "two_stores_two_addresses": _two_stores_two_addresses,
    "initial": _initial,
    "last_name_first": _last_name_first,
    "married": _married,
    "three": _three,
}
"""Ways in which one human has several accounts."""

SEVERAL: dict[str, Callable[[Circle], list[Customer]]] = {
    "family_address": _family_address,
    "family_number": _family_number,
    "family_mailbox": _family_mailbox,
    "namesakes": _namesakes,
    "neighbours": _neighbours,
    "parent_and_child": _parent_and_child,
    "parent_and_child_on_one_line": _parent_and_child_on_one_line,
    "recycled_address": _recycled_address,
    "recycled_number": _recycled_number,
}
"""Ways in which different humans look like one."""


def sow(world: World, seed: int, each: int = 1, sorts: tuple[str, ...] = ()) -> list[Tie]:
    """Sow `each` of every sort, or of those named; returns their labels. Needs two stores.

    Raises `IndexError` where the world is too small, `KeyError` for a sort there is not.
    """
    made = {**ONE_HUMAN, **SEVERAL}
    with world.lock:
        circle = Circle(world, random.Random(f"kinship {seed}"))
        ties = []
        for name in (sorts or tuple(made)) * each:
            accounts = made[name](circle)
            shop_of = {id(one): store.shop.domain for store in world.stores.values() for one in accounts
                       if store.customers.get(one.id) is one}  # fmt: skip
            ties.append(Tie(name, name in ONE_HUMAN, tuple((shop_of[id(one)], one.id) for one in accounts)))
        return ties
