"""In whatever order, however often and with whatever body the shop's deliveries come, Ometria says the same.

"The same" is byte for byte the record that Ometria holds after everything came once and in order.
"""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from random import Random

import msgspec
import pytest

from histories import Gate, Stalled, shops_through
from isthmus.db.pool import Database
from isthmus.flows.process import process_batch
from isthmus.ops import status
from scenes import Loaded, Town
from sims.neighbourhood import Sizes
from sims.shopify import chance, world
from sims.shopify.deeds import catalogue, paying, people, placing, refunding, sending
from sims.shopify.delivery import Delivery
from sims.shopify.events import Event
from sims.shopify.state import EmailConsent, Order, Store

SIZES = Sizes(customers=6, orders=4, products=4)
LEVEL = "SINGLE_OPT_IN"
Opened = Callable[[], AbstractContextManager[Database]]
Arrange = Callable[[Town, list[Delivery]], None]
"""How the deliveries of a play come in."""
Play = Callable[["Shop"], None]


class Shop:
    """The first store of a town, where things happen a second apart unless told otherwise."""

    def __init__(self, town: Town) -> None:
        self.town, self.dice = town, Random(7)
        self.made = town.sims.world
        self.store: Store = next(iter(self.made.stores.values()))
        self.order: Order | None = None

    def now(self) -> datetime:
        return self.made.now()

    def told(self, events: list[Event], *, wait: float = 1) -> None:
        with self.made.lock:
            self.town.sims.deliveries.take(events)
        self.town.pass_time(wait)

    def places(self, *, wait: float = 1) -> Order:
        """An order of a customer who is in the shop already."""
        buyer = next(iter(self.store.customers.values()))
        basket = chance.basket(self.store, self.dice, self.now(), buyer, world.shelf(self.store))
        self.order, events = placing.place(self.made, self.store, basket)
        self.told(events, wait=wait)
        return self.order

    def pays(self, order: Order, *, wait: float = 1) -> None:
        self.told(paying.pay(self.made, self.store, order, self.now()), wait=wait)

    def cancels(self, order: Order, *, wait: float = 1) -> None:
        self.told(refunding.cancel(self.made, self.store, order, "CUSTOMER", self.now()), wait=wait)

    def gives_back(self, order: Order) -> None:
        line = order.lines[0]
        giving = refunding.Giving({line.id: 1})
        self.told(refunding.refund(self.made, self.store, order, giving, self.now()))


def cancelled(shop: Shop) -> None:
    shop.cancels(shop.places())


def cancelled_after_paying(shop: Shop) -> None:
    order = shop.places()
    shop.pays(order)
    shop.cancels(order)


def refunded(shop: Shop) -> None:
    order = shop.places()
    shop.pays(order)
    shop.gives_back(order)


def sent(shop: Shop) -> None:
    order = shop.places()
    shop.pays(order)
    shop.told(sending.send(shop.made, shop.store, order, sending.everything(order), shop.now()))


def somebody_new_who_changes_everything(shop: Shop) -> None:
    made, store = shop.made, shop.store
    new = chance.customer(made, store, shop.dice, shop.now(), "ada@example.com")
    shop.told(people.appear(store, new))
    shop.told(people.rename(made, store, new, "Ada", "King", shop.now()))
    shop.told(people.email_consent(made, store, new, EmailConsent("UNSUBSCRIBED", LEVEL, shop.now()), shop.now()))
    shop.told(people.change_address(made, store, new, "ada.king@example.com", new.phone, shop.now()))
    shop.told(people.email_consent(made, store, new, EmailConsent("SUBSCRIBED", LEVEL, shop.now()), shop.now()))


def a_price_that_swings(shop: Shop) -> None:
    variant = next(iter(shop.store.products.values())).variants[0]
    for price in ("10.00", "12.00", "10.00"):
        shop.told(catalogue.price(shop.made, shop.store, variant, Decimal(price), None, shop.now()))


def all_in_one_second(shop: Shop) -> None:
    order = shop.places(wait=0)
    shop.pays(order, wait=0)
    shop.cancels(order, wait=0)


PLAYS: Sequence[Play] = (
    cancelled,
    cancelled_after_paying,
    refunded,
    sent,
    all_in_one_second,
    somebody_new_who_changes_everything,
    a_price_that_swings,
)


def in_order(town: Town, due: list[Delivery]) -> None:
    for delivery in due:
        town.sims.deliveries.attempt(delivery, town.post)
        a_moment(town)


def backwards(town: Town, due: list[Delivery]) -> None:
    """The last news first: a cancellation, a refund or an update before the record was ever heard of."""
    in_order(town, due[::-1])


def shuffled(town: Town, due: list[Delivery]) -> None:
    Random(3).shuffle(due)
    in_order(town, due)


def all_at_once(town: Town, due: list[Delivery]) -> None:
    for delivery in reversed(due):
        town.sims.deliveries.attempt(delivery, town.post)
    a_moment(town)


def five_times_at_the_same_moment(town: Town, due: list[Delivery]) -> None:
    for delivery in due:
        at_once(town, delivery, 5)
        town.sims.deliveries.settle(delivery, 200)
        a_moment(town)


def five_times_late_and_backwards(town: Town, due: list[Delivery]) -> None:
    """Long after all of it was worked on, everything comes again."""
    in_order(town, due)
    for delivery in reversed(due):
        at_once(town, delivery, 5)
        a_moment(town)


def refused_and_then_with_an_older_body(town: Town, due: list[Delivery]) -> None:
    """A retry may carry what was said of the record before; it comes after all the others."""
    town.sims.faults.set({"shopify.p_older_body": 1.0, "shopify.retry_speed": 100.0})
    for delivery in due:
        town.sims.deliveries.attempt(delivery, lambda *_: 503)
    while town.sims.deliveries.pending:
        town.pass_time(2)
        town.work()


def none_but_the_last(town: Town, due: list[Delivery]) -> None:
    """All others are lost; a poll brings what they would have told."""
    lose(town, due[:-1])
    in_order(town, due[-1:])
    town.pass_time(30)
    town.poll()


def lose(town: Town, due: list[Delivery]) -> None:
    """As if the shop had never sent these."""
    for delivery in due:
        town.sims.deliveries.attempt(delivery, lambda *_: 200)


def at_once(town: Town, delivery: Delivery, copies: int) -> None:
    """The same delivery in several threads that all go off together."""
    made = town.sims.deliveries.prepare(delivery)
    assert made is not None
    start = threading.Barrier(copies)

    def post() -> None:
        start.wait(10)
        town.post(*made)

    threads = [threading.Thread(target=post) for _ in range(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def a_moment(town: Town) -> None:
    town.pass_time(0.3)
    town.work()


def said(town: Town) -> Mapping[str, bytes]:
    """Every record of Ometria by kind and id, as bytes."""
    account = town.sims.ometria.account
    shelves = {
        "contact": account.collections["shopify"],
        "order": account.orders,
        "product": account.products,
    }
    return {
        f"{kind}:{row.id}": msgspec.json.encode(row.record, order="sorted")
        for kind, shelf in shelves.items()
        for row in shelf
    }


def after(opened: Opened, play: Play, arrange: Arrange) -> Mapping[str, bytes]:
    """What Ometria says in the end, with the deliveries of the play arranged like this."""
    with opened() as database:
        town = Loaded(database, seed=5, sizes=SIZES, is_watched=True)
        play(Shop(town))
        arrange(town, town.sims.deliveries.due(town.clock.now()))
        town.sims.faults.clear()
        town.come_to_rest()
        assert town.compare().differences == ()
        (told,) = status.read_status(database, town.clock.now()).connections
        assert told.cases.open == 0
        return said(town)


@pytest.fixture(scope="module")
def told_in_order(fresh_database: Opened) -> Callable[[Play], Mapping[str, bytes]]:
    """What Ometria says after a play whose deliveries came once and in order."""
    return functools.cache(lambda play: after(fresh_database, play, in_order))


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
@pytest.mark.parametrize(
    "arrange",
    [
        backwards,
        shuffled,
        all_at_once,
        five_times_at_the_same_moment,
        five_times_late_and_backwards,
        refused_and_then_with_an_older_body,
        none_but_the_last,
    ],
    ids=lambda arrange: arrange.__name__,
)
def test_the_platform_says_the_same_however_it_was_told(
    fresh_database: Opened, told_in_order: Callable[[Play], Mapping[str, bytes]], play: Play, arrange: Arrange
) -> None:
    assert after(fresh_database, play, arrange) == told_in_order(play)


def test_the_same_delivery_five_times_at_once_is_one_event(database: Database) -> None:
    town = Loaded(database, seed=5, sizes=SIZES)
    Shop(town).places()
    heard = "SELECT count(*) FROM event WHERE webhook_id IS NOT NULL AND topic <> 'bulk_operations/finish'"
    due = town.sims.deliveries.due(town.clock.now())
    for delivery in due:
        at_once(town, delivery, 5)
    with database.transaction() as tx:
        assert tx.fetch_value(heard) == len(due) > 0
    (told,) = status.read_status(database, town.clock.now()).connections
    assert told.events.duplicate >= 4 * len(due)


@pytest.fixture
def loaded(database: Database) -> Town:
    """A town at rest whose shops are loaded and watched."""
    return Loaded(database, seed=5, sizes=SIZES, is_watched=True)


def test_the_orders_of_a_customer_who_was_merged_follow_though_the_shop_says_nothing_of_them(loaded: Town) -> None:
    loaded.sims.world.merge_touches_orders = False
    shop = Shop(loaded)
    shop.places()
    loaded.come_to_rest()
    lost, kept = [one for one in shop.store.customers.values() if one.email][:2]
    assert shop.store.orders_of[lost.id]
    shop.told(people.merge(shop.made, shop.store, kept, lost, shop.now()))
    loaded.come_to_rest()
    assert loaded.compare().differences == ()


def test_a_change_within_the_same_second_whose_delivery_was_lost_is_found_by_the_poll(loaded: Town) -> None:
    loaded.sims.world.same_second = True
    shop = Shop(loaded)
    order = shop.places(wait=0.3)
    told_first = loaded.sims.deliveries.due(loaded.clock.now())
    shop.pays(order, wait=3)
    in_order(loaded, [delivery for delivery in told_first if delivery.topic == "orders/create"])
    lose(loaded, [delivery for delivery in told_first if delivery.topic != "orders/create"])
    lose(loaded, loaded.sims.deliveries.due(loaded.clock.now()))
    loaded.pass_time(60)
    loaded.poll()
    loaded.come_to_rest()
    assert loaded.compare().differences == ()


def test_a_change_within_the_second_of_a_reading_whose_delivery_was_lost_is_found_by_the_poll(loaded: Town) -> None:
    loaded.sims.world.same_second = True
    shop = Shop(loaded)
    order = shop.places(wait=0.1)
    lose(loaded, loaded.sims.deliveries.due(loaded.clock.now()))
    loaded.poll()
    loaded.work()
    shop.pays(order, wait=3)
    lose(loaded, loaded.sims.deliveries.due(loaded.clock.now()))
    loaded.pass_time(60)
    loaded.poll()
    loaded.come_to_rest()
    assert loaded.compare().differences == ()


def test_a_reading_that_was_held_up_brings_nobody_back(loaded: Town) -> None:
    shop = Shop(loaded)
    new = chance.customer(shop.made, shop.store, shop.dice, shop.now(), "ada@example.com")
    shop.told(people.appear(shop.store, new))
    loaded.come_to_rest()
    shop.told(people.rename(shop.made, shop.store, new, "Ada", "King", shop.now()))
    gate = Gate(loaded.transport, "graphql.json")
    context = msgspec.structs.replace(loaded.context, shops=shops_through(loaded, gate))
    loaded.sims.deliver(loaded.post)
    process_batch(loaded.db, loaded.context)  # the webhook asks for a reading
    slow = Stalled(gate, lambda: process_batch(loaded.db, context))
    loaded.pass_time(2)
    shop.told(people.leave(shop.store, new))
    loaded.work()
    slow.go_on()
    loaded.come_to_rest()
    with loaded.db.transaction() as tx:
        gone = tx.fetch_value("SELECT deleted_at FROM record WHERE kind = 'customer' AND id = %s", (str(new.id),))
    assert gone is not None


def test_a_poll_reads_no_record_again_that_was_told_after_its_second(loaded: Town) -> None:
    shop = Shop(loaded)
    shop.places(wait=0)
    due = loaded.sims.deliveries.due(loaded.clock.now())
    loaded.pass_time(30)
    in_order(loaded, due)
    loaded.pass_time(30)
    loaded.poll()  # what was told within the second of its change is read once more
    loaded.come_to_rest()
    with loaded.db.transaction() as tx:
        n = tx.fetch_value("SELECT count(*) FROM event")
    loaded.poll()
    with loaded.db.transaction() as tx:
        assert tx.fetch_value("SELECT count(*) FROM event") == n
