"""What every random history of people who speak has: work, time, and a look at each step and at the end."""

import contextlib
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from isthmus.db.pool import Database
from talks import ADDRESSES, Talk

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

PEOPLE = st.sampled_from(ADDRESSES)
STEPS = ("deliveries", "process", "push", "settle", "listen", "attend", "write", "work", "work")


class AnyTalking(RuleBasedStateMachine):
    """Every rule is something that may happen at any time; the order of the rules is the history. Whoever begins one
    sets `talk`."""

    talk: Talk

    def __init__(self, opened: Opened) -> None:
        super().__init__()
        self._open = contextlib.ExitStack()
        self._db = self._open.enter_context(opened())

    @rule(what=st.sampled_from(STEPS))
    def some_work_is_done(self, what: str) -> None:
        self.talk.step(what)

    @rule(seconds=st.sampled_from((1, 3, 15, 70)))
    def time_passes(self, seconds: float) -> None:
        self.talk.pass_time(seconds)

    @invariant()
    def nobody_is_opted_in_against_their_word(self) -> None:
        if hasattr(self, "talk"):
            self.talk.check()

    def teardown(self) -> None:
        try:
            if hasattr(self, "talk"):
                self.talk.end()
        finally:
            self._open.close()
