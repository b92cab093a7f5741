"""What the answers of readings come to: records that are there, records that are absent, and nothing at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.road import Road
from isthmus.flows.told import Reading, Told
from isthmus.model import reading
from isthmus.model.event import Outcome, State
from isthmus.model.order import Order
from isthmus.model.reading import Blindness, CannotSee, Found, ReadResult
from isthmus.records import sql as records
from isthmus.records.sql import Canonical, Key
from isthmus.shopify.topics import HISTORY_SCOPE

SCOPE_MISSING = "storefront.scope_missing"

WHY = {
    Blindness.HORIZON: "out of sight: the app sees orders of the last 60 days only",
    Blindness.CHANGED: "not seen: the shop answered both that it is there and that it is not",
    Blindness.ERROR: "not seen: the shop answered with an error",
}


class OutOfSight(Struct, frozen=True):
    """Orders of a store that we know and the app cannot see. `is_accepted` where `orders.horizon` says so."""

    store: str
    n: int
    visible_since: datetime
    is_accepted: bool


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


def out_of_sight(tx: Tx, road: Road, store: str, n: int, now: datetime) -> OutOfSight:
    """Note how many orders of a store the app cannot see; a case where nobody has accepted that."""
    is_accepted = road.orders_horizon != "all"
    since = reading.first_visible(now)
    if not is_accepted:
        detail = f"{HISTORY_SCOPE}: the app sees orders from {since:%Y-%m-%d} on; {n:,} known orders are out of sight"
        cases.touch(tx, road.connection, [Touch(SCOPE_MISSING, "", store, detail)], now)
    return OutOfSight(store, n, since, is_accepted)


def dated(result: ReadResult[Canonical], known: Canonical | None, now: datetime) -> ReadResult[Canonical]:
    """The answer in the light of what we know of the record."""
    if not isinstance(known, Order):
        return result
    return reading.dated(result, known.created_at, known.processed_at, now)
