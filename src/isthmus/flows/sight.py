"""What the answers of readings come to: records that are there, records that are absent, and nothing at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.road import Road
from isthmus.flows.told import Reading, Told
from isthmus.model import reading
from isthmus.model.event import Outcome, State
from isthmus.model.order import Order
from isthmus.model.reading import Blindness, CannotSee, Found, ReadResult
from isthmus.records import sql as records
from isthmus.records.sql import Canonical, Key

WHY = {
    Blindness.HORIZON: "out of sight: the app sees orders of the last 60 days only",
    Blindness.CHANGED: "not seen: the shop answered both that it is there and that it is not",
    Blindness.ERROR: "not seen: the shop answered with an error",
}


class Seen(Struct):
    """What the readings of a batch told, and how the events ended whose record could not be seen."""

    told: list[Told]
    outcomes: list[Outcome]


def look(
    db: Database, road: Road, readings: Sequence[Reading], results: Mapping[Key, ReadResult[Canonical]],
    asked_at: datetime,
) -> Seen:  # fmt: skip
    """Judge the answers. A record that cannot be seen changes nothing: its event ends, and says why."""
    known = {}
    doubtful = {key for key, result in results.items() if not isinstance(result, Found)}
    if doubtful:
        with db.transaction() as tx:
            known = records.load(tx, road.connection, doubtful, road.packer)
    seen = Seen([], [])
    for one in readings:
        if one.key not in results:
            continue
        kept = known.get(one.key)
        result = dated(results[one.key], kept.record if kept else None, asked_at)
        if isinstance(result, CannotSee):
            subject = f"{one.key[0]}:{one.key[2]}"
            seen.outcomes.append(Outcome(one.event.id, State.SKIPPED, WHY[result.reason], subject))
        else:
            record, is_absent = (result.record, False) if isinstance(result, Found) else (None, True)
            word = Told(one.event, one.key, record, is_reading=True, is_absent=is_absent, said_at=asked_at)
            seen.told.append(word)
    return seen


def dated(result: ReadResult[Canonical], known: Canonical | None, now: datetime) -> ReadResult[Canonical]:
    """The answer in the light of what we know of the record."""
    if not isinstance(known, Order):
        return result
    return reading.dated(result, known.created_at, known.processed_at, now)
