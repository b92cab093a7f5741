"""Three sides held against each other: what differs is found, blamed on the right layer, and put right."""

from datetime import timedelta

from isthmus.db.pool import Database
from scenes import Town


def loaded(db: Database, seed: int = 1) -> Town:
    """A town whose history is on both sides, a while ago."""
    town = Town(db, seed=seed)
    town.load()
    town.come_to_rest()
    town.pass_time(timedelta(minutes=10).total_seconds())
    return town


def test_a_town_where_nothing_went_wrong_has_no_findings(database: Database) -> None:
    town = loaded(database)
    done = town.reconcile()
    assert town.findings(done.run) == []
    assert done.n_findings == 0
    assert not done.blind
    assert all(done.n_read[f"store {store} {kind}s"] for store in ("uk", "int") for kind in ("order", "customer"))
    assert all(done.n_read[f"platform {kind}s"] for kind in ("product", "customer", "order"))
