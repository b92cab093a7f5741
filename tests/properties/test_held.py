"""After any history everybody is held who has trouble with an order in the shops now, and nobody else.

Who should be is taken from what the simulated shops themselves hold, not from anything that isthmus made of it.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from histories import History
from isthmus.db.pool import Database
from isthmus.model.write import RecordKind
from lengths import histories
from persons import OWN, Owned, all_customers, by_person, happen, is_accounted_for, namespace, person_of
from sims.shopify import money
from sims.shopify.deeds import sending
from sims.shopify.state import Order

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

HOLD_FOR = {"fulfilment": 40, "return": 90, "cancelled": 30, "refund": 20}
"""Minutes, so that a history sees holds end; of two that end together the first is named."""

OF_PEOPLE = ("somebody_appears", "somebody_moves", "somebody_leaves", "two_are_one")
OF_ORDERS = (
    "somebody_orders", "somebody_orders", "money_arrives", "money_arrives", "a_parcel_goes", "a_parcel_goes",
    "a_carrier_reports", "a_parcel_is_recalled", "money_goes_back", "a_refund_arrives_or_not", "a_return_moves_on",
    "a_return_moves_on", "a_return_is_reopened", "goods_are_exchanged", "an_order_is_cancelled", "an_order_is_erased",
)  # fmt: skip
TIME = ("a_carrier_has_trouble", "minutes_pass", "minutes_pass")

deeds = st.lists(
    st.tuples(st.sampled_from((*OF_PEOPLE, *OF_ORDERS, *OF_ORDERS, *TIME, *TIME, *OWN)), st.integers(0, 2**16)),
    min_size=30,
    max_size=60,
)


@histories(6, 300)
@given(seed=st.integers(0, 2**16), told=deeds)
def test_held_is_who_has_trouble_with_an_order_now(
    fresh_database: Opened, seed: int, told: list[tuple[str, int]]
) -> None:
    with fresh_database() as db:
        history = _history(db, seed)
        for deed, own in told:
            _happen(history, deed, own)
        _agrees(history)
        history.town.pass_time(60 * Random(seed).uniform(1, 60))
        _agrees(history)
        history.town.pass_time(60 * max(HOLD_FOR.values()))
        assert set(_agrees(history)) <= {None}
        with db.transaction() as tx:
            assert not tx.fetch_value("SELECT count(*) FROM hold")


def test_the_world_has_every_trouble(fresh_database: Opened) -> None:
    """Otherwise the property above would hold of nothing."""
    with fresh_database() as db:
        history, seen = _history(db, 3), Counter[str | None]()
        for n in range(24):
            for deed in dict.fromkeys((*OF_PEOPLE, *OF_ORDERS, *TIME, *OWN[:2])):
                if deed != "an_order_is_erased" or n < 4:
                    _happen(history, deed, n)
            if n % 4 == 3:
                seen.update(_agrees(history))
        assert all(seen[reason] for reason in (None, *HOLD_FOR)), seen


def _history(db: Database, seed: int) -> History:
    history = History(db, seed)
    hold_for = {reason: timedelta(minutes=n) for reason, n in HOLD_FOR.items()}
    shops = {
        name: msgspec.structs.replace(shop, rules=msgspec.structs.replace(shop.rules, hold_for=hold_for))
        for name, shop in history.context.shops.items()
    }
    history.context = history.town.context = msgspec.structs.replace(history.context, shops=shops)
    history.town.load()
    history.town.poll()
    return history


def _happen(history: History, deed: str, seed: int) -> None:
    match deed:
        case "minutes_pass":
            history.town.pass_time(60 * Random(seed).uniform(1, 15))
        case "a_carrier_has_trouble":
            _have_trouble(history, Random(seed))
        case _:
            happen(history, deed, seed)


def _have_trouble(history: History, dice: Random) -> None:
    """A parcel that is under way is late, or lost; life lets that happen seldom."""
    world = history.sims.world
    with world.lock:
        under_way = [
            (store, order, parcel)
            for store in world.stores.values()
            for order in store.orders.values()
            for parcel in order.fulfillments
            if parcel.status == "SUCCESS" and parcel.shipment_status != "DELIVERED"
        ]
        if under_way:
            store, order, parcel = dice.choice(under_way)
            word = dice.choice(("DELAYED", "FAILURE"))
            history.sims.deliveries.take(sending.report(world, store, order, parcel, word, world.now()))


def _agrees(history: History) -> list[str | None]:
    """Ometria says of everybody what the shops' state makes of them; by what each is held."""
    assert history.end().differences == ()
    persons, now, found = by_person(history), history.town.clock.now(), list[str | None]()
    for store, customer in all_customers(history):
        says = history.town.lookup(RecordKind.CONTACT, f"{namespace(history, store)}{customer.id}")
        if says is None:
            assert is_accounted_for(history, store, customer)
            continue
        said, until = (says["properties"].get(name) for name in ("service_hold", "service_hold_until"))
        wanted = _longest(persons[person_of(store, customer)], now)
        assert (said, until and datetime.fromisoformat(until)) == wanted
        found.append(said)
    return found


# What the shops say ---------------------------------------------------------------------------------------------------


def _longest(owned: Iterable[Owned], now: datetime) -> tuple[str | None, datetime | None]:
    names = list(HOLD_FOR)
    ends = [
        ((at + timedelta(minutes=HOLD_FOR[reason])).replace(microsecond=0), -names.index(reason), reason)
        for _, order in owned
        if not order.test
        for reason, at in _troubles(order)
    ]
    until, _, reason = max(ends, default=(now, 0, ""))
    return (reason, until) if until > now else (None, None)


def _troubles(order: Order) -> Iterator[tuple[str, datetime]]:
    if order.cancelled_at:
        yield "cancelled", order.cancelled_at
    was_paid = order.financial_status in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")
    for refund in order.refunds:
        if was_paid or money.moved(refund).shop > 0:
            yield "refund", refund.created_at
    for one in order.returns:
        if one.status in ("REQUESTED", "OPEN"):
            yield "return", one.created_at
    arrived = [parcel.created_at for parcel in order.fulfillments if parcel.shipment_status == "DELIVERED"]
    for parcel in order.fulfillments:
        is_bad = parcel.status != "CANCELLED" and parcel.shipment_status in ("DELAYED", "FAILURE")
        if is_bad and not any(at > parcel.created_at for at in arrived):
            yield "fulfilment", parcel.updated_at
