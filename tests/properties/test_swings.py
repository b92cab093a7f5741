"""Values that swing while pushes are lost, answered late or refused end as they were last desired."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.db.pool import Database
from isthmus.flows.context import Timings
from isthmus.flows.deliver import push_next_batch
from isthmus.flows.settle import settle_pushes
from isthmus.kit.ids import claim_id
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from lengths import LONG
from scenes import Stage

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

TROUBLES = (
    "ometria.p_timeout_after_accept",
    "ometria.p_drop_before_accept",
    "ometria.p502",
    "ometria.p429",
)
NUMBERS, TOTALS = (1, 2), (10.0, 20.0)

swing = st.tuples(st.just("desire"), st.sampled_from(NUMBERS), st.sampled_from(TOTALS))
trouble = st.tuples(st.sampled_from(TROUBLES), st.sampled_from((0.0, 1.0, 1.0)))
wait = st.tuples(st.just("wait"), st.sampled_from((0.3, 2.0, 2.0, 6.0, 13.0)))
work = st.sampled_from([("deliver",), ("deliver",), ("settle",), ("die",)])
Deed = tuple[object, ...]


def order(number: int, total: float) -> Write:
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


def desire(stage: Stage, write: Write) -> None:
    now, pace = stage.clock.now(), stage.context.pace
    with stage.db.transaction() as tx:
        outbox.upsert_desired(
            tx,
            "acme",
            [DesiredWrite("uk", write, now)],
            now=now,
            coalesce=pace.coalesce,
            contact_head_start=pace.contact_head_start,
            packer=stage.context.packer,
        )


def die(stage: Stage) -> None:
    """Somebody claims what is due and is never heard of again."""
    with stage.db.transaction() as tx:
        outbox.claim_batch(
            tx,
            "acme",
            RecordKind.ORDER,
            tuple(Lane),
            now=stage.clock.now(),
            claim=claim_id(),
            packer=stage.context.packer,
        )


def play(stage: Stage, deeds: Sequence[Deed]) -> dict[int, float]:
    """Let it all happen; what was desired last, by order."""
    wanted: dict[int, float] = {}
    for deed in deeds:
        match deed:
            case ("desire", int(number), float(total)):
                wanted[number] = total
                desire(stage, order(number, total))
            case ("wait", float(seconds)):
                stage.pass_time(seconds)
            case ("deliver",):
                push_next_batch(stage.db, stage.context)
            case ("settle",):
                settle_pushes(stage.db, stage.context)
            case ("die",):
                die(stage)
            case (str(knob), float(chance)):
                stage.faults.set({knob: chance})
    return wanted


def come_to_rest(stage: Stage) -> None:
    stage.faults.clear()
    for _ in range(200):
        stage.pass_time(2)
        while push_next_batch(stage.db, stage.context).n_sent:
            pass
        settle_pushes(stage.db, stage.context)
        with stage.db.transaction() as tx:
            if not tx.fetch_value("SELECT count(*) FROM outbox WHERE state <> 'applied'"):
                return
    raise AssertionError("the outbox does not come to rest")


@pytest.mark.parametrize("is_lagging", [False, True])
@settings(max_examples=400 if LONG else 20)
@given(deeds=st.lists(st.one_of(swing, swing, trouble, wait, work, work), min_size=4, max_size=40))
def test_whatever_swings_around_lost_answers_ends_as_last_desired(
    fresh_database: Opened, is_lagging: bool, deeds: list[Deed]
) -> None:
    pace = Timings(
        enrichment_every=timedelta(0),
        read_back=0.0,
        push_per_second=1000,
        read_per_second=1000,
        settle_after=timedelta(seconds=4),
    )
    with fresh_database() as db:
        stage = Stage(db, pace=pace)
        stage.platform.turn({"data_rps": 1e6, "push_rps": 1e6})
        wanted = play(stage, [("desire", number, TOTALS[0]) for number in NUMBERS])
        come_to_rest(stage)  # what a value swings back to is what is known to be there
        stage.faults.set({"ometria.slow_application": 7.0 if is_lagging else 0.0})
        wanted |= play(stage, deeds)
        come_to_rest(stage)
        stage.pass_time(10)  # silence was believed after four seconds; what was accepted by then is applied by now
        for number, total in wanted.items():
            there = stage.context.platform.order(f"uk:{number}")
            assert there is not None
            assert float(there["grand_total"]) == total
