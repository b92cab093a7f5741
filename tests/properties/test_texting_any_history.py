"""Whatever people say about text messages on either side, with and without double opt-in: no opt-in goes out against
their newest known word, none goes where it counts for nothing, and nobody is texted whom the shops may not text."""

import contextlib

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from isthmus.model.failure import Failure
from lengths import histories
from talking_machine import PEOPLE, AnyTalking, Opened
from talks import ADDRESSES, TROUBLE
from texts import LEVELS, Texts

SHOPS = st.sampled_from(("uk", "uk", "int"))


class AnyTexts(AnyTalking):
    talk: Texts

    @initialize(seed=st.integers(0, 2**16), is_double=st.booleans())
    def begin(self, seed: int, *, is_double: bool) -> None:
        self.talk = Texts(self._db, seed, is_double=is_double)
        for email in ADDRESSES:
            self.talk.appears(email, "uk", None)
        self.talk.arrive()

    @rule(email=PEOPLE)
    def somebody_appears_in_the_other_shop(self, email: str) -> None:
        self.talk.appears(email, "int", None)

    @rule()
    def everything_arrives(self) -> None:
        self.talk.arrive()

    @rule(email=PEOPLE, shop=SHOPS, word=st.sampled_from(("confirmed", "confirmed", "single", "no", "no", "stop")))
    def somebody_speaks(self, email: str, shop: str, word: str) -> None:
        self._speak(email, shop, word)

    @rule(email=PEOPLE, first=st.sampled_from(("confirmed", "single")), then=st.sampled_from(("no", "stop")))
    def somebody_says_yes_and_then_no(self, email: str, first: str, then: str) -> None:
        self._speak(email, "uk", first)
        self.talk.arrive()
        self._speak(email, "uk", then)

    @rule(email=PEOPLE, shop=SHOPS)
    def a_number_is_emptied(self, email: str, shop: str) -> None:
        self.talk.empties(email, shop)

    def _speak(self, email: str, shop: str, word: str) -> None:
        match word:
            case "stop":
                self.talk.stops(email)
            case "no":
                self.talk.texts(email, shop, "UNSUBSCRIBED", LEVELS[0])
            case _:
                self.talk.texts(email, shop, "SUBSCRIBED", LEVELS[word == "confirmed"])

    @rule(what=st.sampled_from((*sorted(TROUBLE), "calm", "calm", "calm", "load", "events", "pushes", "writes")))
    def something_goes_wrong_or_well_again(self, what: str) -> None:
        match what:
            case "calm":
                self.talk.calm()
            case "load":
                with contextlib.suppress(Failure):  # a shop that answers nothing cannot be loaded; one tries again
                    self.talk.backfill(again=True)
            case "events" | "pushes" | "writes":
                self.talk.dies(what)
            case _:
                self.talk.sims.faults.set(TROUBLE[what])


def test_whatever_is_said_about_text_messages_nobody_is_texted_who_said_no(fresh_database: Opened) -> None:
    how = histories(15, 2_000, steps=(40, 60))
    run_state_machine_as_test(lambda: AnyTexts(fresh_database), settings=how)
