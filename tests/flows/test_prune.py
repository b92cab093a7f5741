"""The nightly prune keeps every growing table within its retention, and the books as they were."""

from datetime import timedelta

from isthmus.db.pool import Database
from isthmus.flows.prune import Retention, prune
from isthmus.ops.numbers import as_json, status
from scenes import Town


def counted(db: Database, table: str) -> int:
    with db.transaction() as tx:
        return int(tx.fetch_value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names from this file


def test_what_grows_is_forgotten_in_its_time_and_the_counters_stay(database: Database) -> None:
    town = Town(database)
    town.load()
    town.sims.live(20)
    town.pass_time(3)
    town.come_to_rest()
    before = as_json(status(database, town.clock.now()))["connections"][0]
    grown = ("event", "event_key", "event_body", "attempt")
    assert all(counted(database, table) for table in grown)

    town.clock.advance(timedelta(days=8).total_seconds())
    prune(database, town.clock.now(), Retention())
    assert not counted(database, "event_key"), "keys are kept seven days"
    assert all(counted(database, table) for table in ("event", "event_body", "attempt"))

    town.clock.advance(timedelta(days=100).total_seconds())
    prune(database, town.clock.now(), Retention())
    assert [counted(database, table) for table in grown] == [0, 0, 0, 0]
    after = as_json(status(database, town.clock.now()))["connections"][0]
    assert after["events"] == before["events"]
    assert after["accounting"] == before["accounting"]
