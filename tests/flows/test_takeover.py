"""An account that another writer has filled is taken over: neither an order nor a penny is there twice."""

from collections import Counter
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.takeover.carry_out import carry_out
from scenes import Town
from sims.neighbourhood import Sizes

STYLES: dict[str, dict[str, Any]] = {
    "prefixed": {},
    "plain": {"importer_ids": "shopify", "importer_namespace": False},
    "names": {"importer_ids": "name"},
    "ours": {"importer_ids": "shopify"},
}


def obey(town: Town, **changed: Any) -> None:
    """Change the rules of every store."""
    for name, shop in list(town.road.shops.items()):
        town.road.shops[name] = msgspec.structs.replace(  # type: ignore[index]
            shop, rules=msgspec.structs.replace(shop.rules, **changed)
        )


def imported(database: Database, *, sizes: Sizes | None = None, **switches: Any) -> Town:
    """A town in shadow whose account the native importer has filled."""
    town = Town(database, sizes=sizes or Sizes(customers=25, orders=60, products=8))
    town.sims.ometria.turn({"native_importer": True, "phone_rule": "possible", **switches})
    town.sims.import_natively()
    town.road = msgspec.structs.replace(town.road, is_live=False)
    return town


def go_live(town: Town) -> None:
    town.road = msgspec.structs.replace(town.road, is_live=True)
    town.come_to_rest()


def account(town: Town) -> tuple[int, dict[str, Decimal]]:
    """How many orders count in the account, and their revenue by currency."""
    n, revenue = 0, Counter[str]()
    offset = 0
    while page := town.road.platform.orders(offset=offset):
        offset += len(page)
        for order in page:
            if order["is_valid"]:
                n += 1
                back = sum(Decimal(str(line.get("refunded") or 0)) for line in order.get("lineitems") or ())
                revenue[order["currency"]] += Decimal(str(order["grand_total"])) - back
    return n, dict(revenue)


def n_records(town: Town) -> int:
    return len(town.sims.ometria.account.orders)


def look_on(town: Town) -> None:
    for _ in range(10):
        town.work()
        town.pass_time(2)


# Ids -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_must_hold_7_orders_and_revenue_are_the_same_to_the_penny(database: Database, style: str) -> None:
    town = imported(database, importer_totals="net", **STYLES[style])
    before, n_before = account(town), n_records(town)
    assert before[0] > 20
    obey(town, adopts=True)
    town.load()
    look_on(town)
    told = carry_out(database, town.road)
    assert n_records(town) == n_before, "nothing is written in shadow"
    (total,) = [one for one in told.totals() if one.currency == "GBP"]
    assert (total.before_mills, total.n_differing) == (total.after_mills, 0)
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)
    assert town.compare().differences == ()
