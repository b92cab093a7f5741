"""After any history of lost, doubled and shuffled deliveries that came to rest, a reconciliation finds nothing."""

import random

import pytest

from histories import History
from isthmus.db.pool import Database
from isthmus.model.lane import Lane
from lengths import LONG

SEEDS = range(1, 41 if LONG else 5)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_found_that_nobody_did(database: Database, seed: int) -> None:
    history = History(database, seed)
    history.town.load()
    history.work()
    for round_ in range(10):
        history.live(seed * 100 + round_, 8)
        history.arrive(round_, order="shuffled", lost=0.4, refused=0.1, copies=1)
        history.process(random.Random(seed).randrange(10, 60), tuple(Lane))
        history.deliver(tuple(Lane))
        history.settle()
        history.town.pass_time(30)
    assert not history.end().differences
    history.town.pass_time(600)
    history.work()
    done = history.town.reconcile()
    assert not done.blind
    assert history.town.findings(done.run) == []
