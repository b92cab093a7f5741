"""After any history every contact says what its person's orders come to in the shops, to the penny.

The expected sums are taken from what the simulated shops themselves hold, not from anything that isthmus made of it.
"""

import contextlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from histories import History
from isthmus.customer_metrics.properties import calculate_metrics
from isthmus.customer_metrics.sql import order_totals as sales
from isthmus.customer_metrics.sql.order_totals import Buyer
from isthmus.db.pool import Database
from isthmus.mapping import order as mapping
from isthmus.model import order as canonical
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.records.sql import store as records
from lengths import histories
from persons import OWN, Owned, all_customers, by_person, happen, is_accounted_for, namespace, person_of
from sims.shopify import money
from sims.shopify.state import Order

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

OF_PEOPLE = ("somebody_appears", "somebody_moves", "somebody_leaves", "two_are_one")
OF_ORDERS = (
    "somebody_orders", "somebody_orders", "somebody_orders", "money_arrives", "money_arrives", "money_stays_away",
    "money_goes_back", "money_goes_back", "a_refund_arrives_or_not", "an_order_is_cancelled", "an_order_is_edited",
    "an_order_is_edited", "goods_are_exchanged", "a_return_moves_on", "an_order_is_erased",
)  # fmt: skip

deeds = st.lists(st.tuples(st.sampled_from((*OF_PEOPLE, *OF_ORDERS, *OF_ORDERS, *OWN)), st.integers(0, 2**16)),
                 min_size=30, max_size=60)  # fmt: skip


@histories(6, 300)
@given(seed=st.integers(0, 2**16), told=deeds)
def test_metrics_are_the_penny_sum_of_the_shops_orders(
    fresh_database: Opened, seed: int, told: list[tuple[str, int]]
) -> None:
    with fresh_database() as db:
        history = History(db, seed)
        history.town.load()
        history.town.poll()
        for deed, own in told:
            happen(history, deed, own)
        assert history.end().differences == ()
        persons = by_person(history)
        for store, customer in all_customers(history):
            says = history.town.lookup(RecordKind.CONTACT, f"{namespace(history, store)}{customer.id}")
            if says is None:
                assert is_accounted_for(history, store, customer)
            else:
                _agrees(says["properties"], persons[person_of(store, customer)])
        _the_database_agrees(history)


def test_the_world_has_what_the_sums_are_about(fresh_database: Opened) -> None:
    """Otherwise the property above would hold of nothing."""
    with fresh_database() as db:
        history = History(db, 4)
        history.town.load()
        for n in range(20):
            for deed in dict.fromkeys((*OF_PEOPLE, *OF_ORDERS, *OWN[:2])):
                if deed != "an_order_is_erased" or n < 10:
                    happen(history, deed, n)
        assert history.end().differences == ()
        persons = [orders for orders in by_person(history).values() if orders]
        placed = [order for orders in persons for _, order in orders]
        assert any(len({store.shop.name for store, _ in orders}) > 1 for orders in persons)
        assert any(len({order.currency for order in map(_order, orders)}) > 1 for orders in persons)
        assert any(order.customer_id is None for order in placed)
        assert any(_back(order) for order in placed)
        assert any(order.edits for order in placed)
        assert any(order.cancelled_at for order in placed)
        assert any(store.gone_orders for store in history.sims.world.stores.values())
        assert any(one.merged_into for store in history.sims.world.stores.values()
                   for one in store.gone_customers.values())  # fmt: skip


# What the shops say ---------------------------------------------------------------------------------------------------


def _order(owned: Owned) -> Order:
    return owned[1]


def _agrees(says: dict[str, Any], owned: Iterable[Owned]) -> None:
    orders = [order for _, order in owned if _counts(order)]
    sold = sum(line.current_quantity + line.refunded_quantity for order in orders for line in order.lines)
    back = sum(line.refunded_quantity for order in orders for line in order.lines)
    placed = sorted(order.processed_at for order in orders)
    assert says["n_orders"] == len(orders)
    assert says.get("return_rate") == (_rounded(Decimal(back) / sold, "0.0001") if sold else None)
    assert _at(says.get("first_order_at")) == (placed[0] if placed else None)
    assert _at(says.get("last_order_at")) == (placed[-1] if placed else None)
    for currency in {order.currency for order in orders}:
        mine, name = [order for order in orders if order.currency == currency], currency.lower()
        net = sum((_net(order) for order in mine), Decimal(0))
        refunded = sum((_back(order) for order in mine), Decimal(0))
        assert _money(says[f"net_{name}"]) == net
        assert _money(says[f"refunded_{name}"]) == refunded
        assert _money(says[f"gross_{name}"]) == net + refunded
        assert _money(says[f"average_order_{name}"]) == _rounded(net / len(mine), "0.01")
    for currency in {"GBP", "EUR"} - {order.currency for order in orders}:
        assert not says.get(f"net_{currency.lower()}")


def _counts(order: Order) -> bool:
    return not order.test and order.cancelled_at is None and order.financial_status not in ("VOIDED", "EXPIRED")


def _net(order: Order) -> Decimal:
    """What the shop kept once it was paid, what it is to get before that."""
    is_paid = order.financial_status in ("PAID", "PARTIALLY_REFUNDED", "REFUNDED")
    return (money.net_payment(order) if is_paid else money.current_total(order)).shop


def _back(order: Order) -> Decimal:
    """Money that went back for goods: of each refund as much as its lines are worth."""
    return sum((min(money.moved(one).shop, _named(order, one)) for one in order.refunds), Decimal(0))


def _named(order: Order, refund: Any) -> Decimal:
    lines = refund.lines
    taxes = Decimal(0) if order.taxes_included else sum((line.total_tax.shop for line in lines), Decimal(0))
    return sum((line.subtotal.shop for line in lines), taxes)


def _rounded(value: Decimal, unit: str) -> Decimal:
    return value.quantize(Decimal(unit), ROUND_HALF_UP)


def _money(said: Decimal | float) -> Decimal:
    return _rounded(Decimal(str(said)), "0.01")


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


# What we say ----------------------------------------------------------------------------------------------------------


def _the_database_agrees(history: History) -> None:
    """The sums that the database makes are those of the pure function, and each order is kept as it is mapped."""
    with history.db.transaction() as tx:
        links = tx.fetch_all("SELECT store, customer_id, email FROM link WHERE gone_at IS NULL ORDER BY 1, 2")
        buyers = [Buyer([(link["store"], link["customer_id"])], link["email"]) for link in links]
        summed = sales.metrics_of_people(tx, "acme", buyers)
        keys = records.record_keys(tx, "acme", ["order"])
        kept = records.load_records(tx, "acme", keys, history.context.packer)
        assert not sales.is_remap_due(tx, "acme", history.town.clock.now())
        mapped = {}
        for (_, store, name), row in kept.items():
            assert isinstance(row.record, canonical.Order)
            mapped[store, name] = mapping.map_order(
                row.record, None, history.context.shops[store].rules, Lane.REPAIR
            ).sale
    for buyer, told in zip(buyers, summed, strict=True):
        (own,) = buyer.customers
        mine = [
            sale for (store, _), sale in mapped.items() if sale is not None
            and ((store, sale.customer_id) == own or (sale.customer_id is None and sale.email == buyer.email))
            and (sale.customer_id is not None or buyer.email is not None)
        ]  # fmt: skip
        assert told == calculate_metrics(mine)
