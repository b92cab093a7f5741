"""What the app cannot see changes nothing: old orders without read_all_orders, nulls of a moment, nulls with errors."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.process import process_batch
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.replay import replay_case
from isthmus.inbox.sql import events as inbox
from isthmus.model.basis import NotJudged, NotJudgedReason, verdict_outcome
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from plays import Play
from sims.shopify.deeds import people, placing
from sims.shopify.state import Order


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def lose_scope(play: Play) -> None:
    play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})


def grow_old(play: Play, days: float) -> None:
    play.pass_time(days * 86400)
    play.come_to_rest()


def status(play: Play, placed: Order) -> object:
    order = play.order(placed)
    return order["status"], order["is_valid"], order["grand_total"]


# Orders that leave the app's sight ------------------------------------------------------------------------------------


def test_a_reconciliation_leaves_orders_alone_that_the_app_cannot_see(play: Play) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    before, mark = status(play, placed), play.mark()
    lose_scope(play)
    grow_old(play, 61)
    done = play.reconcile()
    play.come_to_rest()
    assert status(play, placed) == before
    assert not play.pushed("order", since=mark)
    assert done.n_findings == 0
    (unseen,) = [one for one in done.out_of_sight if one.store == "uk"]
    assert (unseen.n, unseen.is_accepted) == (1, False)
    assert done.basis is not None
    assert [one for one in done.basis.not_judged if one.n] == [NotJudged(NotJudgedReason.OUT_OF_SIGHT, 1, "uk orders")]
    assert verdict_outcome(done.basis).exit_code == 1
    (case,) = [one for one in play.cases("storefront.scope_missing") if one["store"] == "uk"]
    assert f"orders from {play.now - timedelta(days=60):%Y-%m-%d} on" in case["detail"]


def test_an_order_that_is_deleted_in_sight_is_withdrawn_without_the_scope_too(play: Play) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    lose_scope(play)
    with play.world.lock:
        placing.erase(play.uk, placed)
    play.pass_time(600)
    play.reconcile()
    play.come_to_rest()
    assert status(play, placed)[:2] == ("cancelled", False)  # type: ignore[index]


def test_an_import_of_today_that_says_it_is_old_is_not_taken_for_deleted(play: Play) -> None:
    """Which of its two dates the 60 days count from is not documented: both must be young."""
    placed = play.orders(play.person())
    with play.world.lock:
        placed.processed_at = play.now - timedelta(days=400)
    play.poll()
    play.come_to_rest()
    before = status(play, placed)
    lose_scope(play)
    with play.world.lock:
        del play.uk.orders[placed.id]  # out of sight by whichever date counts
        play.uk.version += 1
    play.tell("orders/edited", {"order_edit": {"order_id": placed.id}}, webhook_id="edited")
    play.pass_time(700)
    play.reconcile()
    play.come_to_rest()
    assert status(play, placed) == before


def test_a_reading_of_an_order_out_of_sight_ends_its_event_and_says_why(play: Play) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    lose_scope(play)
    grow_old(play, 61)
    before = status(play, placed)
    play.tell("orders/edited", {"order_edit": {"order_id": placed.id}}, webhook_id="edited")
    play.pass_time(20)
    while process_batch(play.db, play.context).n_claimed:
        pass
    (event,) = play.rows("SELECT state, reason FROM event WHERE topic = 'orders/edited'")
    assert event["state"] == "skipped"
    assert "out of sight" in event["reason"]
    play.come_to_rest()
    assert status(play, placed) == before


GUARDS = {
    "only the dates of the order": ("isthmus.flows.reconcile.candidates._horizon", None),
    "only the horizon of the listing": ("isthmus.model.reading.is_certainly_visible", True),
}


def test_each_of_two_guards_alone_keeps_orders_that_left_sight_as_they_are(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run neither suspects what its listing cannot show, nor believes a null of an order that may be out of sight."""
    placed = [play.orders(play.person()), play.orders()]
    play.come_to_rest()
    lose_scope(play)
    grow_old(play, 61)
    before, mark = [status(play, one) for one in placed], play.mark()
    for name, (guard, is_off) in GUARDS.items():
        with monkeypatch.context() as patched:
            patched.setattr(guard, lambda *_, is_off=is_off: is_off)
            play.reconcile()
            play.come_to_rest()
        assert play.pushed("order", since=mark) == [], name
        assert [status(play, one) for one in placed] == before, name
        play.pass_time(600)


def test_a_run_reads_no_order_of_which_its_listing_shows_nothing(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    lose_scope(play)
    grow_old(play, 59)  # between what is surely in sight and what surely is not
    with play.world.lock:
        placed.created_at = placed.processed_at = play.now - timedelta(days=61)
        play.uk.version += 1
    done = play.reconcile()
    suspected = "SELECT id FROM suspect WHERE kind = 'order' AND result IS DISTINCT FROM 'out of sight'"
    assert play.rows(suspected) == []
    assert [one.n for one in done.out_of_sight if one.store == "uk"] == [1]


# What people are shown ------------------------------------------------------------------------------------------------


def test_a_horizon_that_the_connection_accepts_is_counted_and_is_no_case(play: Play) -> None:
    play.orders(play.person())
    play.come_to_rest()
    play.context = msgspec.structs.replace(play.context, orders_horizon="60d")
    lose_scope(play)
    grow_old(play, 61)
    done = play.reconcile()
    (unseen,) = [one for one in done.out_of_sight if one.store == "uk"]
    assert (unseen.n, unseen.is_accepted, unseen.visible_since) == (1, True, play.now - timedelta(days=60))
    assert not play.cases("storefront.scope_missing")
    assert done.basis is not None
    assert done.basis.not_judged == (NotJudged(NotJudgedReason.HORIZON, 1, "uk orders"),)
    assert verdict_outcome(done.basis).is_green
    assert verdict_outcome(done.basis, strict=True).exit_code == 1


def test_an_order_out_of_sight_is_counted_once_whatever_else_is_doubtful_of_it(play: Play) -> None:
    """Ometria lost one of the two as well, so that it is also looked at by itself."""
    placed = play.orders(play.person())
    play.orders(play.person("bob@example.com"))
    play.come_to_rest()
    lose_scope(play)
    grow_old(play, 61)
    play.sims.ometria.account.orders.drop(f"uk:{placed.id}")
    done = play.reconcile()
    (unseen,) = [one for one in done.out_of_sight if one.store == "uk"]
    assert unseen.n == 2


# Nulls of a moment ----------------------------------------------------------------------------------------------------


def hear_once(play: Play) -> None:
    """What has arrived is worked on, and nothing is waited for."""
    play.sims.deliver(play.post)
    while process_batch(play.db, play.context).n_claimed:
        pass


def test_a_null_soon_after_a_body_is_asked_again_and_nothing_is_pushed_meanwhile(play: Play) -> None:
    """Whatever wants the order read so early: here a parcel that its own body does not have yet."""
    placed = play.orders(play.person())
    play.hear()
    play.sims.faults.set({"shopify.null_share": 1.0, "shopify.null_kinds": "Order"})
    with play.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest("poll/order", f"order:{placed.id}", Lane.REALTIME, play.now)], play.now
        )
    for _ in range(8):
        hear_once(play)
        play.push()
        play.pass_time(2)
    assert all(order["status"] != "cancelled" for order in play.pushed("order"))
    (waiting,) = play.rows("SELECT reason FROM event WHERE topic = 'poll/order' AND state = 'waiting'")
    assert waiting["reason"] == "null so soon after a body: asked again"
    play.sims.faults.set({"shopify.null_share": 0.0})
    play.come_to_rest()
    assert status(play, placed)[1] is True  # type: ignore[index]
    assert all(order["status"] != "cancelled" for order in play.pushed("order"))


def test_a_null_that_lasts_longer_than_the_grace_is_believed(play: Play) -> None:
    placed = play.orders(play.person())
    play.hear()
    with play.world.lock:
        placing.erase(play.uk, placed)
    with play.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest("poll/order", f"order:{placed.id}", Lane.REALTIME, play.now)], play.now
        )
    play.come_to_rest()
    assert status(play, placed)[:2] == ("cancelled", False)  # type: ignore[index]


@pytest.mark.parametrize("kind", ["order", "customer"])
def test_a_delivery_that_says_delete_is_believed_at_once(play: Play, kind: str) -> None:
    who, other = play.person(), play.person("grace@example.com")
    placed = play.orders(other)
    play.hear()
    if kind == "order":
        play.do(placing.erase(play.uk, placed))
    else:
        play.do(people.leave(play.uk, who))
    play.hear()
    number = placed.id if kind == "order" else who.id
    (row,) = play.rows("SELECT body, deleted_at FROM record WHERE kind = %s AND id = %s", kind, str(number))
    assert row["body"] is None
    assert row["deleted_at"] is not None


def test_a_null_with_an_error_on_its_path_is_tried_again(play: Play) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    before, mark = status(play, placed), play.mark()
    play.pass_time(600)
    play.sims.faults.set({"shopify.p_null_error": 1.0})
    with play.db.transaction() as tx:
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest("poll/order", f"order:{placed.id}", Lane.REALTIME, play.now)], play.now
        )
    hear_once(play)
    (waiting,) = play.rows("SELECT state, reason FROM event WHERE topic = 'poll/order' AND state = 'waiting'")
    assert waiting["reason"] == "storefront.unavailable"
    play.sims.faults.set({"shopify.p_null_error": 0.0})
    play.come_to_rest()
    assert status(play, placed) == before
    assert not play.pushed("order", since=mark)


# Deletions that nobody can see ----------------------------------------------------------------------------------------


def delivered(play: Play, topic: str, placed: Order, body: Any = None) -> None:
    play.tell(topic, body or {"id": placed.id}, webhook_id=f"{topic} {play.now}")
    play.pass_time(5)
    while process_batch(play.db, play.context).n_claimed:
        pass


def test_a_deletion_out_of_sight_is_a_case_that_a_person_confirms(play: Play) -> None:
    placed = play.orders(play.person())
    play.come_to_rest()
    before = status(play, placed)
    lose_scope(play)
    grow_old(play, 61)
    delivered(play, "orders/delete", placed)
    play.come_to_rest()
    assert status(play, placed) == before
    (case,) = play.cases("storefront.deletion_unconfirmed")
    assert case["subject"] == f"order:{placed.id}"
    (event,) = play.rows("SELECT state FROM event WHERE topic = 'orders/delete'")
    assert event["state"] == "parked"
    replay_case(play.db, case["id"], play.now, "ada")
    play.come_to_rest()
    assert status(play, placed)[:2] == ("cancelled", False)  # type: ignore[index]
    close_finished_cases(play.db, play.context)
    assert not play.cases("storefront.deletion_unconfirmed")
