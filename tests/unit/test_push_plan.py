"""Slots, kinds and lanes over minutes of traffic, without a clock, a database or a platform."""

from collections import Counter, deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.outbox import plan
from isthmus.outbox.plan import BATCH, EPOCH, FEED_SIZE, FeedCoverage, Ready, fit_into_bytes, update_feed_coverage

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SLOTS_A_SECOND = 4
BEHIND = (Lane.ENRICHMENT, Lane.REPAIR, Lane.BACKFILL)
Rates = Mapping[tuple[RecordKind, Lane], float]
"""Records a second."""


class Traffic:
    """Queues by kind and lane, and what became of the slots: each record is the second in which it fell due."""

    def __init__(self, rates: Rates, waiting: Mapping[tuple[RecordKind, Lane], int] | None = None) -> None:
        self.rates = rates
        self.queues = {key: deque([-600.0] * (waiting or {}).get(key, 0)) for key in product(RecordKind, Lane)}
        self.owed = dict.fromkeys(self.queues, 0.0)
        self.sizes: list[int] = []
        self.sent: Counter[Lane] = Counter()
        self.waits: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        self.n = 0

    def run(self, seconds: int, share: float = 0.7, lost_every: int = 0) -> "Traffic":
        """Spend every slot of this time, but for every so many-th, which is lost to a failing platform."""
        for slot in range(seconds * SLOTS_A_SECOND):
            second = slot / SLOTS_A_SECOND
            for key, rate in self.rates.items():
                self.owed[key] += rate / SLOTS_A_SECOND
                self.queues[key].extend([second] * int(self.owed[key]))
                self.owed[key] %= 1
            self.n += 1
            if not (lost_every and slot % lost_every == 0):
                self._push(second, plan.lane_priority_for_slot(self.n, share))
        return self

    def _push(self, second: float, own: tuple[Lane, ...]) -> None:
        ready = [
            Ready(kind, lane, min(len(queue), BATCH), NOON + timedelta(seconds=queue[0]))
            for (kind, lane), queue in self.queues.items()
            if queue
        ]
        kind = plan.choose_kind(ready, own, NOON + timedelta(seconds=second))
        if kind is None:
            return
        order = plan.lane_order(own)
        room = BATCH
        for lane, most in [(Lane.REALTIME, plan.REALTIME_QUOTA), *((lane, BATCH) for lane in order)]:
            queue = self.queues[kind, lane]
            for _ in range(min(room, most, len(queue))):
                self.waits[lane].append(second - queue.popleft())
                self.sent[lane] += 1
                room -= 1
        self.sizes.append(BATCH - room)


MIX = {
    (RecordKind.ORDER, Lane.REALTIME): 126,
    (RecordKind.CONTACT, Lane.REALTIME): 84,
    (RecordKind.MOMENT, Lane.REALTIME): 42,
    (RecordKind.PRODUCT, Lane.REALTIME): 28,
}
"""70 % of what an account takes in a second."""

PRELOADED = {
    (RecordKind.ORDER, Lane.BACKFILL): 60_000,
    (RecordKind.CONTACT, Lane.BACKFILL): 40_000,
    (RecordKind.PRODUCT, Lane.BACKFILL): 20_000,
    (RecordKind.CONTACT, Lane.ENRICHMENT): 100_000,
    (RecordKind.PRODUCT, Lane.ENRICHMENT): 20_000,
}
"""Ten minutes of pushes."""


def test_seven_of_ten_slots_are_realtimes_and_the_others_go_round() -> None:
    firsts = [plan.lane_priority_for_slot(n, 0.7)[0] for n in range(1, 301)]
    assert Counter(firsts) == {Lane.REALTIME: 210, **dict.fromkeys(BEHIND, 30)}


@pytest.mark.parametrize("lost_every", [0, 20])
def test_realtime_keeps_its_promise_at_seventy_per_cent_over_ten_minutes_of_preloaded_work(lost_every: int) -> None:
    traffic = Traffic(MIX, PRELOADED).run(300, lost_every=lost_every)
    waits = sorted(traffic.waits[Lane.REALTIME])
    assert waits[len(waits) * 99 // 100] < 3  # a second of coalescing and the push itself come on top
    assert mean(traffic.sizes) > 95
    assert traffic.sent[Lane.ENRICHMENT] > 5_000
    assert traffic.sent[Lane.BACKFILL] > 5_000


def test_a_flood_in_realtime_leaves_the_lanes_behind_it_their_half_pushes() -> None:
    flood = {key: 3.0 * rate for key, rate in MIX.items()}
    traffic = Traffic(flood, PRELOADED).run(120)
    assert traffic.sent[Lane.ENRICHMENT] >= 120 * SLOTS_A_SECOND * 0.05 * 50
    assert traffic.sent[Lane.BACKFILL] >= 120 * SLOTS_A_SECOND * 0.05 * 50


def test_a_small_kind_is_not_passed_over_for_long_by_a_flood_of_another() -> None:
    rates = {(RecordKind.ORDER, Lane.REALTIME): 270.0, (RecordKind.MOMENT, Lane.REALTIME): 1.0}
    traffic = Traffic(rates).run(60)
    assert max(traffic.waits[Lane.REALTIME]) < 4


def test_without_load_nothing_waits_for_company() -> None:
    traffic = Traffic({(RecordKind.CONTACT, Lane.BACKFILL): 1.0}).run(30)
    assert max(traffic.waits[Lane.BACKFILL]) == 0


def test_a_slot_with_nothing_urgent_goes_to_a_kind_that_fills_it_and_its_owners_records_ride_along() -> None:
    ready = [
        Ready(RecordKind.MOMENT, Lane.REALTIME, 3, NOON - timedelta(seconds=1)),
        Ready(RecordKind.CONTACT, Lane.REALTIME, 3, NOON),
        Ready(RecordKind.CONTACT, Lane.BACKFILL, 100, NOON),
        Ready(RecordKind.ORDER, Lane.ENRICHMENT, 100, NOON - timedelta(hours=1)),
    ]
    assert plan.choose_kind(ready, (Lane.REALTIME,), NOON) is RecordKind.CONTACT


def test_a_lanes_turn_is_its_own_however_old_the_others_work_is() -> None:
    ready = [
        Ready(RecordKind.PRODUCT, Lane.ENRICHMENT, 100, NOON),
        Ready(RecordKind.ORDER, Lane.BACKFILL, 100, NOON - timedelta(hours=1)),
    ]
    assert plan.choose_kind(ready, BEHIND, NOON) is RecordKind.PRODUCT


def test_nothing_due_is_no_push() -> None:
    assert plan.choose_kind([], (Lane.REALTIME,), NOON) is None


queues = st.dictionaries(
    st.tuples(st.sampled_from(RecordKind), st.sampled_from(Lane)), st.integers(1, 3_000), min_size=1, max_size=8
)


@given(queues, st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_whatever_waits_is_sent_in_as_many_slots_as_its_records_need(
    waiting: dict[tuple[RecordKind, Lane], int], share: float
) -> None:
    """No work is left while slots go by: one slot for every full push, and one more for every kind's last."""
    traffic = Traffic({}, waiting)
    needed = sum(-(-sum(n for (kind, _), n in waiting.items() if kind is own) // BATCH) for own in RecordKind)
    traffic.run(-(-needed // SLOTS_A_SECOND), share)
    assert sum(traffic.sent.values()) == sum(waiting.values())
    assert all(traffic.sizes)


@given(queues, st.sampled_from(list(Lane)), st.sampled_from(list(RecordKind)))
def test_nothing_starves_whatever_keeps_coming(
    waiting: dict[tuple[RecordKind, Lane], int], lane: Lane, kind: RecordKind
) -> None:
    """One record of any kind in any lane goes within as many turns as its lane has full pushes before it."""
    ahead = {key: n for key, n in waiting.items() if key != (kind, lane)}
    traffic = Traffic({key: 200.0 for key in product(RecordKind, (Lane.REALTIME,)) if key != (kind, lane)}, ahead)
    traffic.queues[kind, lane].append(0.0)
    own = sum(n for (_, at), n in ahead.items() if at is lane)
    behind = 1 if lane is Lane.REALTIME else 10 / SLOTS_A_SECOND
    before_it = 4 * (4 + -(-own // (BATCH - plan.REALTIME_QUOTA)))
    traffic.run(int(30 + behind * before_it * 3))
    assert not traffic.queues[kind, lane]


def test_two_full_answers_that_share_nothing_are_a_gap_and_the_watch_begins_again() -> None:
    def full(first: int) -> list[bytes]:
        return [str(n).encode() for n in range(first, first + FEED_SIZE)]

    then, now = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC)
    before = FeedCoverage(then, then, frozenset(full(0)))
    assert update_feed_coverage(before, full(FEED_SIZE), now).covered_since == now
    assert update_feed_coverage(before, full(FEED_SIZE - 1), now).covered_since == then
    assert update_feed_coverage(FeedCoverage(), full(0), now).covered_since == now
    assert update_feed_coverage(before, full(0)[1:], now).covered_since == EPOCH


def test_a_push_of_so_many_bytes_holds_one_record_at_the_least() -> None:
    class Body(Struct):
        body: bytes

    batch = [Body(b"x" * size) for size in (10, 20, 5, 50)]
    assert [len(part) for part in fit_into_bytes(batch, 32)] == [2, 2]
    assert [len(part) for part in fit_into_bytes(batch, 1)] == [1, 3]
    assert [len(part) for part in fit_into_bytes(batch, 1_000)] == [4, 0]
    assert fit_into_bytes([], 10) == ([], [])


@pytest.mark.parametrize(("age", "kind"), [(2.0, RecordKind.ORDER), (1.999, RecordKind.CONTACT)])
def test_a_kind_is_urgent_from_the_end_of_its_patience_on(age: float, kind: RecordKind) -> None:
    waits = Ready(RecordKind.ORDER, Lane.REALTIME, 1, NOON - timedelta(seconds=age))
    full = Ready(RecordKind.CONTACT, Lane.REALTIME, BATCH, NOON)
    small = Ready(RecordKind.PRODUCT, Lane.REALTIME, 1, NOON)
    assert plan.choose_kind([waits, full, small], (Lane.REALTIME,), NOON) is kind


def test_a_push_is_full_with_exactly_as_many_records_over_all_lanes() -> None:
    halves = [Ready(RecordKind.ORDER, lane, BATCH // 2, NOON) for lane in (Lane.REPAIR, Lane.BACKFILL)]
    older = Ready(RecordKind.PRODUCT, Lane.REPAIR, 1, NOON - timedelta(seconds=1))
    assert plan.choose_kind([older, *halves], (Lane.ENRICHMENT,), NOON) is RecordKind.ORDER


@pytest.mark.parametrize(
    ("ours", "theirs", "path"),
    [
        ({"@type": "order", "id": "1"}, {"id": "2"}, "id"),  # instructions are passed over, not the end
        ({"a": True}, {"a": 1.0}, None),
        ({"a": True}, {"a": "1"}, "a"),
        ({"a": 1}, {"a": None}, "a"),
        ({"a": False}, {"a": 0.0001}, "a"),
        ({"a": 0.0001}, {"a": False}, "a"),
        ({"a": 10.0}, {"a": 10.0004}, None),
        ({"a": 0.0}, {"a": 0.0005}, "a"),
        ({"a": 10}, {"a": "10.00"}, None),
        ({"a": 10}, {"a": "ten"}, "a"),
        ({"a": "2026-11-23T09:00:00Z"}, {"a": "2026-11-23 09:00:00+00"}, None),
        ({"a": "2026-11-23T09:00:00"}, {"a": "2026-11-23 09:00:00"}, None),  # nineteen letters are a time
        ({"a": "2026-11-23"}, {"a": "20261123"}, "a"),  # a date is none, however it is written
        ({"a": "20261123T090000000000Z"}, {"a": "2026-11-23T09:00:00Z"}, "a"),
        ({"a": "2026-11-23T09:00:00Z"}, {"a": ["2026-11-23T09:00:00Z"]}, "a"),
        ({"a": [1, {"b": 2}]}, {"a": [1.0, {"b": 3}]}, "a.1.b"),
        ({"a": [1]}, {"a": [1, 2]}, "a"),
    ],
)
def test_what_the_platform_says_otherwise(ours: dict[str, object], theirs: dict[str, object], path: str | None) -> None:
    assert plan.first_difference(ours, theirs) == path
