"""History by bulk operations: all of it, once, behind everything else, and nothing of it is ever an occasion."""

import errno
import os
import stat
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.backfill import spool
from isthmus.flows.backfill.load import backfill
from isthmus.flows.backfill.progress import Progress
from isthmus.flows.poll import KINDS
from isthmus.kit.config_errors import ConfigError
from isthmus.model.failure import TransientError
from plays import Play
from scenes import Town
from sims.neighbourhood import Sizes
from sims.shopify.deeds import paying, people, refunding
from sims.shopify.state import EmailConsent

SMALL = 2_000
"""Bytes of a part, so that even these shops have many."""


class Killed(BaseException):
    """As if by kill -9: nothing of ours may catch it."""


@pytest.fixture
def town(database: Database) -> Town:
    return Town(database, sizes=Sizes(customers=24, orders=48, products=6))


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def operations(town: Town, root: str = "") -> list[Any]:
    """The operations of all shops whose query asks for this."""
    return [
        one for one in town.sims.shopify.bulk.operations.values() if f"{root}(" in one.query or f"{root} " in one.query
    ]


def turn(town: Town, **knobs: Any) -> None:
    town.sims.faults.set({f"shopify.{name}": value for name, value in knobs.items()})


def everything_is_in(town: Town, done: Sequence[Progress]) -> None:
    """Every record of every kind came, and both sides end equal."""
    for one in done:
        assert (one.is_done, one.is_failed) == (True, False), one
        assert one.n == one.total
    town.come_to_rest()
    compared = town.compare()
    assert compared.differences == ()
    store = town.sims.store("uk")
    assert {one.kind: one.n for one in done if one.store == "uk"} == {
        "product": len(store.products), "customer": len(store.customers), "order": len(store.orders)
    }  # fmt: skip


def rows(town: Town, query: str) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query)


# All of it -----------------------------------------------------------------------------------------------------------


def test_a_load_brings_everything_and_both_sides_are_equal(town: Town) -> None:
    done = town.backfill()
    assert [(one.store, one.kind) for one in done] == [
        (store, kind) for kind in KINDS for store in sorted(town.context.shops)
    ]
    everything_is_in(town, done)
    assert len(operations(town)) == 6


def test_a_result_in_many_parts_is_the_same(town: Town) -> None:
    everything_is_in(town, town.backfill(part=SMALL))
    assert rows(town, "SELECT max(part) AS n FROM load_part")[0]["n"] > 4


def test_only_orders_with_a_refund_are_read_a_second_time(town: Town) -> None:
    done = town.backfill()
    refunded = sum(bool(one.refunds) for shop in ("uk", "int") for one in town.sims.store(shop).orders.values())
    assert refunded > 0
    assert sum(one.n_read for one in done) == refunded
    waiting = rows(
        town,
        "SELECT topic, count(*) AS n FROM event WHERE state = 'waiting' AND starts_with(topic, 'load/') GROUP BY 1",
    )
    assert waiting == [{"topic": "load/order", "n": refunded}]


def test_a_second_run_loads_nothing_and_an_explicit_one_changes_nothing(town: Town) -> None:
    everything_is_in(town, town.backfill())
    n_pushed = len(town.sims.tape.read(limit=200_000, side="ometria"))
    assert all(one.is_done for one in town.backfill())
    assert len(operations(town)) == 6
    done = town.backfill(again=True)
    assert len(operations(town)) == 12
    town.come_to_rest()
    pushes = [entry for entry in town.sims.tape.read(limit=200_000, side="ometria") if entry["path"].endswith("/push")]
    assert all(entry["n"] <= n_pushed * 1000 for entry in pushes)
    assert sum(one.n_read for one in done) > 0
    assert rows(town, "SELECT count(*) AS n FROM outbox WHERE state = 'due'") == [{"n": 0}]


def test_since_leaves_older_records_out_and_a_longer_load_adds_them(town: Town) -> None:
    orders = town.sims.store("uk").orders.values()
    day = sorted(one.created_at for one in orders)[len(orders) // 2]
    (done,) = [one for one in town.backfill(["order"], since=day) if one.store == "uk"]
    assert done.n == sum(one.created_at >= day.replace(microsecond=0) for one in orders)
    (done,) = [one for one in town.backfill(["order"]) if one.store == "uk"]
    assert done.n == len(orders)
    assert len([one for one in operations(town, "orders") if "acme-uk" in one.shop]) == 2


def test_results_are_their_owners_alone_and_nothing_of_them_is_left(town: Town, tmp_path: Path) -> None:
    modes: set[tuple[bool, int]] = set()

    def look(_: Progress) -> None:
        modes.update((one.is_dir(), stat.S_IMODE(one.stat().st_mode)) for one in tmp_path.rglob("uk-*"))
        modes.update((one.is_dir(), stat.S_IMODE(one.stat().st_mode)) for one in tmp_path.rglob("*.jsonl"))

    backfill(town.db, town.context, ["uk"], folder=tmp_path, tell=look, part=SMALL)
    assert modes == {(True, 0o700), (False, 0o600)}
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["lock"]


def test_two_commands_do_not_load_one_connection_at_once(town: Town, tmp_path: Path) -> None:
    def begin_another(_: Progress) -> None:
        with pytest.raises(ConfigError, match="being loaded by another command"):
            backfill(town.db, town.context, ["uk"], folder=tmp_path)

    backfill(town.db, town.context, ["uk"], ["product"], folder=tmp_path, tell=begin_another)


# Killed --------------------------------------------------------------------------------------------------------------


def kill_at(share: float, kind: str = "order") -> Callable[[Progress], None]:
    def tell(step: Progress) -> None:
        if step.kind == kind and step.total and step.n >= share * step.total:
            raise Killed

    return tell


def test_f77_a_killed_load_goes_on_where_it_was_and_asks_shopify_for_nothing_again(town: Town, tmp_path: Path) -> None:
    """F77: killed twice, once early and once late; the same totals, the same operations."""
    for share in (0.2, 0.6):
        with pytest.raises(Killed):
            backfill(town.db, town.context, ["int", "uk"], folder=tmp_path, tell=kill_at(share), part=SMALL)
    done = rows(town, "SELECT count(*) AS n FROM load_part")[0]["n"]
    assert done > 0
    everything_is_in(town, backfill(town.db, town.context, ["int", "uk"], folder=tmp_path, part=SMALL))
    assert len(operations(town)) == 6
    assert rows(town, "SELECT load, part FROM load_part GROUP BY 1, 2 HAVING count(*) > 1") == []


def test_a_killed_load_whose_files_are_gone_fetches_them_again(town: Town, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        backfill(town.db, town.context, ["int", "uk"], folder=tmp_path / "a", tell=kill_at(0.6), part=SMALL)
    everything_is_in(town, backfill(town.db, town.context, ["int", "uk"], folder=tmp_path / "b", part=SMALL))
    assert len(operations(town)) == 6


def test_an_operation_begun_just_before_a_kill_is_adopted(town: Town, tmp_path: Path) -> None:
    """The kill came between Shopify's answer and our own book."""
    turn(town, bulk_rows_per_second=1)

    def tell(_: Progress) -> None:
        if rows(town, "SELECT FROM load WHERE state = 'running'"):
            raise Killed

    with pytest.raises(Killed):
        backfill(town.db, town.context, ["int", "uk"], folder=tmp_path, tell=tell)
    with town.db.transaction() as tx:
        tx.execute("UPDATE load SET state = 'wanted', operation = NULL")
    turn(town, bulk_rows_per_second=1e6)
    everything_is_in(town, backfill(town.db, town.context, ["int", "uk"], folder=tmp_path))
    assert len(operations(town)) == 6


# What an operation may come to ---------------------------------------------------------------------------------------


def test_f75_others_that_run_are_waited_for(town: Town) -> None:
    """F75: as many as may run are running; the load waits, and never fails for it."""
    turn(town, bulk_busy=5)
    began = town.clock.now()

    def tell(_: Progress) -> None:
        if town.clock.now() - began > timedelta(minutes=3):
            turn(town, bulk_busy=0)

    everything_is_in(town, town.backfill(tell=tell))
    assert town.clock.now() - began > timedelta(minutes=3)


def test_what_shopify_says_has_ended_is_looked_at_at_once(town: Town) -> None:
    """The webhook rings; that nobody need hear it, all other tests show."""
    turn(town, bulk_rows_per_second=2)
    spans: list[float] = []

    def tell(step: Progress) -> None:
        town.work()
        running = rows(town, "SELECT is_rung FROM load WHERE state = 'running'")
        ended = [one.completed_at for one in operations(town) if one.status == "COMPLETED"]
        if any(one["is_rung"] for one in running):
            spans.append((town.clock.now() - max(at for at in ended if at)).total_seconds())

    everything_is_in(town, town.backfill(tell=tell))
    assert spans
    assert min(spans) < 5


@pytest.mark.parametrize(
    "fault", ["bulk_fail", "bulk_fail_without_partial", "bulk_expire", "bulk_url_expired", "bulk_without_url"]
)
def test_f76_an_operation_that_comes_to_nothing_is_asked_for_again(town: Town, fault: str) -> None:
    """F76: INTERNAL_SERVER_ERROR with and without a part of the result, EXPIRED, an address that has ended."""
    turn(town, bulk_fault_root="orders", **{fault: 1})
    done = town.backfill()
    assert town.sims.faults.injected[f"shopify.{fault}"] == 1
    assert sum(one.n_again for one in done) == 1
    assert rows(town, "SELECT sum(n)::int AS n FROM tally WHERE name LIKE 'load.%'") == [{"n": 1}]
    everything_is_in(town, done)
    assert rows(town, "SELECT FROM cases WHERE code = 'storefront.bulk_failed'") == []


def test_f76_what_runs_out_of_time_is_asked_for_in_halves(town: Town) -> None:
    """F76: no operation over more than twelve orders is ever done in time."""
    turn(town, bulk_fault_root="orders", bulk_timeout_above=12)
    done = town.backfill()
    spans = rows(town, "SELECT since, until FROM load WHERE kind = 'order' AND store = 'uk' AND state = 'done'")
    assert len(spans) >= 2
    assert {one["since"] for one in spans} - {None} == {one["until"] for one in spans} - {None}
    everything_is_in(town, done)


def test_an_operation_that_never_moves_is_stopped_and_asked_for_in_halves(town: Town) -> None:
    turn(town, bulk_fault_root="orders", bulk_never_finishes=1)
    done = town.backfill()
    assert [one.status for one in operations(town, "orders")].count("CANCELED") == 1
    assert sum(one.n_again for one in done) == 1
    everything_is_in(town, done)


def test_f76_what_always_fails_ends_with_a_case_that_names_what_is_missing(town: Town) -> None:
    """F76: never an endless loop; everything else is in, and asking again later brings the rest."""
    turn(town, bulk_fault_root="orders", bulk_timeout=-1)
    done = town.backfill()
    assert {one.kind for one in done if one.is_failed} == {"order"}
    assert all(one.n == one.total for one in done if not one.is_failed)
    cases = rows(town, "SELECT * FROM cases WHERE code = 'storefront.bulk_failed' AND state = 'open'")
    assert cases
    assert {one["store"] for one in cases} == {"int", "uk"}
    turn(town, bulk_timeout=0)
    everything_is_in(town, town.backfill())
    assert rows(town, "SELECT FROM cases WHERE code = 'storefront.bulk_failed' AND state = 'open'") == []


def test_an_operation_that_counts_lines_and_never_names_a_file_is_a_case_and_no_empty_load(town: Town) -> None:
    turn(town, bulk_fault_root="orders", bulk_without_url=-1)
    done = town.backfill()
    assert {one.kind for one in done if one.is_failed} == {"order"}
    assert all(one.n == one.total for one in done if not one.is_failed)
    cases = rows(town, "SELECT store, detail FROM cases WHERE code = 'storefront.bulk_failed' AND state = 'open'")
    assert {one["store"] for one in cases} == {"int", "uk"}
    assert all(one["detail"].startswith("no_file: ") for one in cases)
    turn(town, bulk_without_url=0)
    everything_is_in(town, town.backfill())
    assert rows(town, "SELECT FROM cases WHERE code = 'storefront.bulk_failed' AND state = 'open'") == []


def test_what_we_may_not_see_is_told_at_once(town: Town) -> None:
    turn(town, bulk_fault_root="customers", bulk_access_denied=-1)
    done = town.backfill()
    assert {one.kind for one in done if one.is_failed} == {"customer"}
    assert len(operations(town, "customers")) == 2
    assert rows(town, "SELECT DISTINCT code FROM cases") == [{"code": "storefront.access_denied"}]


def test_a_start_that_is_throttled_is_tried_again(town: Town) -> None:
    turn(town, bulk_throttle_start=4)
    everything_is_in(town, town.backfill())
    assert town.sims.faults.injected["shopify.bulk_throttle_start"] == 4


def test_a_download_that_breaks_goes_on_where_it_broke(town: Town) -> None:
    turn(town, bulk_cut=1_500)
    everything_is_in(town, town.backfill())
    assert town.sims.faults.injected["shopify.bulk_cut"] > 5


def test_a_shop_that_is_away_stops_the_load_and_another_run_goes_on(town: Town) -> None:
    def tell(step: Progress) -> None:
        if step.kind == "product":
            turn(town, error=1.0)

    with pytest.raises(TransientError):
        town.backfill(tell=tell)
    turn(town, error=0.0)
    everything_is_in(town, town.backfill())


def test_a_full_disk_ends_the_load_with_its_setting_and_the_same_command_goes_on(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = spool._create

    def no_room(name: Path) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(spool, "_create", no_room)
    with pytest.raises(ConfigError, match=r"^backfill\.spool_dir: No space left on device"):
        backfill(town.db, town.context, ["uk", "int"], folder=tmp_path)
    assert not list(tmp_path.glob("*-product-*"))
    n = len(operations(town, "products"))
    monkeypatch.setattr(spool, "_create", create)
    everything_is_in(town, backfill(town.db, town.context, ["uk", "int"], folder=tmp_path))
    assert len(operations(town, "products")) == n  # what Shopify has told already is not asked for again


# Beside live traffic, and no occasion for anybody --------------------------------------------------------------------


def test_f79_what_happens_during_the_load_wins(town: Town) -> None:
    """F79: between the writing of the file and its reading, orders are cancelled and people change their minds."""
    world, uk = town.sims.world, town.sims.store("uk")
    some = [one for one in uk.orders.values() if not (one.cancelled_at or one.refunds or one.fulfillments)][:3]
    who = next(one for one in uk.customers.values() if one.email and one.email_consent.state == "SUBSCRIBED")
    happened = []

    def tell(step: Progress) -> None:
        if step.store == "uk" and step.kind == "product" and step.is_done and not happened:
            # Everything is written by now, and only the products are in.
            town.pass_time(30)
            for one in some:
                happened.extend(refunding.cancel(world, uk, one, "CUSTOMER", town.clock.now()))
            said = EmailConsent("UNSUBSCRIBED", "SINGLE_OPT_IN", town.clock.now())
            happened.extend(people.email_consent(world, uk, who, said, town.clock.now()))
            with world.lock:
                town.sims.deliveries.take(happened)
            town.work()

    done = town.backfill(tell=tell)
    assert happened
    everything_is_in(town, done)
    for one in some:
        assert town.context.platform.order(f"uk:{one.id}")["status"] == "cancelled"  # type: ignore[index]
    assert town.context.platform.contact("shopify", f"uk:{who.id}")["marketing_optin"] == "EXPLICITLY_OPTEDOUT"  # type: ignore[index]


def test_f11_history_is_no_occasion_then_or_later(town: Town) -> None:
    """F11: nobody is welcomed, told or opted in by a load, nor when all is touched live and compared after it."""
    everything_is_in(town, town.backfill())
    world = town.sims.world
    for shop in ("uk", "int"):
        store = town.sims.store(shop)
        for who in list(store.customers.values()):
            with world.lock:
                town.sims.deliveries.take(people.tag(world, store, who, ["seen"], town.clock.now()))
        for placed in list(store.orders.values()):
            placed.tags = [*placed.tags, "seen"]
            with world.lock:
                town.sims.deliveries.take(paying.changed(world, store, placed, town.clock.now()))
        town.pass_time(1)
    town.come_to_rest()
    town.backfill(again=True)
    town.reconcile()
    town.come_to_rest()
    assert rows(town, "SELECT count(*) AS n FROM outbox WHERE kind = 'moment'") == [{"n": 0}]
    # Whoever had left is said to have left, with the time; that is a fact about them and no occasion to write.
    assert {one["kind"] for one in town.sims.ometria.account.automations} <= {"unsubscribe"}
    opted_in = {
        f"{shop}:{one.id}"
        for shop in ("uk", "int")
        for one in town.sims.store(shop).customers.values()
        if one.email_consent.state == "SUBSCRIBED"
    }
    assert opted_in
    for entry in town.sims.tape.read(limit=200_000):
        for record in entry["body"] if entry["path"].endswith("/push") else ():
            assert not record.get("timestamp_subscribed")
            if record.get("marketing_optin") == "EXPLICITLY_OPTEDIN":
                assert record["id"] in opted_in
