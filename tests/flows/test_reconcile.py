"""Three sides held against each other: what differs is found, blamed on the right layer, and put right."""

from datetime import time, timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import msgspec
import pytest

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.findings import DriftFinding
from isthmus.flows.reconcile import record_findings, reread, schedule
from isthmus.flows.reconcile.news import News, count_new_findings
from isthmus.flows.reconcile.order_totals import mills_as_text
from isthmus.flows.reconcile.run import reconcile
from isthmus.flows.reconcile.run_context import ReconcileRequest, RunProgress
from isthmus.model.basis import NotJudgedReason, verdict_outcome, verdict_sentence
from isthmus.model.lane import Lane
from isthmus.outbox.sql import rate_limit as pace
from plays import Play
from scenes import Town
from sims.neighbourhood import Sizes
from sims.shopify.deeds import catalogue, people, placing, refunding
from sims.shopify.state import MoneyBag


@pytest.fixture
def play(database: Database) -> Play:
    """Somebody who ordered twice, known on all sides since a while."""
    play = Play(database)
    play.ada = play.person("ada@example.com", "SUBSCRIBED")  # type: ignore[attr-defined]
    play.first = play.orders(play.ada)  # type: ignore[attr-defined]
    play.second = play.orders(play.ada)  # type: ignore[attr-defined]
    settled(play)
    return play


def settled(town: Town) -> None:
    """Everything is on both sides, and older than the grace period."""
    town.come_to_rest()
    town.pass_time(600)


def look(town: Town, **asked: object) -> list[DriftFinding]:
    """The findings of one run."""
    return town.findings(town.reconcile(**asked).run)  # type: ignore[arg-type]


def codes(found: list[DriftFinding]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.id, one.code) for one in found]


# Calm --------------------------------------------------------------------------------------------------------------


def test_a_town_where_nothing_went_wrong_has_no_findings(database: Database) -> None:
    town = Town(database)
    town.load()
    settled(town)
    done = town.reconcile()
    assert town.findings(done.run) == []
    assert done.n_findings == 0
    assert not done.blind
    assert all(done.n_read[f"store {store} {kind}s"] for store in ("uk", "int") for kind in ("order", "customer"))
    assert all(done.n_read[f"platform {kind}s"] for kind in ("product", "customer", "order"))


def test_what_is_on_its_way_is_no_finding(play: Play) -> None:
    play.orders(play.ada)
    play.hear()  # desired, and not pushed yet
    play.pass_time(600)
    assert look(play) == []


def test_what_is_younger_than_the_grace_period_is_looked_at_again_before_the_run_ends(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    began = play.now
    done = play.reconcile(repair=False)
    assert "integration.missed_change" in {found.code for found in play.findings(done.run)}
    assert play.now >= began + play.context.pace.drift_grace
    assert done.basis is not None
    assert done.basis.n_in_flight == 0


def test_however_much_was_in_flight_all_of_it_is_looked_at_again_page_by_page(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reread, "AT_ONCE", 2)
    placed = [play.orders(play.ada, is_told=False) for _ in range(5)]
    done = play.reconcile(repair=False)
    missed = {found.id for found in play.findings(done.run) if found.code == "integration.missed_change"}
    assert missed >= {f"uk:{one.id}" for one in placed}
    assert done.basis is not None
    assert done.basis.n_in_flight == 0


def test_a_shift_lets_a_run_rest_until_the_grace_period_is_over(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    asked = ReconcileRequest(repair=False)
    first = reconcile(play.db, play.context, asked, is_patient=False)
    assert first is not None
    assert not first.is_done
    assert play.findings(first.run) == []
    assert reconcile(play.db, play.context, asked, is_patient=False) is None  # it rests
    play.pass_time(130)
    then = reconcile(play.db, play.context, asked, is_patient=False)
    assert then is not None
    assert then.is_done
    assert then.run == first.run
    assert "integration.missed_change" in {found.code for found in play.findings(then.run)}


# What a verdict rests on ---------------------------------------------------------------------------------------------


def test_a_run_says_of_how_many_records_it_agrees_and_as_of_when(play: Play) -> None:
    began = play.now
    done = play.reconcile()
    assert done.basis is not None
    (known,) = play.rows("SELECT count(*) AS n FROM outbox WHERE kind <> 'moment'")
    assert (done.basis.n_compared, done.basis.n_differ, done.basis.not_judged) == (known["n"], 0, ())
    assert verdict_sentence(done.basis) == f"Of {known['n']} records compared, all agree"
    assert verdict_outcome(done.basis, strict=True).is_green
    assert [one.side for one in done.basis.as_of] == ["int", "uk", "Ometria"]
    assert all(one.read_from is not None and one.read_from >= began for one in done.basis.as_of)
    assert all(one.read_to is not None and one.read_to <= play.now for one in done.basis.as_of)


def test_a_run_before_any_backfill_judges_nothing(database: Database) -> None:
    done = Town(database).reconcile()
    assert done.basis is not None
    assert done.n_findings == 0
    assert verdict_sentence(done.basis).startswith(
        "Nothing was compared; not judged: history not loaded (int customers)"
    )
    assert verdict_outcome(done.basis).exit_code == 1


def test_an_unsubscription_that_no_webhook_told_has_the_grace_period_and_no_more(play: Play) -> None:
    """Enrichment may wait for a quarter of an hour; what somebody said about being written to may not."""
    slowly(play)
    play.says(play.ada, "UNSUBSCRIBED", is_told=False)
    done = play.reconcile(repair=False)
    assert [(one.kind, one.code) for one in play.findings(done.run)] == [("contact", "integration.missed_change")]
    assert done.basis is not None
    assert verdict_outcome(done.basis).exit_code == 1
    assert "1 differs" in verdict_sentence(done.basis)


def test_what_is_waiting_longer_than_the_grace_period_is_named_and_never_agrees(play: Play) -> None:
    play.orders(play.ada)
    play.hear()  # desired, and not pushed yet
    play.pass_time(600)
    done = play.reconcile()
    assert done.n_findings == 0
    assert done.basis is not None
    assert {one.reason for one in done.basis.not_judged} == {NotJudgedReason.WAITING}
    assert verdict_outcome(done.basis).exit_code == 1


def test_a_side_that_cannot_be_read_is_named_and_nothing_of_it_agrees(play: Play) -> None:
    play.sims.faults.set({"ometria.down": True})
    done = play.reconcile()
    assert done.basis is not None
    assert done.basis.n_compared == 0
    assert NotJudgedReason.COULD_NOT_LOOK in {one.reason for one in done.basis.not_judged}
    assert verdict_outcome(done.basis).exit_code == 1


# What no delivery told -----------------------------------------------------------------------------------------------


def test_f23_an_order_of_which_no_webhook_told_is_found_and_pushed(play: Play) -> None:
    """F23: without poll or webhook, one run is enough."""
    placed = play.orders(play.ada, is_told=False)
    play.pass_time(600)
    (found,) = [one for one in look(play) if one.kind == "order"]
    assert (found.subject, found.store, found.code) == (f"order:{placed.id}", "uk", "integration.missed_change")
    assert found.store_says is not None
    assert found.store_says["net"] == mills_as_text(-(found.off_mills or 0))
    assert found.off_mills is not None
    assert found.off_mills < 0
    assert found.platform_says is None
    settled(play)
    assert play.order(placed)
    assert look(play) == []


def test_a_deleted_order_is_found_when_the_webhook_is_lost(play: Play) -> None:
    with play.world.lock:
        placing.erase(play.uk, play.first)
    play.pass_time(600)
    (found,) = [one for one in look(play) if one.kind == "order"]
    assert found.code == "integration.missed_deletion"
    assert found.off_mills is not None
    assert found.off_mills > 0
    settled(play)
    assert play.order(play.first)["status"] == "cancelled"
    assert look(play) == []


def test_a_deleted_product_is_found_when_the_webhook_is_lost(play: Play) -> None:
    product = next(iter(play.uk.products.values()))
    with play.world.lock:
        catalogue.leave(play.uk, product)
    play.pass_time(600)
    assert codes(look(play)) == [("product", f"uk:{product.id}", "integration.missed_deletion")]
    settled(play)
    there = play.sims.ometria.account.products.get(f"uk:{product.id}")
    assert there is not None
    assert there.record["is_active"] is False
    assert look(play) == []


def test_a_deleted_customer_is_found_when_the_webhook_is_lost(play: Play) -> None:
    bob = play.person("bob@example.com", "SUBSCRIBED")
    settled(play)
    with play.world.lock:
        people.leave(play.uk, bob)
    play.pass_time(600)
    assert codes(look(play)) == [("contact", f"uk:{bob.id}", "integration.missed_deletion")]
    settled(play)
    assert play.contact(bob)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert look(play) == []


def test_a_merge_is_found_when_the_webhook_is_lost(play: Play) -> None:
    bob = play.person("bob@example.com")
    of_bob = play.orders(bob)
    settled(play)
    with play.world.lock:
        people.merge(play.world, play.uk, play.ada, bob, play.now)
    play.pass_time(600)
    found = {one.id: one.code for one in look(play)}
    assert found[f"uk:{bob.id}"] == "integration.missed_deletion"
    settled(play)
    assert play.order(of_bob)["customer"]["id"] == f"uk:{play.ada.id}"
    assert look(play) == []


def test_a_refund_in_the_second_of_the_last_change_is_found_by_its_money(play: Play) -> None:
    version = play.first.updated_at
    with play.world.lock:
        five = MoneyBag(Decimal("5.00"), Decimal("5.00"))
        refunding.refund(play.world, play.uk, play.first, refunding.Giving(goodwill=five), play.now)
        play.first.updated_at = version
    play.pass_time(600)
    (found,) = [one for one in look(play) if one.kind == "order"]
    assert (found.code, found.detail) == ("integration.missed_change", "at financial_status")
    settled(play)
    assert look(play) == []


def test_nobody_is_welcomed_and_no_moment_fires_from_a_repair(play: Play) -> None:
    with play.world.lock:
        refunding.cancel(play.world, play.uk, play.first, "CUSTOMER", play.now)
    fired = len(play.sims.ometria.account.automations)
    play.pass_time(600)
    assert look(play)
    settled(play)
    assert play.order(play.first)["status"] == "cancelled"
    assert play.pushed("custom_event") == []
    new = play.sims.ometria.account.automations[fired:]
    assert not [one for one in new if one["kind"] in ("custom_event", "subscribe")]
    assert {row["lane"] for row in play.rows("SELECT lane FROM event WHERE starts_with(topic, 'repair/')")} == {
        Lane.REPAIR.rank
    }


# What Ometria did -----------------------------------------------------------------------------------------------


def test_f35_what_was_accepted_and_silently_dropped_is_found_and_sent_again(play: Play) -> None:
    """F35: taken, in no error feed, and never applied."""
    placed = play.orders(play.ada)
    own = f"uk:{placed.id}"
    play.sims.faults.set({"ometria.vanish_ids": [own]})
    settled(play)
    assert play.rows("SELECT state FROM outbox WHERE id = %s", own) == [{"state": "applied"}]
    play.sims.faults.set({"ometria.vanish_ids": []})
    (found,) = look(play)
    assert (found.id, found.code, found.repair) == (own, "platform.not_applied", "send")
    assert found.off_mills is not None
    assert found.off_mills < 0
    (case,) = play.cases("platform.not_applied")
    assert case["subject"] == f"order:{own}"
    settled(play)
    assert play.order(placed)
    assert play.cases("platform.not_applied") == []
    assert look(play) == []


def test_a_value_that_somebody_changed_is_shown_on_both_sides_and_put_back(play: Play) -> None:
    row = play.sims.ometria.account.orders.get(f"uk:{play.first.id}")
    assert row is not None
    was = row.record["grand_total"]
    row.record["grand_total"] = 1.25
    (found,) = look(play)
    assert (found.code, found.detail) == ("platform.differs", "at grand_total")
    assert found.platform_says is not None
    assert (found.platform_says["theirs"], found.platform_says["ours"]) == ("1.25", str(was))
    settled(play)
    assert float(play.order(play.first)["grand_total"]) == float(was)


def test_nothing_that_names_a_person_stands_in_a_finding(play: Play) -> None:
    shelf = play.sims.ometria.account.collections["shopify"]
    row = shelf.get(f"uk:{play.ada.id}")
    assert row is not None
    row.record["email"] = "eve@example.org"
    (found,) = look(play)
    assert found.platform_says is not None
    assert found.platform_says["path"] == "email"
    assert (found.platform_says["theirs"], found.platform_says["ours"]) == ("e***@e***.org", "a***@e***.com")


def test_an_opt_out_in_the_platform_is_never_overruled(play: Play) -> None:
    row = play.sims.ometria.account.collections["shopify"].get(f"uk:{play.ada.id}")
    assert row is not None
    row.record["marketing_optin"] = "EXPLICITLY_OPTEDOUT"
    row.record["lastname"] = "Other"  # and another field that would be put back
    (found,) = look(play)
    assert found.repair is None
    assert "opt somebody in" in found.detail
    mark = play.mark()
    settled(play)
    assert play.pushed("contact", mark) == []


def test_somebody_who_is_gone_there_is_not_brought_back_as_opted_in(play: Play) -> None:
    play.sims.ometria.account.collections["shopify"].drop(f"uk:{play.ada.id}")
    (found,) = look(play)
    assert (found.code, found.repair) == ("platform.not_applied", None)


def test_records_of_another_writer_are_one_finding_with_examples(play: Play) -> None:
    model = play.order(play.first)
    for n in range(30):
        play.sims.ometria.account.orders.put(*copied(play, f"{9000 + n}", f"#F{n}"))
    play.sims.ometria.account.orders.put(*copied(play, "9999", model["web_id"]))
    found = {one.code: one for one in look(play)}
    assert set(found) == {"platform.foreign_writer", "platform.duplicate_order"}
    assert (found["platform.foreign_writer"].n, found["platform.duplicate_order"].n) == (30, 1)
    assert found["platform.duplicate_order"].platform_says == {"examples": ["9999"]}
    assert {one.repair for one in found.values()} == {None}
    (case,) = play.cases("platform.foreign_writer")
    assert case["subject"] == "orders"


def test_what_a_takeover_leaves_to_another_writer_is_no_finding(play: Play) -> None:
    for n in range(3):
        play.sims.ometria.account.orders.put(*copied(play, f"{9000 + n}", f"#F{n}"))
    ruled(play, start_at=play.now)
    assert [one.kind for one in look(play, repair=False)] == ["order", "order"]  # ours, which are now excluded
    ruled(play, start_at=None, tolerates=True)
    assert look(play) == []


def ruled(play: Play, **changed: object) -> None:
    """The same road by other rules."""
    shops = {
        name: msgspec.structs.replace(shop, rules=msgspec.structs.replace(shop.rules, **changed))
        for name, shop in play.context.shops.items()
    }
    play.context = msgspec.structs.replace(play.context, shops=shops)


def copied(play: Play, own: str, name: str) -> tuple[str, Any]:
    """The first order as another writer would put it there."""
    row = play.sims.ometria.account.orders.get(f"uk:{play.first.id}")
    assert row is not None
    return own, type(row)(
        own,
        row.seq + 1000 + int(own),
        {**row.record, "id": own, "web_id": name},
        row.created_at,
        row.updated_at,
        "importer",
    )


# What we did ---------------------------------------------------------------------------------------------------------


def test_after_a_change_of_namespace_the_old_ids_are_ours_left_behind(play: Play) -> None:
    ruled(play, namespace="gb:")
    found = look(play, kinds=["order"])
    orders = [play.first, play.second]
    assert {(one.id, one.code) for one in found} == {
        *((f"uk:{order.id}", "integration.left_behind") for order in orders),
        *((f"gb:{order.id}", "integration.stale_mapping") for order in orders),
    }
    settled(play)
    assert {one.code for one in look(play, kinds=["order"])} == {"integration.left_behind"}


def test_without_repair_nothing_changes_but_findings_and_cases(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    play.sims.ometria.account.orders.drop(f"uk:{play.first.id}")
    play.pass_time(600)
    before = play.rows("SELECT kind, id, state, desired, lane FROM outbox ORDER BY kind, id")
    n_events = play.rows("SELECT count(*) AS n FROM event")
    found = look(play, repair=False)
    assert {one.repair for one in found} == {None}
    assert play.rows("SELECT kind, id, state, desired, lane FROM outbox ORDER BY kind, id") == before
    assert play.rows("SELECT count(*) AS n FROM event") == n_events
    assert play.cases("platform.not_applied")


def test_a_dead_letter_that_is_there_after_all_is_applied(play: Play) -> None:
    own = f"uk:{play.first.id}"
    with play.db.transaction() as tx:
        tx.execute("UPDATE outbox SET state = 'buried', case_code = 'platform.not_applied' WHERE id = %s", (own,))
    assert look(play) == []
    assert play.rows("SELECT state FROM outbox WHERE id = %s", own) == [{"state": "applied"}]


def test_in_shadow_everything_is_compared_and_nothing_is_sent_again(play: Play) -> None:
    play.sims.ometria.account.orders.drop(f"uk:{play.first.id}")
    play.context = msgspec.structs.replace(play.context, is_live=False)
    assert [one.code for one in look(play)] == ["platform.not_applied"]
    assert play.rows("SELECT DISTINCT state FROM outbox WHERE kind = 'order'") == [{"state": "applied"}]


# Metrics that wait ---------------------------------------------------------------------------------------------------


def slowly(play: Play) -> None:
    """Enrichment is collected, as it is by default."""
    pace = msgspec.structs.replace(play.context.pace, enrichment_every=timedelta(hours=1))
    play.context = msgspec.structs.replace(play.context, pace=pace)


def remaps_wait(play: Play) -> set[str]:
    rows = play.rows("SELECT subject FROM event WHERE topic = 'isthmus/remap' AND state = 'waiting'")
    return {row["subject"] for row in rows}


def worth_more(play: Play) -> None:
    """A guest's order is heard of and sent; what it makes of whoever has the address waits for the hour."""
    play.pass_time(3600 - play.now.timestamp() % 3600)  # so that the hour is far
    play.orders(None, email="ada@example.com")
    play.hear()
    play.push()
    play.pass_time(600)


def test_a_contact_whose_metrics_wait_for_their_hour_is_no_finding(play: Play) -> None:
    slowly(play)
    worth_more(play)
    assert f"customer:{play.ada.id}" in remaps_wait(play)
    assert look(play) == []
    assert play.cases("integration.stale_mapping") == []


def test_nor_are_the_other_contacts_of_the_same_person(play: Play) -> None:
    there = play.sims.store("int")
    abroad = play.person("ada@example.com", store=there)
    settled(play)
    slowly(play)
    worth_more(play)
    assert {f"customer:{one.id}" for one in (play.ada, abroad)} <= remaps_wait(play)
    assert look(play) == []


def test_metrics_told_while_a_run_is_under_way_are_no_finding(play: Play) -> None:
    """The run had mapped the contact with its new worth before the pipeline did, and concludes after."""
    slowly(play)
    worth_more(play)
    assert remaps_wait(play)

    def meanwhile(step: RunProgress) -> None:
        if step.is_done and step.name == "ours uk customers":
            play.pass_time(3600)
            play.hear()
            assert not remaps_wait(play)

    done = reconcile(play.db, play.context, ReconcileRequest(), tell=meanwhile)
    assert done is not None
    assert play.findings(done.run) == []
    assert play.cases("integration.stale_mapping") == []


def test_nor_is_what_the_road_told_of_while_the_run_waited_for_it(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    slowly(play)
    worth_more(play)
    asked, late = drift.outbox_rows_of_subjects, []

    def and_be_late(*args: Any) -> Any:
        found = asked(*args)
        if f"customer:{play.ada.id}" in args[3] and not late:
            late.append(True)
            other = Thread(target=lambda: (play.pass_time(3600), play.hear()))
            other.start()
            other.join()
        return found

    monkeypatch.setattr(drift, "outbox_rows_of_subjects", and_be_late)
    assert look(play, since=play.now - timedelta(hours=2)) == []
    assert late
    assert not remaps_wait(play)


def test_a_delivery_that_waits_for_its_hour_names_no_record_and_is_no_missed_change(play: Play) -> None:
    slowly(play)
    worth_more(play)  # which takes goods off the shelf
    waiting = play.rows("SELECT topic FROM event WHERE state = 'waiting' AND subject IS NULL")
    assert "products/update" in {event["topic"] for event in waiting}
    assert look(play, since=play.now - timedelta(hours=1)) == []
    with play.db.transaction() as tx:
        tx.execute("UPDATE event SET state = 'skipped' WHERE subject IS NULL AND state = 'waiting'")  # lost after all
    play.pass_time(3600)
    asked = schedule.due_request(play.db, play.context, timedelta(hours=1), time(2, 40))
    assert asked is not None
    assert asked.since is not None
    assert {one.code for one in look(play, since=asked.since)} == {"integration.missed_change"}


def test_what_history_brought_and_nobody_was_told_of_yet_is_no_finding(play: Play) -> None:
    there = play.sims.store("int")
    play.person("ada@example.com", store=there)
    settled(play)
    with play.db.transaction() as tx:
        tx.execute("UPDATE sale SET gross_mills = gross_mills + 10, is_untold = true WHERE id = %s", (play.first.id,))
    assert look(play) == []
    settled(play)
    assert look(play) == []  # told meanwhile


def test_a_case_that_was_opened_for_nothing_is_closed_by_the_next_run(play: Play) -> None:
    subject = f"customer:{play.ada.id}"
    with play.db.transaction() as tx:
        cases.open_or_count(
            tx, "acme", [Touch("integration.stale_mapping", subject, "uk", "at properties.net_gbp")], play.now
        )
    done = play.reconcile(since=play.now - timedelta(minutes=1))
    assert done.n_closed == 1
    assert play.cases("integration.stale_mapping") == []


def test_a_case_of_what_is_still_stale_stays_open(play: Play) -> None:
    """A run over a window does not map everything again, but it does map what a case is about."""
    with play.db.transaction() as tx:
        tx.execute("UPDATE sale SET gross_mills = gross_mills + 10 WHERE id = %s", (play.first.id,))
    (found,) = look(play, repair=False)
    assert (found.code, found.subject) == ("integration.stale_mapping", f"customer:{play.ada.id}")
    play.pass_time(600)
    assert play.reconcile(since=play.now - timedelta(minutes=1), repair=False).n_closed == 0
    look(play)
    settled(play)
    assert play.reconcile(since=play.now - timedelta(minutes=1)).n_closed == 1


# Cases ---------------------------------------------------------------------------------------------------------------


def test_a_case_is_closed_by_the_run_that_finds_both_sides_agreed(play: Play) -> None:
    placed = play.orders(play.ada, is_told=False)
    play.pass_time(600)
    look(play)
    assert f"order:{placed.id}" in {case["subject"] for case in play.cases("integration.missed_change")}
    settled(play)
    done = play.reconcile(since=play.now - timedelta(minutes=1))  # long after the change itself
    assert done.n_closed >= 1
    assert play.cases("integration.missed_change") == []


def test_could_not_look_closes_no_case(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    play.pass_time(600)
    look(play)
    n = len(play.cases("integration.missed_change"))
    settled(play)
    play.sims.faults.set({"ometria.down": True})
    done = play.reconcile()
    assert {(blind.side, blind.kind) for blind in done.blind} >= {("platform", "order"), ("platform", "customer")}
    assert len(play.cases("integration.missed_change")) == n
    assert done.n_findings == 0


def test_f92_many_of_one_cause_share_a_case(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """F92: the first few have their own, the rest one with their number."""
    monkeypatch.setattr(record_findings, "CASES", 1)
    guests = [play.orders(email=f"g{n}@example.com") for n in range(4)]
    settled(play)
    for order in guests:
        play.sims.ometria.account.orders.drop(f"uk:{order.id}")
    assert len(look(play, repair=False)) == 4
    cases = play.cases("platform.not_applied")
    assert len(cases) == 2
    assert {case["subject"]: case["n"] for case in cases}["orders"] == 3


# Runs ----------------------------------------------------------------------------------------------------------------


def test_a_window_finds_what_changed_in_it_and_concludes_nothing_from_absence(play: Play) -> None:
    with play.world.lock:
        placing.erase(play.uk, play.first)
    play.pass_time(600)
    placed = play.orders(play.ada, is_told=False)
    play.pass_time(600)
    found = look(play, since=play.now - timedelta(minutes=15))
    assert (f"uk:{placed.id}", "integration.missed_change") in {(one.id, one.code) for one in found}
    assert "integration.missed_deletion" not in {one.code for one in found}


def test_a_run_that_was_stopped_anywhere_goes_on_and_finds_the_same(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    play.sims.ometria.account.orders.drop(f"uk:{play.first.id}")
    play.pass_time(600)
    stops, n = 0, 0

    def once() -> bool:
        nonlocal n
        n += 1
        return n % 2 == 1

    runs = set()
    for _ in range(200):
        done = reconcile(play.db, play.context, ReconcileRequest(repair=False), goes_on=once)
        assert done is not None
        runs.add(done.run)
        if done.is_done:
            break
        stops += 1
    assert stops > 5
    assert len(runs) == 1
    whole = look(play, repair=False)
    assert codes(play.findings(runs.pop())) == codes(whole)


def test_two_processes_never_do_the_same_run(play: Play) -> None:
    others = []

    def meanwhile(_: object) -> None:
        others.append(reconcile(play.db, play.context, ReconcileRequest()))

    assert reconcile(play.db, play.context, ReconcileRequest(), tell=meanwhile) is not None
    assert others
    assert set(others) == {None}


def test_nothing_is_missed_before_the_history_is_loaded(play: Play) -> None:
    with play.db.transaction() as tx:
        tx.execute("DELETE FROM load WHERE kind = 'order'")
    play.orders(play.ada, is_told=False)
    play.pass_time(600)
    done = play.reconcile(kinds=["order"])
    assert {blind.why for blind in done.blind} == {"its history is not loaded yet"}
    assert done.n_findings == 0


def test_readings_take_their_share_while_others_want_them(database: Database, play: Play) -> None:
    now = play.now
    with database.transaction() as tx:
        tx.execute("DELETE FROM pace")
        first = pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, now, is_lending=True)
        assert first == now
        for _ in range(8):
            pace.reserve_slot(tx, "acme", "read", 4, now)  # others queue two seconds deep
        at = now + timedelta(seconds=0.25)
        assert pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, at, is_lending=True) is None
        ours = pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, now + timedelta(seconds=0.5), is_lending=True)
        assert ours is not None
        assert ours > now + timedelta(seconds=2)


def test_idle_readings_are_lent_unless_somebody_is_opting_out(database: Database, play: Play) -> None:
    now = play.now
    with database.transaction() as tx:
        tx.execute("DELETE FROM pace")
        pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, now, is_lending=True)
        at = now + timedelta(seconds=0.25)
        assert pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, at, is_lending=False) is None
        assert pace.reserve_shared_slot(tx, "acme", "read", 4, 0.5, at, is_lending=True) == at


# What is new ---------------------------------------------------------------------------------------------------------


def test_only_what_the_run_before_did_not_find_is_new(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    play.pass_time(600)
    first = play.reconcile(repair=False)
    assert count_new_findings(play.db, "acme", first.run) == News(first.n_findings, None)
    again = play.reconcile(repair=False)
    assert count_new_findings(play.db, "acme", again.run) == News(0, first.run)
    play.orders(play.ada, is_told=False)
    play.pass_time(600)
    third = play.reconcile(repair=False)
    assert third.n_findings > first.n_findings
    assert count_new_findings(play.db, "acme", third.run) == News(third.n_findings - first.n_findings, again.run)


def test_a_run_over_fewer_kinds_is_no_measure_of_what_is_new(play: Play) -> None:
    play.orders(play.ada, is_told=False)
    play.pass_time(600)
    play.reconcile(repair=False, kinds=("product",))
    whole = play.reconcile(repair=False)
    assert count_new_findings(play.db, "acme", whole.run) == News(whole.n_findings, None)


def test_a_run_over_a_history_that_was_loaded_in_part_names_what_it_left_out(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=4, orders=6, products=2))
    town.backfill(since=town.clock.now() - timedelta(days=1))  # everything in both shops is older
    town.come_to_rest()
    town.pass_time(600)
    basis = town.reconcile(repair=False).basis
    assert basis is not None
    assert {one.reason for one in basis.not_judged if one.n} == {NotJudgedReason.HORIZON}
    assert basis.n_not_judged > 0
    assert verdict_outcome(basis).exit_code == 1  # nothing was compared


def test_after_a_load_in_part_only_what_changed_since_it_was_ordered_is_missed(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=12, orders=30, products=5))
    since = town.clock.now() - timedelta(days=300)
    store = town.sims.store("uk")
    early = [one for one in store.customers.values() if one.created_at < since]
    assert any(one.updated_at > since for one in early)  # created before, changed after
    town.backfill(since=since)
    town.come_to_rest()
    town.pass_time(600)
    assert town.findings(town.reconcile(repair=False).run) == []
    people.rename(town.sims.world, store, early[0], "Grace", "Hopper", town.clock.now())
    town.pass_time(3600)
    (found,) = town.findings(town.reconcile(repair=False).run)
    assert (found.kind, found.id, found.code) == ("contact", f"uk:{early[0].id}", "integration.missed_change")
