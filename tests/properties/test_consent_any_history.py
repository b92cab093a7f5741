"""Whatever people say on either side, and whatever goes wrong: nobody is opted in against their newest known word, and
in the end both sides agree or a case says why not.

The quick histories are the same in every run, so that a failure means a change; the long ones are new each time.
"""

import contextlib

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from isthmus.model.failure import Failure
from lengths import histories
from talking_machine import PEOPLE, AnyTalking, Opened
from talks import TROUBLE, WAYS, Talk

SHOPS = st.sampled_from(("uk", "int"))


class AnyTalk(AnyTalking):
    talk: Talk

    @initialize(
        seed=st.integers(0, 2**16), lag=st.sampled_from((0.0, 0.0, 20.0)), tie=st.sampled_from(("latest", "optout"))
    )
    def begin(self, seed: int, lag: float, tie: str) -> None:
        self.talk = Talk(self._db, seed)
        self.talk.sims.ometria.turn({"unsub_lag": lag, "forced_tie": tie})

    @rule(email=PEOPLE, shop=SHOPS, state=st.sampled_from((None, "SUBSCRIBED", "UNSUBSCRIBED")))
    def somebody_appears(self, email: str, shop: str, state: str | None) -> None:
        self.talk.appears(email, shop, state)

    @rule(
        email=PEOPLE, shop=SHOPS, state=st.sampled_from(("SUBSCRIBED", "UNSUBSCRIBED")),
        earlier=st.sampled_from((0, 0, 0, 30, 600)),
    )  # fmt: skip
    def somebody_speaks_in_a_shop(self, email: str, shop: str, state: str, earlier: float) -> None:
        self.talk.says(email, shop, state, earlier)

    @rule(email=PEOPLE, way=st.sampled_from(WAYS))
    def somebody_unsubscribes(self, email: str, way: str) -> None:
        self.talk.leaves(email, way)

    @rule(email=PEOPLE)
    def somebody_subscribes_again(self, email: str) -> None:
        self.talk.returns(email)

    @rule(email=PEOPLE, shop=SHOPS, to=PEOPLE)
    def somebody_changes_address(self, email: str, shop: str, to: str) -> None:
        self.talk.changes_address(email, shop, to)

    @rule(holding=st.sampled_from(("events", "pushes", "writes")))
    def a_worker_dies(self, holding: str) -> None:
        self.talk.dies(holding)

    @rule()
    def everything_is_loaded_again(self) -> None:
        with contextlib.suppress(Failure):  # a shop that answers nothing cannot be loaded; whoever runs it tries again
            self.talk.backfill(again=True)

    @rule()
    def the_shops_are_polled(self) -> None:
        self.talk.poll()

    @rule(trouble=st.sampled_from(sorted(TROUBLE)))
    def there_is_trouble(self, trouble: str) -> None:
        self.talk.sims.faults.set(TROUBLE[trouble])

    @rule()
    def all_trouble_is_over(self) -> None:
        self.talk.calm()


def test_whatever_is_said_both_sides_end_equal_or_a_case_says_why(fresh_database: Opened) -> None:
    how = histories(25, 10_000, steps=(25, 40))
    run_state_machine_as_test(lambda: AnyTalk(fresh_database), settings=how)
