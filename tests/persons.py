"""Whose orders those are that the simulated shops hold, and how their people and addresses change."""

from collections.abc import Iterator
from random import Random

from histories import History
from isthmus.kit.email import normalise_email
from sims.shopify.deeds import people
from sims.shopify.state import Customer, Order, Store

OWN = ("takes_the_address_of_another", "takes_the_address_of_a_guest", "is_loaded_again", "all_is_done", "time_passes")
"""What may happen besides everything that people do to a shop."""


def happen(history: History, deed: str, seed: int) -> None:
    """Let one deed happen, repeatable from its arguments."""
    match deed:
        case "is_loaded_again":
            history.load_again()
        case "all_is_done":
            history.work()
        case "time_passes":
            history.town.pass_time(3)
        case "takes_the_address_of_another" | "takes_the_address_of_a_guest":
            _take_address(history, Random(seed), of_guest=deed.endswith("guest"))
        case _:
            history.do(deed, seed)


def _take_address(history: History, dice: Random, *, of_guest: bool) -> None:
    """Somebody goes by the address of a customer of the other store, or of a guest, from now on."""
    world = history.sims.world
    with world.lock:
        here, there = dice.sample(list(world.stores.values()), 2)
        if of_guest:
            emails = [order.email for order in here.orders.values() if order.customer_id is None and order.email]
        else:
            emails = [one.email for one in there.customers.values() if one.email]
        free = [email for email in emails if email.strip().lower() not in here.by_email]
        if free and here.customers:
            who = dice.choice(list(here.customers.values()))
            events = people.change_address(world, here, who, dice.choice(free), who.phone, world.now())
            history.sims.deliveries.take(events)


Owned = tuple[Store, Order]
Key = tuple[str, ...]


def all_customers(history: History) -> Iterator[tuple[Store, Customer]]:
    for store in history.sims.world.stores.values():
        for customer in store.customers.values():
            yield store, customer


def person_of(store: Store, customer: Customer) -> Key:
    """Everybody with one address, over both stores, is one person."""
    email = normalise_email(customer.email)
    return ("email", email) if email else ("id", store.shop.domain, str(customer.id))


def by_person(history: History) -> dict[Key, list[Owned]]:
    """Every customer's person with all their orders; a guest with nobody's address is nobody."""
    persons: dict[Key, list[Owned]] = {person_of(store, one): [] for store, one in all_customers(history)}
    for store in history.sims.world.stores.values():
        for order in store.orders.values():
            if order.customer_id is not None:
                persons[person_of(store, store.customers[order.customer_id])].append((store, order))
            elif (guest := ("email", normalise_email(order.email) or "")) in persons:
                persons[guest].append((store, order))
    return persons


def namespace(history: History, store: Store) -> str:
    return history.context.shops[history.town.names[store.shop.domain]].rules.namespace


def is_accounted_for(history: History, store: Store, customer: Customer) -> bool:
    """Whether somebody who is not in Ometria is left out on purpose."""
    with history.db.transaction() as tx:
        state = tx.fetch_value(
            "SELECT state FROM outbox WHERE kind = 'contact' AND id = %s",
            (f"{namespace(history, store)}{customer.id}",),
        )
    return state in ("excluded", "buried")
