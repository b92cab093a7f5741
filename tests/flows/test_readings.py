"""Readings that fail are told of when waiting does not help, and no more once one goes through."""

import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from talking import Both

CODES = {"ometria.p429": "platform.rate_limited", "ometria.p502": "platform.unavailable"}


@pytest.fixture
def play(database: Database) -> Both:
    made = Both(database)
    made.come_to_rest()
    return made


@pytest.mark.parametrize("fault", CODES)
def test_readings_turned_away_once_or_twice_are_nobodys_item(play: Both, fault: str) -> None:
    for _ in range(4):
        play.sims.faults.set({fault: 1.0})
        poll_unsubscribes.poll_unsubscribes(play.db, play.context)
        poll_profiles.poll_profiles(play.db, play.context)
        play.sims.faults.set({fault: 0.0})
        poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    assert play.cases(CODES[fault]) == []


@pytest.mark.parametrize("fault", CODES)
def test_readings_turned_away_for_long_are_one_case_until_one_goes_through(play: Both, fault: str) -> None:
    play.sims.faults.set({fault: 1.0})
    for _ in range(3):
        poll_unsubscribes.poll_unsubscribes(play.db, play.context)
        poll_profiles.poll_profiles(play.db, play.context)
    (case,) = play.cases(CODES[fault])
    assert case["subject"] == "readings"
    play.sims.faults.set({fault: 0.0})
    poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    assert play.cases(CODES[fault]) == []


def test_readings_turned_away_rest_a_moment(play: Both) -> None:
    began = play.now
    poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    unhindered = play.now - began
    play.sims.faults.set({"ometria.p429": 1.0})
    poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    play.sims.faults.set({"ometria.p429": 0.0})
    began = play.now
    poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    assert (play.now - began).total_seconds() > unhindered.total_seconds() + 0.5
