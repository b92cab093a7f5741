"""What the status and the page say of how both sides agree: only what was compared, as of when, and what was not."""

from datetime import timedelta

import msgspec
import pytest
from starlette.testclient import TestClient

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows.reconcile import schedule
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.flows.settle import settle_pushes
from isthmus.model.basis import Basis, NotJudged, NotJudgedReason, verdict_outcome, verdict_sentence
from isthmus.ops import status
from isthmus.ops.alerting_queries.facts import Setup, gather_facts
from isthmus.ops.checklist import DAILY, MONTHLY, evaluate_checklist
from isthmus.ops.checklist_rules import Result
from isthmus.web.dashboard import view
from isthmus.web.dashboard.app import dashboard
from plays import Play


@pytest.fixture
def play(database: Database) -> Play:
    play = Play(database)
    play.ada = play.person("ada@example.com", "SUBSCRIBED")  # type: ignore[attr-defined]
    play.orders(play.ada)  # type: ignore[attr-defined]
    play.come_to_rest()
    play.pass_time(600)
    return play


def connection(play: Play) -> status.ConnectionStatus:
    (one,) = status.read_status(play.db, play.now).connections
    return one


def basis(play: Play) -> Basis:
    return connection(play).basis


def page(play: Play) -> str:
    return TestClient(dashboard(lambda: status.read_status(play.db, play.now))).get("/").text


def test_nothing_agrees_before_anything_was_compared(play: Play) -> None:
    found = basis(play)
    n = sum(one.applied for one in connection(play).accounting.values())
    assert (found.n_compared, found.not_judged) == (0, (NotJudged(NotJudgedReason.NOT_COMPARED, n),))
    assert not verdict_outcome(found).is_green
    assert view.status_colour(connection(play)) != "good"
    assert "agree" not in page(play).replace("agreement", "")


def test_what_was_compared_agrees_as_of_the_comparison(play: Play) -> None:
    done = play.reconcile()
    play.pass_time(3600)
    found = basis(play)
    assert found.n_compared == done.basis.n_compared  # type: ignore[union-attr]
    assert found.not_judged == ()
    assert view.status_colour(connection(play)) == "good"
    read = next(one for one in found.as_of if one.side == "uk")
    shown = page(play)
    assert f"Of {found.n_compared} records compared, all agree." in shown
    assert f"uk heard {read.heard_at:%H:%M:%S}, read {read.read_from:%H:%M:%S}" in shown


def test_what_changed_since_the_comparison_is_not_compared(play: Play) -> None:
    whole = play.reconcile()
    play.pass_time(600)
    play.orders(play.ada)  # type: ignore[attr-defined]
    play.come_to_rest()
    play.pass_time(600)
    found = basis(play)
    assert {one.reason for one in found.not_judged} == {NotJudgedReason.NOT_COMPARED}
    assert found.n_not_judged > 0
    assert not verdict_outcome(found).is_green
    play.reconcile(since=whole.basis.at.replace(hour=0))  # type: ignore[union-attr]
    assert basis(play).not_judged == ()


def test_a_record_of_which_an_event_still_waits_is_not_called_agreed(play: Play) -> None:
    play.reconcile()
    play.says(play.ada, "UNSUBSCRIBED")  # type: ignore[attr-defined]
    play.sims.deliver(play.post)  # told, and nobody has worked on it
    unread = play.rows("SELECT FROM event WHERE state = 'waiting' AND subject IS NULL")
    assert basis(play).not_judged == (NotJudged(NotJudgedReason.IN_FLIGHT, len(unread)),)
    play.pass_time(600)
    assert basis(play).not_judged == (NotJudged(NotJudgedReason.WAITING, len(unread)),)
    play.reconcile(repair=False)  # the shop says something else than we do, and that was told
    assert not verdict_outcome(basis(play)).is_green
    play.hear()
    (hint,) = play.rows("SELECT subject FROM event WHERE state = 'waiting'")  # a reading confirms what was said
    assert hint["subject"] == f"customer:{play.ada.id}"  # type: ignore[attr-defined]
    play.push()
    play.pass_time(10)
    settle_pushes(play.db, play.context)
    play.reconcile()
    play.pass_time(600)
    assert NotJudged(NotJudgedReason.WAITING, 1) in basis(play).not_judged
    play.come_to_rest()
    assert NotJudgedReason.WAITING not in {one.reason for one in basis(play).not_judged}


def test_a_comparison_that_leaves_a_gap_behind_it_says_nothing_of_what_changed_in_it(play: Play) -> None:
    play.reconcile()
    play.pass_time(600)
    play.orders(play.ada)  # type: ignore[attr-defined]
    play.come_to_rest()
    play.pass_time(600)
    play.reconcile(since=play.now)
    assert NotJudgedReason.NOT_COMPARED in {one.reason for one in basis(play).not_judged}


def test_a_comparison_of_one_kind_is_none_of_the_whole(play: Play) -> None:
    play.reconcile(kinds=("order",))
    assert basis(play).n_compared == 0


def test_unsubscriptions_that_no_webhook_told_are_never_called_agreed_after_a_comparison(play: Play) -> None:
    play.reconcile()
    play.says(play.ada, "UNSUBSCRIBED", is_told=False)  # type: ignore[attr-defined]
    done = play.reconcile(repair=False)
    assert done.basis is not None
    assert done.basis.n_differ == 1
    assert "differs" in verdict_sentence(basis(play))
    assert view.status_colour(connection(play)) != "good"


def test_an_old_comparison_is_not_green(play: Play) -> None:
    play.reconcile()
    play.pass_time(27 * 3600)
    assert view.status_colour(connection(play)) != "good"


def test_a_side_that_could_not_be_read_is_named_on_the_page(play: Play) -> None:
    play.sims.faults.set({"ometria.down": True})
    play.reconcile()
    play.sims.faults.set({"ometria.down": False})
    found = basis(play)
    assert found.n_compared == 0
    assert found.is_uncounted
    assert "could not look (Ometria orders: platform.unavailable" in page(play)


def test_the_long_document_says_what_its_verdict_rests_on(play: Play) -> None:
    play.reconcile()
    (told,) = status.status_as_json(status.read_status(play.db, play.now), is_long=True)["connections"]
    assert told["basis"]["is_green"] is True
    assert msgspec.json.encode(told["basis"]["as_of"])
    (told,) = status.status_as_json(status.read_status(play.db, play.now))["connections"]
    assert "basis" not in told


def test_the_page_says_of_which_store_a_case_is(play: Play) -> None:
    with play.db.transaction() as tx:
        cases.open_or_count(tx, "acme", [Touch("storefront.app_uninstalled", "", "uk")], play.now)
    (group,) = connection(play).background.groups
    assert group.stores == ["uk"]
    assert '<span class="stores" data-stores>uk</span>' in page(play)


def lines(play: Play) -> dict[str, Result]:
    facts = gather_facts(play.db, "acme", play.now, Setup(versions={"uk": "2026-10", "int": "2026-10"}))
    return {
        line.key: line.result
        for line in evaluate_checklist((*DAILY, *MONTHLY), facts)
        if line.key in ("reconciled", "whole")
    }


def test_a_run_that_looks_at_less_turns_nothing_green_and_puts_off_no_whole_one(play: Play) -> None:
    """Over one kind, over a window that does not reach the difference, over one that begins before the last run."""
    next(iter(play.sims.ometria.account.orders)).record["status"] = "odd"
    whole = play.reconcile(repair=False)
    assert whole.basis.n_differ == 1
    look = {"reconciled": Result.LOOK, "whole": Result.LOOK}
    assert lines(play) == look
    play.pass_time(24 * 3600)
    tonight = (play.now - timedelta(seconds=30)).time()
    assert schedule.due_request(play.db, play.context, timedelta(hours=1), tonight) == ReconcileRequest()
    play.reconcile(kinds=("product",))
    assert schedule.due_request(play.db, play.context, timedelta(hours=1), tonight) == ReconcileRequest()
    for since in (play.now - timedelta(minutes=30), whole.basis.at - timedelta(minutes=3)):
        light = play.reconcile(since=since, repair=False)
        assert light.basis is not None
        assert light.basis.n_differ == 0
        assert basis(play).n_differ == 1
        assert verdict_outcome(basis(play)).exit_code == 1
        assert lines(play) == look
    with play.db.transaction() as tx:
        tx.execute("UPDATE cases SET state = 'resolved'")  # whatever is said of the case: it differs still
    assert basis(play).n_differ == 1
    assert lines(play) == look
    play.reconcile()
    play.come_to_rest()
    play.pass_time(300)
    play.reconcile(since=play.now - timedelta(hours=1))
    assert basis(play).n_differ == 0
    assert lines(play) == {"reconciled": Result.OK, "whole": Result.OK}


def test_without_a_run_over_everything_nothing_was_compared_whatever_a_smaller_one_found(play: Play) -> None:
    play.reconcile(kinds=("order",))
    play.reconcile(since=play.now - timedelta(hours=1))
    assert basis(play).n_compared == 0
    assert verdict_outcome(basis(play)).exit_code == 1
    assert lines(play) == {"reconciled": Result.LOOK, "whole": Result.LOOK}
