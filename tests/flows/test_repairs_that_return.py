"""A repair counts as repaired when a later look found it so; one that does not hold is told apart and rests a day."""

from datetime import timedelta
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.reconcile.run import Reconciled
from plays import Play

CODE = "integration.repair_returns"
WRONG = "platform.differs"


@pytest.fixture
def play(database: Database) -> Play:
    play = Play(database)
    play.ada = play.person("ada@example.com", "SUBSCRIBED")  # type: ignore[attr-defined]
    play.first = play.orders(play.ada)  # type: ignore[attr-defined]
    settled(play)
    return play


def settled(play: Play) -> None:
    play.come_to_rest()
    play.pass_time(600)


def overwritten(play: Play, **changed: Any) -> None:
    """Somebody else writes the order in Ometria."""
    alter(play, play.sims.ometria.account.orders, f"uk:{play.first.id}", **changed)  # type: ignore[attr-defined]


def alter(play: Play, shelf: Any, own: str, **changed: Any) -> None:
    row = shelf.get(own)
    row.record.update(changed)
    row.updated_at = play.now
    row.version += 1
    shelf.put(own, row)


def night(play: Play) -> Reconciled:
    done = play.reconcile()
    settled(play)
    return done


def repairs(play: Play, done: Reconciled) -> list[tuple[str, str | None]]:
    return [(one.code, one.repair) for one in play.findings(done.run)]


def test_a_repair_that_held_counts_when_a_later_look_finds_it_right(play: Play) -> None:
    overwritten(play, status="lost")
    first = night(play)
    assert (first.n_findings, first.n_found_right) == (1, 0)
    second = night(play)
    assert (second.n_findings, second.n_found_right) == (0, 1)
    assert night(play).n_found_right == 0
    assert not play.cases(CODE)


def test_a_repair_that_returns_is_a_case_of_its_own_and_rests_for_a_day(play: Play) -> None:
    overwritten(play, status="lost")
    assert repairs(play, night(play)) == [(WRONG, "send")]
    overwritten(play, status="lost")
    assert repairs(play, night(play)) == [(WRONG, None)]
    (case,) = play.cases(CODE)
    assert (case["subject"], case["store"]) == (f"order:uk:{play.first.id}", "")  # type: ignore[attr-defined]
    assert case["detail"].startswith("repaired once, returns: platform.differs at status")
    play.pass_time(timedelta(hours=23).total_seconds())
    assert repairs(play, night(play)) == [(WRONG, "send")]
    overwritten(play, status="lost")
    night(play)
    (case,) = play.cases(CODE)
    assert case["detail"].startswith("repaired 2 times, returns: ")


def test_the_case_closes_when_both_sides_are_found_right(play: Play) -> None:
    overwritten(play, status="lost")
    night(play)
    overwritten(play, status="lost")
    night(play)
    assert play.cases(CODE)
    play.pass_time(timedelta(hours=23).total_seconds())
    night(play)
    night(play)
    assert not play.cases(CODE)


def test_a_new_change_of_the_same_record_is_no_repair_that_returns(play: Play) -> None:
    for _ in range(2):
        play.says(play.ada, "UNSUBSCRIBED", is_told=False)  # type: ignore[attr-defined]
        play.pass_time(600)
        assert repairs(play, night(play)) == [("integration.missed_change", "read")]
        play.says(play.ada, "SUBSCRIBED", is_told=False)  # type: ignore[attr-defined]
        play.pass_time(600)
        night(play)
    assert not play.cases(CODE)


def test_an_opt_out_is_repaired_however_often_it_returns(play: Play) -> None:
    play.says(play.ada, "UNSUBSCRIBED")  # type: ignore[attr-defined]
    settled(play)
    contacts = play.sims.ometria.account.collections["shopify"]
    for _ in range(3):
        alter(play, contacts, f"uk:{play.ada.id}", marketing_optin="EXPLICITLY_OPTEDIN")  # type: ignore[attr-defined]
        (found,) = repairs(play, night(play))
        assert found[1] == "send"
        assert play.contact(play.ada)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"  # type: ignore[attr-defined]
    told = play.rows("SELECT state, detail FROM cases WHERE code = %s ORDER BY id", CODE)
    assert {one["state"] for one in told} == {"resolved"}  # each time Ometria was seen to have it
    assert [one["detail"].partition(",")[0] for one in told] == ["repaired once", "repaired 2 times"]
