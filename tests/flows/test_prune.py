"""The nightly prune keeps every growing table within its retention, and the books as they were."""

from datetime import timedelta

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows.prune import Retention, prune_all
from isthmus.inbox.sql import events as inbox
from isthmus.kit.ids import claim_id
from isthmus.model.event import EventOutcome, EventState, RefetchRequest
from isthmus.model.lane import Lane
from isthmus.ops.status import read_status, status_as_json
from scenes import Town
from sims.neighbourhood import Sizes


def counted(db: Database, table: str) -> int:
    with db.transaction() as tx:
        return int(tx.fetch_value(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names from this file


def test_what_grows_is_forgotten_in_its_time_and_the_counters_stay(database: Database) -> None:
    town = Town(database)
    town.load()
    town.sims.live(20)
    town.pass_time(3)
    town.come_to_rest()
    before = status_as_json(read_status(database, town.clock.now()))["connections"][0]
    grown = ("event", "event_key", "event_body", "attempt")
    assert all(counted(database, table) for table in grown)

    town.clock.advance(timedelta(days=8).total_seconds())
    prune_all(database, town.clock.now(), Retention())
    assert not counted(database, "event_key"), "keys are kept seven days"
    assert all(counted(database, table) for table in ("event", "event_body", "attempt"))

    town.clock.advance(timedelta(days=100).total_seconds())
    prune_all(database, town.clock.now(), Retention())
    assert [counted(database, table) for table in grown] == [0, 0, 0, 0]
    after = status_as_json(read_status(database, town.clock.now()))["connections"][0]
    assert after["events"] == before["events"]
    assert after["accounting"] == before["accounting"]


def test_failed_and_quarantined_events_and_their_cases_outlive_retention(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=1, orders=1, products=1))
    now = town.clock.now()
    outcomes = [EventState.BURIED, EventState.PARKED, EventState.APPLIED, EventState.STALE, EventState.SKIPPED]
    with database.transaction() as tx:
        hints = [RefetchRequest("repair/order", f"order:{n}", Lane.REPAIR, now) for n in range(len(outcomes) + 1)]
        inbox.enqueue_internal(tx, "acme", "uk", hints, now)
        claim = claim_id()
        events = inbox.claim_events(tx, "acme", tuple(Lane), now, len(outcomes), claim, timedelta(seconds=12))
        inbox.settle_events(
            tx, "acme", claim, [EventOutcome(e.id, state) for e, state in zip(events, outcomes, strict=True)], now
        )
        cases.open_or_count(tx, "acme", [Touch("internal.bug", "order:0")], now)
    for _ in range(3):
        town.clock.advance(timedelta(days=400).total_seconds())
        prune_all(database, town.clock.now(), Retention())
    with database.transaction() as tx:
        left = [row["state"] for row in tx.fetch_all("SELECT state FROM event ORDER BY state")]
        assert left == ["buried", "parked", "waiting"]
        assert tx.fetch_value("SELECT count(*) FROM cases WHERE state = 'open'") == 1
