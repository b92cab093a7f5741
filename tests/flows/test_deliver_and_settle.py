"""Desired state reaches Ometria, and is called applied only when Ometria's own answer allows it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.db.sql import read_counters
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.settle import settle_pushes
from isthmus.kit.compression import Packer
from isthmus.kit.ids import claim_id
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from scenes import Stage


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    return Stage(database)


def order(number: int, total: float = 10.0) -> Write:
    body = {
        "@type": "order",
        "id": f"uk:{number}",
        "timestamp": "2026-11-23T09:00:00Z",
        "grand_total": total,
        "currency": "GBP",
        "customer": {"email": "ada@example.com"},
        "lineitems": [{"product_id": "uk:1", "quantity": 1, "unit_price": total}],
        "is_valid": True,
        "status": "complete",
    }
    return Write(RecordKind.ORDER, f"uk:{number}", msgspec.json.encode(body), Lane.REALTIME, subject=f"order:{number}")


def moment(name: str) -> Write:
    body = {
        "@type": "custom_event",
        "id": name,
        "timestamp": "2026-11-23T09:00:00Z",
        "event_type": "order_shipped",
        "identity_email": "ada@example.com",
        "properties": {},
    }
    return Write(RecordKind.MOMENT, name, msgspec.json.encode(body), Lane.REALTIME, subject="order:1")


def desire(stage: Stage, *writes: Write) -> None:
    now = stage.clock.now()
    with stage.db.transaction() as tx:
        outbox.upsert_desired(
            tx,
            "acme",
            [DesiredWrite("uk", write, now) for write in writes],
            now=now,
            coalesce=stage.context.pace.coalesce,
            contact_head_start=stage.context.pace.contact_head_start,
            packer=stage.context.packer,
        )


def rows(stage: Stage) -> dict[str, dict[str, Any]]:
    with stage.db.transaction() as tx:
        return {row["id"]: row for row in tx.fetch_all("SELECT * FROM outbox")}


def deliver_all(stage: Stage) -> None:
    stage.pass_time(5)
    while push_next_batch(stage.db, stage.context).n_sent:
        pass


def pushes(stage: Stage) -> list[list[str]]:
    """The ids of every push Ometria saw, in order."""
    return [
        [record["id"] for record in entry["body"]]
        for entry in stage.tape.read(limit=10_000)
        if entry["path"].endswith("/push") and entry["method"] == "POST"
    ]


def settle_all(stage: Stage) -> None:
    for _ in range(40):
        stage.pass_time(2)
        if not settle_pushes(stage.db, stage.context).is_open:
            return


def test_accepted_is_not_applied_until_the_feed_was_watched_long_enough(stage: Stage) -> None:
    desire(stage, order(1))
    deliver_all(stage)
    assert rows(stage)["uk:1"]["state"] == "accepted"
    settle_pushes(stage.db, stage.context)
    assert rows(stage)["uk:1"]["state"] == "accepted"
    settle_all(stage)
    assert rows(stage)["uk:1"]["state"] == "applied"
    assert stage.context.platform.order("uk:1") is not None


def test_ten_changes_within_a_second_become_one_push(stage: Stage) -> None:
    for total in range(1, 11):
        desire(stage, order(1, float(total)))
        stage.pass_time(0.05)
    deliver_all(stage)
    assert pushes(stage) == [["uk:1"]]
    settle_all(stage)
    found = stage.context.platform.order("uk:1")
    assert found is not None
    assert float(found["grand_total"]) == 10.0


def test_an_unchanged_desire_sends_nothing(stage: Stage) -> None:
    desire(stage, order(1))
    deliver_all(stage)
    settle_all(stage)
    desire(stage, order(1))
    deliver_all(stage)
    assert len(pushes(stage)) == 1


def test_a_value_that_swings_back_after_an_unanswered_push_is_sent_again(stage: Stage) -> None:
    desire(stage, order(1, 1.0))
    deliver_all(stage)
    settle_all(stage)
    stage.faults.set({"ometria.p_timeout_after_accept": 1.0})
    desire(stage, order(1, 2.0))
    stage.pass_time(2)
    push_next_batch(stage.db, stage.context)  # B is taken, but nobody hears of it
    desire(stage, order(1, 1.0))
    stage.faults.set({"ometria.p_timeout_after_accept": 0.0})
    deliver_all(stage)
    settle_all(stage)
    found = stage.context.platform.order("uk:1")
    assert found is not None
    assert float(found["grand_total"]) == 1.0
    assert rows(stage)["uk:1"]["state"] == "applied"


def test_going_back_to_what_is_known_to_be_there_cancels_the_push(stage: Stage) -> None:
    desire(stage, order(1, 1.0))
    deliver_all(stage)
    settle_all(stage)
    desire(stage, order(1, 2.0))
    desire(stage, order(1, 1.0))
    deliver_all(stage)
    assert len(pushes(stage)) == 1
    assert rows(stage)["uk:1"]["state"] == "applied"


def test_a_refusal_in_the_feed_becomes_a_case_for_that_record_alone(stage: Stage) -> None:
    stage.faults.set({"ometria.refuse_ids": ["uk:2"]})
    desire(stage, order(1), order(2), order(3))
    deliver_all(stage)
    settle_all(stage)
    states = {name: row["state"] for name, row in rows(stage).items()}
    assert states == {"uk:1": "applied", "uk:2": "buried", "uk:3": "applied"}
    with stage.db.transaction() as tx:
        cases = tx.fetch_all("SELECT code, subject, state FROM cases")
    assert cases == [{"code": "platform.refused", "subject": "order:uk:2", "state": "open"}]


def test_a_refusal_that_comes_after_silence_was_believed_is_a_case_all_the_same(stage: Stage) -> None:
    stage.faults.set({"ometria.refuse_ids": ["uk:2"], "ometria.slow_application": 60.0})
    desire(stage, order(2))
    deliver_all(stage)
    settle_all(stage)
    assert rows(stage)["uk:2"]["state"] == "applied"
    stage.faults.set({"ometria.slow_application": 0.0})
    stage.pass_time(60)
    desire(stage, order(3))
    deliver_all(stage)
    settle_all(stage)
    assert {name: row["state"] for name, row in rows(stage).items()} == {"uk:2": "buried", "uk:3": "applied"}
    desire(stage, order(2, 11.0))
    desire(stage, order(2))
    assert rows(stage)["uk:2"]["state"] == "due"


def test_a_new_desire_gives_a_dead_letter_another_chance_and_closes_its_case(stage: Stage) -> None:
    stage.faults.set({"ometria.refuse_ids": ["uk:2"]})
    desire(stage, order(2))
    deliver_all(stage)
    settle_all(stage)
    stage.faults.set({"ometria.refuse_ids": []})
    desire(stage, order(2, 11.0))
    deliver_all(stage)
    settle_all(stage)
    assert rows(stage)["uk:2"]["state"] == "applied"
    with stage.db.transaction() as tx:
        assert tx.fetch_all("SELECT state FROM cases") == [{"state": "resolved"}]


def test_one_record_that_spoils_a_batch_is_isolated_and_the_others_go_through(stage: Stage) -> None:
    bad = Write(
        RecordKind.ORDER,
        "uk:50",
        msgspec.json.encode({"@type": "order", "id": "uk:50", "x": "y" * 61_000}),
        Lane.REALTIME,
    )
    desire(stage, bad, *(order(n) for n in range(100) if n != 50))
    deliver_all(stage)
    settle_all(stage)
    states = {name: row["state"] for name, row in rows(stage).items()}
    assert states.pop("uk:50") == "buried"
    assert set(states.values()) == {"applied"}
    sent = [name for push in pushes(stage) for name in push]
    assert len(pushes(stage)) <= 20  # the batch, then its 25s, its 6s, and the last six alone
    assert all(len(push) <= 100 for push in pushes(stage))
    assert sent.count("uk:50") in (3, 4)  # with all, with 24, and with 5 others unless it is the one left over of 25


def test_a_throttled_push_blames_no_record_and_goes_again(stage: Stage) -> None:
    stage.faults.set({"ometria.p429": 1.0})
    desire(stage, order(1))
    stage.pass_time(2)
    for _ in range(4):
        push_next_batch(stage.db, stage.context)
        stage.pass_time(60)
    with stage.db.transaction() as tx:
        assert [c["code"] for c in tx.fetch_all("SELECT code FROM cases WHERE state = 'open'")] == [
            "platform.rate_limited"
        ]
    stage.faults.set({"ometria.p429": 0.0})
    deliver_all(stage)
    settle_all(stage)
    assert rows(stage)["uk:1"]["state"] == "applied"
    with stage.db.transaction() as tx:
        assert tx.fetch_all("SELECT code FROM cases WHERE state = 'open'") == []


def test_a_moment_that_may_have_arrived_is_not_fired_twice(stage: Stage) -> None:
    stage.platform.turn({"event_idempotency": False})
    stage.faults.set({"ometria.p_timeout_after_accept": 1.0})
    desire(stage, moment("m1"))
    deliver_all(stage)
    assert rows(stage)["m1"]["state"] == "held"
    stage.faults.set({"ometria.p_timeout_after_accept": 0.0})
    settle_all(stage)
    assert rows(stage)["m1"]["state"] == "applied"
    assert len(pushes(stage)) == 1


def test_moments_of_a_push_that_was_taken_in_part_are_not_fired_twice(stage: Stage) -> None:
    stage.platform.turn({"event_idempotency": False})
    stage.faults.set({"ometria.reject_sync": 0.5})
    names = [f"m{n}" for n in range(6)]
    desire(stage, *map(moment, names))
    stage.pass_time(5)
    push_next_batch(stage.db, stage.context)
    assert 0 < stage.platform.account.counts["push_accepted"] < 6
    stage.faults.set({"ometria.reject_sync": 0.0})
    for _ in range(60):
        stage.pass_time(2)
        settle_pushes(stage.db, stage.context)
        push_next_batch(stage.db, stage.context)
    assert sorted(one["event_id"] for one in stage.platform.account.automations) == names
    assert {row["state"] for row in rows(stage).values()} == {"applied"}


def test_a_holder_that_outlived_its_lease_buries_nothing(stage: Stage) -> None:
    desire(stage, order(1))
    stage.pass_time(5)
    with stage.db.transaction() as tx:
        outbox.claim_batch(
            tx,
            "acme",
            RecordKind.ORDER,
            [Lane.REALTIME],
            now=stage.clock.now(),
            claim=claim_id(),
            packer=stage.context.packer,
        )
        late = outbox.dead_letter(
            tx, "acme", [(RecordKind.ORDER, "uk:1", None)], "platform.refused", stage.clock.now(), claim=claim_id()
        )
    assert late == []
    assert rows(stage)["uk:1"]["state"] == "leased"


def test_the_holder_that_outlived_its_lease_changes_nothing_of_the_next_one(stage: Stage) -> None:
    """Whatever it does with its answer: the record is leased to somebody else by now."""
    desire(stage, order(1))
    stage.pass_time(2)
    claims = []
    for _ in range(2):
        with stage.db.transaction() as tx:
            outbox.release_expired_leases(tx, "acme", stage.clock.now())
            mine = claim_id()
            batch = outbox.claim_batch(
                tx,
                "acme",
                RecordKind.ORDER,
                (Lane.REALTIME,),
                now=stage.clock.now(),
                claim=mine,
                packer=stage.context.packer,
            )
        claims.append((mine, batch))
        stage.pass_time(13)
    (late, batch), (now_holds, _) = claims
    before = rows(stage)["uk:1"]
    assert before["claim"] == now_holds
    with stage.db.transaction() as tx:
        now = stage.clock.now()
        assert outbox.mark_accepted(tx, "acme", batch, late, "late", now=now, coalesce=timedelta(seconds=1)) == 0
        assert outbox.release_failed(tx, "acme", batch, late, now=now, due_at=now, outcome="refused") == 0
        assert outbox.release_unsent(tx, "acme", batch, late) == 0
        assert (
            outbox.dead_letter(tx, "acme", [(row.kind, row.id, row.hash) for row in batch], "x.y", now, claim=late)
            == []
        )
    assert rows(stage)["uk:1"] == before


class SlowPacker(Packer):
    """Takes longer than half a lease to unpack what was claimed, as a machine does that stands still."""

    def __init__(self, stage: Stage, seconds: float) -> None:
        super().__init__()
        self.stage, self.seconds = stage, seconds

    def unpack(self, packed: bytes) -> bytes:
        self.stage.clock.advance(self.seconds)
        return super().unpack(packed)


@pytest.mark.parametrize(("seconds", "n_pushes"), [(5.9, 1), (6.1, 0)])
def test_the_lease_is_looked_at_right_before_the_push(stage: Stage, seconds: float, n_pushes: int) -> None:
    desire(stage, order(1))
    stage.pass_time(5)
    slow = msgspec.structs.replace(stage.context, packer=SlowPacker(stage, seconds))
    assert push_next_batch(stage.db, slow).n_sent == n_pushes
    assert len(pushes(stage)) == n_pushes
    if not n_pushes:
        assert rows(stage)["uk:1"]["state"] == "leased"  # until somebody finds that its lease has ended
        stage.pass_time(13)
        settle_pushes(stage.db, stage.context)
        deliver_all(stage)
    settle_all(stage)
    assert rows(stage)["uk:1"]["state"] == "applied"


def test_a_moment_whose_holder_died_is_held_and_everything_else_is_due(stage: Stage) -> None:
    desire(stage, moment("m1"), order(1))
    stage.pass_time(2)
    for kind in (RecordKind.MOMENT, RecordKind.ORDER):
        with stage.db.transaction() as tx:
            outbox.claim_batch(
                tx, "acme", kind, (Lane.REALTIME,), now=stage.clock.now(), claim=claim_id(), packer=stage.context.packer
            )
    stage.pass_time(11.9)
    with stage.db.transaction() as tx:
        assert outbox.release_expired_leases(tx, "acme", stage.clock.now()) == 0
    stage.pass_time(0.2)
    with stage.db.transaction() as tx:
        assert outbox.release_expired_leases(tx, "acme", stage.clock.now()) == 2
    assert {name: row["state"] for name, row in rows(stage).items()} == {"m1": "held", "uk:1": "due"}


def test_what_something_on_the_way_finds_too_large_goes_in_pushes_of_half_the_bytes(stage: Stage) -> None:
    writes = [order(n) for n in range(40)]
    largest = max(len(write.body) for write in writes)
    stage.faults.set({"ometria.largest_body": largest * 6})
    desire(stage, *writes)
    deliver_all(stage)
    settle_all(stage)
    assert {row["state"] for row in rows(stage).values()} == {"applied"}
    taken = [push for push in pushes(stage) if len(push) < 20]
    assert max(map(len, taken)) > 1  # halved by bytes, not one by one
    stage.faults.set({"ometria.largest_body": 0})
    stage.pass_time(3_601)
    desire(stage, *(order(n, 2.0) for n in range(40)))
    deliver_all(stage)
    assert len(pushes(stage)[-1]) == 40


def test_a_record_is_too_large_only_once_it_stands_alone(stage: Stage) -> None:
    large = order(99)
    body = msgspec.json.decode(large.body)
    large = msgspec.structs.replace(large, body=msgspec.json.encode(body | {"properties": {"note": "x" * 5_000}}))
    stage.faults.set({"ometria.largest_body": 4_000})
    desire(stage, *(order(n) for n in range(30)), large)
    deliver_all(stage)
    settle_all(stage)
    states = {name: (row["state"], row["case_code"]) for name, row in rows(stage).items()}
    assert states.pop("uk:99") == ("buried", "platform.too_large")
    assert set(states.values()) == {("applied", None)}


def test_no_record_is_given_up_while_no_push_is_answered(stage: Stage) -> None:
    stage.faults.set({"ometria.p_drop_before_accept": 1.0})
    desire(stage, order(1), order(2))
    for _ in range(60):
        deliver_all(stage)
        stage.pass_time(15)
    assert {row["state"] for row in rows(stage).values()} == {"due"}
    stage.faults.set({"ometria.p_drop_before_accept": 0.0})
    stage.pass_time(20)
    deliver_all(stage)
    settle_all(stage)
    assert {row["state"] for row in rows(stage).values()} == {"applied"}


def test_a_moment_that_got_lost_is_fired_once_nobody_finds_it(stage: Stage) -> None:
    stage.platform.turn({"event_idempotency": False})
    stage.faults.set({"ometria.p_drop_before_accept": 1.0})
    desire(stage, moment("m1"))
    deliver_all(stage)
    stage.faults.set({"ometria.p_drop_before_accept": 0.0})
    for _ in range(60):
        stage.pass_time(2)
        settle_pushes(stage.db, stage.context)
        push_next_batch(stage.db, stage.context)
    assert rows(stage)["m1"]["state"] == "applied"
    assert stage.context.platform.event("m1") is not None


def test_after_a_gap_in_the_feed_everything_accepted_in_it_is_read_back(stage: Stage) -> None:
    """F35: the feed keeps the 100 newest errors; what fell out of it cannot be taken for success."""
    stage.faults.set({"ometria.refuse_ids": ["uk:1"]})
    desire(stage, order(1), order(2))
    deliver_all(stage)
    stage.faults.set({"ometria.error_feed_noise": 100.0})
    settle_all(stage)
    states = {name: row["state"] for name, row in rows(stage).items()}
    assert states["uk:2"] == "applied"
    assert states["uk:1"] != "applied"


def test_a_holder_that_outlived_its_lease_settles_nothing(stage: Stage) -> None:
    desire(stage, order(1))
    stage.pass_time(2)
    mine = claim_id()
    with stage.db.transaction() as tx:
        batch = outbox.claim_batch(
            tx,
            "acme",
            RecordKind.ORDER,
            (Lane.REALTIME,),
            now=stage.clock.now(),
            claim=mine,
            packer=stage.context.packer,
        )
    stage.pass_time(13)
    with stage.db.transaction() as tx:
        assert outbox.release_expired_leases(tx, "acme", stage.clock.now()) == 1
        assert (
            outbox.mark_accepted(tx, "acme", batch, mine, "late", now=stage.clock.now(), coalesce=timedelta(seconds=1))
            == 0
        )
    assert rows(stage)["uk:1"]["state"] == "due"
    deliver_all(stage)
    settle_all(stage)
    assert rows(stage)["uk:1"]["state"] == "applied"


def test_pushes_are_counted(stage: Stage) -> None:
    stage.faults.set({"ometria.refuse_ids": ["uk:2"]})
    desire(stage, order(1), order(2), order(3))
    deliver_all(stage)
    settle_all(stage)
    with stage.db.transaction() as tx:
        found = read_counters(tx, "acme")
    assert found == {
        "push.requests": 1,
        "push.records": 3,
        "push.accepted": 3,
        "push.applied": 2,
        "push.refused": 1,
    }


def test_a_write_travels_in_the_lane_of_its_most_urgent_reason(stage: Stage) -> None:
    slow = order(1)
    desire(stage, Write(slow.kind, slow.id, slow.body, Lane.BACKFILL, subject=slow.subject))
    desire(stage, slow)
    assert rows(stage)["uk:1"]["lane"] == Lane.REALTIME.rank
    desire(stage, Write(slow.kind, slow.id, slow.body, Lane.BACKFILL, subject=slow.subject))
    assert rows(stage)["uk:1"]["lane"] == Lane.REALTIME.rank
