"""After any history of events and faults, once traffic stops, both sides agree or a case says why not.

The quick histories are the same in every run, so that a failure means a change; the long ones are new each time.
"""

import contextlib
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from histories import DEEDS, PLATFORM_TROUBLE, SHOP_TROUBLE, History
from isthmus.db.pool import Database
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from lengths import histories

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

SEEDS = st.integers(0, 2**16)
LANES = st.lists(st.sampled_from(tuple(Lane)), min_size=1, max_size=4, unique=True).map(tuple)
SHARES = st.sampled_from((0.0, 0.0, 0.0, 0.3))


class AnyHistory(RuleBasedStateMachine):
    """Every rule is something that may happen at any time; the order of the rules is the history."""

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self._open = contextlib.ExitStack()
        self._db = self._open.enter_context(opened())
        self.history: History

    @initialize(
        seed=SEEDS,
        is_idempotent=st.booleans(),
        same_second=st.booleans(),
        touching=st.booleans(),
        is_loaded=st.booleans(),
    )
    def begin(self, seed: int, is_idempotent: bool, same_second: bool, touching: bool, is_loaded: bool) -> None:
        self.history = History(self._db, seed, is_idempotent=is_idempotent, same_second=same_second, touching=touching)
        self.history.town.load()
        self.history.town.poll()  # the watch begins
        if is_loaded:
            self.history.end()

    @rule(seed=SEEDS, steps=st.integers(1, 6))
    def life_goes_on(self, seed: int, steps: int) -> None:
        self.history.live(seed, steps)

    @rule(deed=st.sampled_from(sorted(DEEDS)), seed=SEEDS)
    def it_happens(self, deed: str, seed: int) -> None:
        self.history.do(deed, seed)

    @rule(seconds=st.sampled_from((0.4, 1, 3, 3, 15, 70, 2400, 3600)))
    def time_passes(self, seconds: float) -> None:
        self.history.town.pass_time(seconds)

    @rule(
        seed=SEEDS,
        order=st.sampled_from(("as told", "backwards", "shuffled")),
        lost=SHARES,
        refused=SHARES,
        copies=st.sampled_from((1, 1, 5)),
    )
    def deliveries_arrive(self, seed: int, order: str, lost: float, refused: float, copies: int) -> None:
        self.history.arrive(seed, order=order, lost=lost, refused=refused, copies=copies)

    @rule(limit=st.integers(1, 8), lanes=LANES)
    def some_is_processed(self, limit: int, lanes: tuple[Lane, ...]) -> None:
        self.history.process(limit, lanes)

    @rule(lanes=LANES)
    def some_is_delivered(self, lanes: tuple[Lane, ...]) -> None:
        self.history.deliver(lanes)

    @rule()
    def the_feed_is_read(self) -> None:
        self.history.settle()

    @rule()
    def all_that_is_due_is_done(self) -> None:
        self.history.work()

    @rule()
    def the_shops_are_polled(self) -> None:
        self.history.town.poll()

    @rule()
    def everything_is_listed_again(self) -> None:
        self.history.load_again()

    @rule(trouble=st.sampled_from(sorted(SHOP_TROUBLE)))
    def the_shop_has_trouble(self, trouble: str) -> None:
        self.history.sims.faults.set(SHOP_TROUBLE[trouble])

    @rule(trouble=st.sampled_from(sorted(PLATFORM_TROUBLE)))
    def the_platform_has_trouble(self, trouble: str) -> None:
        self.history.sims.faults.set(PLATFORM_TROUBLE[trouble])

    @rule()
    def all_trouble_is_over(self) -> None:
        self.history.calm()

    @rule(limit=st.integers(1, 20))
    def a_worker_dies_with_events(self, limit: int) -> None:
        self.history.die_with_events(limit)

    @rule(kind=st.sampled_from(tuple(RecordKind)), is_sent=st.booleans())
    def a_worker_dies_with_writes(self, kind: RecordKind, is_sent: bool) -> None:
        self.history.die_with_writes(kind, is_sent=is_sent)

    @precondition(lambda self: len(self.history.stalled) < 2)
    @rule(limit=st.integers(1, 20))
    def a_worker_stalls_while_reading(self, limit: int) -> None:
        self.history.stall_reading(limit)

    @precondition(lambda self: len(self.history.stalled) < 2)
    @rule()
    def a_worker_stalls_while_pushing(self) -> None:
        self.history.stall_pushing()

    @precondition(lambda self: self.history.stalled)
    @rule()
    def the_stalled_go_on(self) -> None:
        self.history.go_on()

    @rule(lane=st.sampled_from((None, *Lane)))
    def somebody_pauses(self, lane: Lane | None) -> None:
        self.history.pause(lane)

    @rule()
    def somebody_resumes(self) -> None:
        self.history.resume()

    @invariant()
    def what_must_hold_holds(self) -> None:
        self.history.check()

    def teardown(self) -> None:
        try:
            if hasattr(self, "history"):
                assert self.history.end().differences == ()
        finally:
            self._open.close()


def test_any_history_ends_in_agreement_or_in_a_case(fresh_database: Opened) -> None:
    how = histories(20, 1_500, steps=(30, 60))
    run_state_machine_as_test(lambda: AnyHistory(fresh_database), settings=how)
