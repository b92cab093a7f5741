"""How often Ometria's profiles are looked at one by one: once or twice for each change, by one worker, and never
at rest."""

from collections import Counter
from datetime import datetime

import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.flows.consent.write_back import write_back
from isthmus.identity.sql import profiles as seen
from plays import Play
from talking import OUT, Both

N = 12


class AsInLife(Both):
    """Who changed is asked every two minutes, as the scheduler does."""

    def work(self) -> None:
        poll_unsubscribes.poll_unsubscribes(self.db, self.context)
        if poll_profiles.is_poll_due(self.db, self.context):
            poll_profiles.poll_profiles(self.db, self.context)
        poll_profiles.recheck_profiles(self.db, self.context)
        Play.work(self)
        write_back(self.db, self.context)


@pytest.fixture
def play(database: Database) -> Both:
    play = AsInLife(database)
    for n in range(N):
        play.person(f"p{n}@example.com", "SUBSCRIBED")
    play.rest()
    play.pass_time(130)
    play.rest()
    return play


def looks(play: Both, since: int) -> Counter[str]:
    """Readings of single profiles."""
    return Counter(
        entry["path"]
        for entry in play.sims.tape.read(limit=200_000)
        if entry["n"] > since and entry["method"] == "GET" and "/profiles/" in entry["path"]
    )


def test_each_of_many_opt_outs_is_looked_at_once_or_twice_until_it_has_settled(play: Both) -> None:
    """The list of unsubscriptions tells the same again and again for ten minutes."""
    mark = play.mark()
    for tick in range(60):
        if tick % 4 == 0 and tick // 4 < N:
            play.leaves(f"p{tick // 4}@example.com")
        play.work()
        play.pass_time(10)
    play.rest()
    found = looks(play, mark)
    assert {play.mailable(f"p{n}@example.com") for n in range(N)} == {OUT}
    assert 0 < len(found) <= N  # some were on the page of those who changed by then
    assert max(found.values()) <= 2
    mark = play.mark()
    for _ in range(12):
        play.work()
        play.pass_time(10)
    assert looks(play, mark) == Counter()


def test_two_workers_never_look_at_the_same_profile(play: Both) -> None:
    now = play.now
    with play.db.transaction() as tx:
        seen.mark_for_recheck(tx, "acme", [f"p{n}@example.com" for n in range(N)], now)
    mine, theirs = taken(play, now, 5), taken(play, now, 5)
    assert len(mine) == len(theirs) == 5
    assert not mine & theirs
    assert len(taken(play, now, 50)) == N - 10  # what is taken is somebody's until its time is up
    assert len(taken(play, later(now), 50)) == N


def test_while_something_of_ours_is_on_its_way_nothing_is_asked(play: Both) -> None:
    play.leaves("p0@example.com")
    poll_unsubscribes.poll_unsubscribes(play.db, play.context)
    play.hear()
    play.pass_time(60)  # the opt-out is desired, and nobody pushes
    mark = play.mark()
    for _ in range(5):
        assert poll_profiles.recheck_profiles(play.db, play.context) == 0
        play.pass_time(10)
    assert looks(play, mark) == Counter()
    play.rest()
    assert sum(looks(play, mark).values()) <= 2


def test_one_worker_at_a_time_asks_whose_profile_changed(play: Both) -> None:
    asked = []
    play.pass_time(600)

    def goes_on() -> bool:
        # Meanwhile another one comes along.
        asked.append(poll_profiles.poll_profiles(play.db, play.context))
        return True

    mark = play.mark()
    poll_profiles.poll_profiles(play.db, play.context, goes_on)
    pages = [e for e in play.sims.tape.read(limit=200_000) if e["n"] > mark and e["path"].endswith("/profiles")]
    assert asked == [0]
    assert len(pages) == 1


def later(now: datetime) -> datetime:
    return now + poll_profiles.RECHECK_WAITS


def taken(play: Both, now: datetime, n: int) -> set[str]:
    with play.db.transaction() as tx:
        return {one.id for one in seen.claim_profiles(tx, "acme", now, later(now), n)}
