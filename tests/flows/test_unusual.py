"""What a store states in unusual numbers is carried out and announced; what is usual for it is not."""

from datetime import timedelta

import pytest

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.flows import unusual_volume, webhook_gaps
from plays import Play
from sims.shopify.deeds import people


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def leave(play: Play, n: int, day: int = 0) -> None:
    """So many customers are made and deleted in the shop."""
    for number in range(n):
        who = play.person(f"d{day}n{number}@example.com")
        play.do(people.leave(play.uk, who))
    play.come_to_rest()


def look(play: Play) -> list[str]:
    play.pass_time(60)
    until = webhook_gaps.count_deliveries(play.db, play.context)
    return unusual_volume.report_unusual_volume(
        play.db, play.context, "uk", webhook_gaps.load_activity(play.db, play.context, "uk", until)
    )


def details(play: Play) -> list[tuple[str, str, str, str]]:
    with play.db.transaction() as tx:
        found = [
            one
            for state in ("open", "resolved")
            for one in cases.list_cases(tx, play.context.connection, code=unusual_volume.CODE, state=state)
        ]
    return [(one.state, one.store, one.subject, one.detail or "") for one in found]


def test_a_wave_of_stated_deletions_is_carried_out_and_announced_once(play: Play) -> None:
    leave(play, 5)
    assert look(play) == []
    assert details(play) == []
    leave(play, 1, day=1)
    assert look(play) == ["customers/delete"]
    assert look(play) == ["customers/delete"]
    assert play.rows("SELECT n FROM cases WHERE code = %s", unusual_volume.CODE) == [{"n": 6}]
    said = "6 customers deleted within 24 hours; up to 5 are usual"
    assert details(play) == [("open", "uk", "customers/delete", said)]
    leave(play, 2, day=3)
    assert look(play) == ["customers/delete"]
    assert play.rows("SELECT n FROM cases WHERE code = %s", unusual_volume.CODE) == [{"n": 8}]
    said = said.replace("6", "8")
    assert details(play) == [("open", "uk", "customers/delete", said)]
    with play.db.transaction() as tx:
        assert tx.fetch_value("SELECT count(*) FROM record WHERE kind = 'customer' AND body IS NOT NULL") == 0
    play.pass_time(timedelta(days=1, hours=1).total_seconds())
    assert look(play) == []
    assert details(play) == [("resolved", "uk", "customers/delete", said)]


def test_what_came_as_often_on_an_earlier_day_is_usual(play: Play) -> None:
    leave(play, 4)
    play.pass_time(timedelta(days=2).total_seconds())
    leave(play, 8, day=1)
    assert look(play) == []
    leave(play, 1, day=2)
    assert look(play) == ["customers/delete"]
    assert details(play)[0][3] == "9 customers deleted within 24 hours; up to 8 are usual"


def test_what_people_do_every_day_is_announced_once_a_week_of_it_is_known(play: Play) -> None:
    found = [play.person(f"p{n}@example.com", "SUBSCRIBED") for n in range(8)]
    play.come_to_rest()
    for who in found:
        play.says(who, "UNSUBSCRIBED")
    play.come_to_rest()
    assert look(play) == []
    play.pass_time(timedelta(days=8).total_seconds())
    for state in ("SUBSCRIBED", "UNSUBSCRIBED") * 3:
        for who in found:
            play.says(who, state)
        play.come_to_rest()
        play.pass_time(60)
    assert look(play) == ["customers_email_marketing_consent/update"]
