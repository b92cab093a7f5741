"""An account that another writer has filled is taken over: neither an order nor a penny is there twice."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from isthmus.cli import takeover as command
from isthmus.db.pool import Database
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.flows.takeover.apply_decision import run_takeover
from isthmus.flows.takeover.forecast import forecast_going_live
from isthmus.flows.takeover.inventory import list_account
from isthmus.flows.takeover.precheck import PAGES, SOME, PlatformAccount, Sampled, sample_account
from scenes import HASH_KEY, Town
from sims import native
from sims.neighbourhood import Sizes
from sims.shopify.deeds import refunding
from sims.shopify.state import Order, Store

STYLES: dict[str, dict[str, Any]] = {
    "prefixed": {},
    "plain": {"importer_ids": "shopify", "importer_namespace": False},
    "names": {"importer_ids": "name"},
    "ours": {"importer_ids": "shopify"},
}


def obey(town: Town, **changed: Any) -> None:
    """Change the rules of every store."""
    for name, shop in list(town.context.shops.items()):
        town.context.shops[name] = msgspec.structs.replace(  # type: ignore[index]
            shop, rules=msgspec.structs.replace(shop.rules, **changed)
        )


def imported(database: Database, *, sizes: Sizes | None = None, **switches: Any) -> Town:
    """A town in shadow whose account the native importer has filled."""
    town = Town(database, sizes=sizes or Sizes(customers=25, orders=60, products=8))
    town.sims.ometria.turn({"native_importer": True, "phone_rule": "possible", **switches})
    town.sims.import_natively()
    town.context = msgspec.structs.replace(town.context, is_live=False)
    return town


def go_live(town: Town) -> None:
    town.context = msgspec.structs.replace(town.context, is_live=True)
    town.come_to_rest()


def account(town: Town) -> tuple[int, dict[str, Decimal]]:
    """How many orders count in the account, and their revenue by currency."""
    n, revenue = 0, Counter[str]()
    offset = 0
    while page := town.context.platform.orders(offset=offset):
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
    told = run_takeover(database, town.context)
    assert n_records(town) == n_before, "nothing is written in shadow"
    (total,) = [one for one in told.totals() if one.currency == "GBP"]
    assert (total.before_mills, total.n_differing) == (total.after_mills, 0)
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)
    assert town.compare().differences == ()


@pytest.mark.parametrize("style", ["prefixed", "names"])
def test_it_matters_not_whether_history_is_loaded_before_or_after(database: Database, style: str) -> None:
    town = imported(database, importer_totals="net", **STYLES[style])
    before, n_before = account(town), n_records(town)
    obey(town, adopts=True)
    run_takeover(database, town.context)
    town.load()
    look_on(town)
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)


def test_an_account_that_was_never_listed_is_not_forecast(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    town = imported(database)
    told = forecast_going_live(database, town.context)
    assert (told.is_listed, told.listed_at) == (False, None)
    command._show("acme", None, told)
    assert "never listed to its end, so nothing is known" in capsys.readouterr().out
    assert command._document("acme", None, told)["months"] is None
    list_account(database, town.context)
    told = forecast_going_live(database, town.context)
    assert told.is_listed
    assert told.listed_at is not None


def test_what_first_totals_hid_is_told_to_the_penny_before_it_changes(database: Database) -> None:
    """The importer tells of refunded orders what they first cost: going live takes refunds off, and nothing else."""
    town = imported(database)
    (n, revenue), n_before = account(town), n_records(town)
    obey(town, adopts=True)
    town.load()
    look_on(town)
    totals = {one.currency: one for one in run_takeover(database, town.context).totals()}
    go_live(town)
    n_after, revenue_after = account(town)
    assert n_records(town) == n_before
    assert n_after == sum(one.n_after for one in totals.values())
    assert sum(one.n_before for one in totals.values()) == n
    for currency, told in totals.items():
        assert told.before_mills == 1000 * revenue[currency]
        assert told.after_mills == 1000 * revenue_after[currency]
        assert told.after_mills - told.before_mills == told.off_mills <= 0
        assert told.n_added == 0
    assert any(one.off_mills for one in totals.values())


def test_later_refunds_and_new_orders_go_on_without_doubling(database: Database) -> None:
    town = imported(database, importer_totals="net")
    obey(town, adopts=True)
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    go_live(town)
    town.sims.ometria.turn({"native_importer": False})
    n_before = n_records(town)
    for _ in range(12):
        town.sims.live(5)
        town.pass_time(3)
        town.work()
    town.come_to_rest()
    n_new = sum(
        one.created_at >= town.live_since and not one.test
        for store in town.sims.world.stores.values()
        for one in store.orders.values()
    )
    assert n_new
    assert n_records(town) == n_before + n_new
    assert town.compare().differences == ()
    names = Counter((row.record["web_id"], row.record["currency"]) for row in town.sims.ometria.account.orders)
    assert names.most_common(1)[0][1] == 1


def test_products_go_on_under_their_ids_and_lines_point_to_them(database: Database) -> None:
    town = imported(database, importer_products=True, importer_totals="net")
    n_products = len(town.sims.ometria.account.products)
    obey(town, adopts=True)
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    go_live(town)
    assert len(town.sims.ometria.account.products) == n_products
    shelf = {row.id for row in town.sims.ometria.account.products}
    lines = [line for row in town.sims.ometria.account.orders for line in row.record["lineitems"]]
    assert lines
    assert {line["product_id"] for line in lines if "custom-" not in line["product_id"]} <= shelf


class KilledError(Exception):
    """Stands for a process that ends in the middle."""


def conflicts(town: Town) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(
            "SELECT * FROM cases WHERE code = 'platform.takeover_conflict' AND state = 'open' ORDER BY id"
        )


def some_order(town: Town) -> tuple[Store, Order]:
    """One that was paid and never refunded, of store uk."""
    store = town.sims.store("uk")
    return store, next(
        one
        for one in store.orders.values()
        if one.financial_status == "PAID" and not one.refunds and not one.test and one.cancelled_at is None
    )


def test_a_refund_after_the_takeover_changes_the_record_that_is_there(database: Database) -> None:
    town = imported(database, importer_totals="net")
    obey(town, adopts=True)
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    go_live(town)
    n_before = n_records(town)
    store, placed = some_order(town)
    line = next(one for one in placed.lines if one.price.shop)
    with town.sims.world.lock:
        events = refunding.refund(town.sims.world, store, placed, refunding.Giving({line.id: 1}), town.clock.now())
        town.sims.deliveries.take(events)
    town.come_to_rest()
    there = town.context.platform.order(f"uk:shopify_{placed.id}")
    assert there is not None
    assert there["status"] in ("partial_refund", "refunded")
    assert sum(one.get("quantity_refunded") or 0 for one in there["lineitems"]) == 1
    assert town.context.platform.order(f"uk:{placed.id}") is None
    assert n_records(town) == n_before
    assert town.compare().differences == ()


def test_what_fits_by_half_is_held_back_until_theirs_is_mended(database: Database) -> None:
    town = imported(database, importer_totals="net")
    before, n_before = account(town), n_records(town)
    _, placed = some_order(town)
    own = f"uk:shopify_{placed.id}"
    was = town.context.platform.order(own)
    assert was is not None
    town.sims.tamper("ometria", "order", own, {"grand_total": 1.0}, source="agency")
    obey(town, adopts=True)
    town.load()
    look_on(town)
    assert run_takeover(database, town.context).n_withheld == 1
    (case,) = conflicts(town)
    assert (case["subject"], case["store"], case["detail"]) == (f"order:{placed.id}", "uk", f"{own}: the total differs")
    go_live(town)
    assert n_records(town) == n_before
    assert town.context.platform.order(f"uk:{placed.id}") is None
    assert town.compare().n_excluded["another writer has it"] == 1

    town.sims.tamper("ometria", "order", own, {"grand_total": float(was["grand_total"])}, source="agency")
    assert run_takeover(database, town.context).n_withheld == 0
    assert conflicts(town) == []
    town.come_to_rest()
    assert (account(town), n_records(town)) == (before, n_before)
    assert town.compare().differences == ()


def test_an_agencys_copies_are_no_reason_to_doubt_the_one_that_counts(database: Database) -> None:
    town = imported(database, importer_totals="net")
    before = account(town)
    town.sims.script(5)
    obey(town, adopts=True)
    town.load()
    look_on(town)
    assert run_takeover(database, town.context).n_withheld == 0
    go_live(town)
    assert account(town) == before


def test_what_one_shop_numbers_alike_is_not_taken_for_anothers(database: Database) -> None:
    """Only the orders of one store were imported: those of the other, which carry the same numbers, are all new."""
    town = Town(database, sizes=Sizes(customers=25, orders=60, products=8))
    town.sims.ometria.turn({"native_importer": True, "phone_rule": "possible", "importer_totals": "net"})
    uk = town.sims.store("uk")
    town.sims.ometria.import_natively(native.customers(uk), native.orders(uk), (), "uk:")
    town.context = msgspec.structs.replace(town.context, is_live=False)
    obey(town, adopts=True)
    town.load()
    look_on(town)
    told = run_takeover(database, town.context)
    assert told.n_withheld == 0
    assert {one.currency: one.n_adopted > 0 for one in told.totals()} == {"GBP": True, "EUR": False}
    go_live(town)
    assert town.compare().differences == ()


def test_stopped_in_the_middle_it_goes_on_where_it_was(database: Database) -> None:
    town = imported(database, sizes=Sizes(customers=60, orders=620, products=8), importer_totals="net")
    before, n_before = account(town), n_records(town)
    obey(town, adopts=True)
    town.load()
    look_on(town)

    def killed_at(name: str, n: int) -> None:
        seen = 0

        def tell(step: RunProgress) -> None:
            nonlocal seen
            seen += step.name == name
            if seen == n:
                raise KilledError

        with pytest.raises(KilledError):
            run_takeover(database, town.context, tell=tell)

    offsets: list[str] = []
    killed_at("Ometria's orders", 1)
    killed_at("Ometria's orders", 1)
    killed_at("uk orders matched", 1)
    since = max(entry["n"] for entry in town.sims.tape.read(limit=1_000_000))
    run_takeover(database, town.context)
    offsets = [
        entry["path"] for entry in town.sims.tape.read(since=since, limit=1_000_000) if "/orders" in entry["path"]
    ]
    assert offsets == [], "nothing is listed twice"
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)


def test_what_the_importer_writes_until_the_last_hour_is_adopted_as_well(database: Database) -> None:
    """The cut-over of the guide: it runs beside us while we look on, then ends, and what it wrote last is matched."""
    town = imported(database, importer_totals="net", importer_every=60)
    obey(town, adopts=True)
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    n_rehearsed = n_records(town)
    for _ in range(12):
        town.sims.live(4)
        town.pass_time(20)
        town.work()
    town.pass_time(60)
    town.sims.ometria.turn({"native_importer": False})
    before, n_before = account(town), n_records(town)
    assert n_before > n_rehearsed
    look_on(town)
    told = run_takeover(database, town.context)
    assert all((one.off_mills, one.n_added) == (0, 0) for one in told.totals())
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)
    assert town.compare().differences == ()


@pytest.mark.parametrize("style", ["prefixed", "ours"])
@pytest.mark.parametrize("decided", ["adopts", "start_at"])
def test_a_reconciliation_agrees_with_the_takeover(database: Database, decided: str, style: str) -> None:
    town = imported(database, importer_totals="net", importer_products=True, **STYLES[style])
    obey(town, **{decided: True if decided == "adopts" else town.clock.now()})
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    go_live(town)
    town.pass_time(600)
    town.work()
    assert town.findings(town.reconcile().run) == []


@pytest.mark.parametrize("style", ["prefixed", "plain"])
def test_people_stay_one_whatever_the_others_customer_id(database: Database, style: str) -> None:
    town = imported(database, importer_totals="net", **STYLES[style])
    emails = Counter(value for one in town.sims.ometria.account.people.shelf for value in one.values("email"))
    obey(town, adopts=True)
    town.load()
    look_on(town)
    run_takeover(database, town.context)
    go_live(town)
    after = Counter(value for one in town.sims.ometria.account.people.shelf for value in one.values("email"))
    assert {email: after[email] for email in emails} == dict.fromkeys(emails, 1)
    loose = [row for row in town.sims.ometria.account.orders if row.record.get("customer") and row.profile_id is None]
    assert loose == []


# Looking first ------------------------------------------------------------------------------------------------------


def looked_at(town: Town) -> Sampled:
    shops = [town.context.shops[name] for name in sorted(town.context.shops)]
    return sample_account(shops, PlatformAccount(town.context.platform, 1e6, town.clock), "shopify", HASH_KEY)


@pytest.mark.parametrize(
    ("style", "verdict", "customer_ids"),
    [
        ("prefixed", "matched", "ours"),
        ("plain", "matched", "plain"),
        ("names", "matched", "ours"),
        ("ours", "ours", "ours"),
    ],
)
def test_a_sample_knows_another_writer_by_what_every_writer_copies(
    database: Database, style: str, verdict: str, customer_ids: str
) -> None:
    town = imported(database, importer_totals="net", **STYLES[style])
    told = looked_at(town)
    _, revenue = account(town)
    (group,) = [one for one in told.groups if one.kind == "order"]
    assert (group.verdict, group.n, told.n_orders) == (verdict, n_records(town), n_records(town))
    assert {currency: Decimal(text) for currency, text in group.revenue.items()} == revenue
    assert told.is_foreign == (verdict == "matched")
    assert [(one.name, one.customer_ids) for one in told.collections] == [("shopify_import", customer_ids)]
    assert told.collections[0].n_of_ours > 0


def test_a_sample_of_an_empty_account_finds_nobody(database: Database) -> None:
    told = looked_at(Town(database))
    assert (told.n_orders, told.groups, told.collections, told.is_foreign) == (0, (), (), False)


def test_a_sample_of_a_large_account_looks_at_both_ends(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=5, orders=5, products=3))
    for n in range(2_600):
        order = {"web_id": f"S{n}", "timestamp": "2026-01-01T00:00:00Z", "grand_total": 1.0, "currency": "GBP"}
        town.sims.tamper("ometria", "order", f"old-{n}", order, source="agency")
    town.sims.ometria.turn({"native_importer": True, "phone_rule": "possible"})
    town.sims.import_natively()
    told = looked_at(town)
    assert told.n_orders_there == n_records(town)
    assert told.n_orders == PAGES * SOME
    assert told.is_foreign


# A day to begin ------------------------------------------------------------------------------------------------------


def test_must_hold_7_what_was_placed_before_the_day_stays_theirs(database: Database) -> None:
    town = imported(database, importer_totals="net")
    before, n_before = account(town), n_records(town)
    obey(town, start_at=town.clock.now())
    town.load()
    look_on(town)
    told = run_takeover(database, town.context)
    assert told.n_before_us >= n_before
    assert all(one.before_mills == one.after_mills for one in told.totals())
    town.sims.ometria.turn({"native_importer": False})
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)
    for _ in range(8):
        town.sims.live(5)
        town.pass_time(3)
        town.work()
    town.come_to_rest()
    new = [row for row in town.sims.ometria.account.orders if row.source == "api"]
    assert new
    assert n_records(town) == n_before + len(new)
    assert town.compare().differences == ()


def test_orders_of_both_writers_after_the_day_are_held_back_and_told(database: Database) -> None:
    town = imported(database, importer_totals="net")
    before, n_before = account(town), n_records(town)
    obey(town, start_at=town.clock.now() - timedelta(days=100))
    town.load()
    look_on(town)
    told = run_takeover(database, town.context)
    assert told.n_withheld > 0
    go_live(town)
    assert (account(town), n_records(town)) == (before, n_before)
    with database.transaction() as tx:
        found = tx.fetch_all("SELECT * FROM cases WHERE code = 'platform.takeover_conflict' AND state = 'open'")
    assert len(found) == told.n_withheld
    assert all("placed after start_at" in case["detail"] for case in found)
