"""Two workers do not make the same reading: what one of them reads answers the other's event, too."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from isthmus.db.pool import Database, Tx
from isthmus.flows.road import Road
from isthmus.flows.sight import DELETING
from isthmus.flows.told import REVIVE, Heard, Reading
from isthmus.inbox.readings import sql as readings
from isthmus.inbox.readings.sql import Asked
from isthmus.model.event import Outcome, State
from isthmus.model.reading import Found, ReadResult
from isthmus.records.sql import Canonical, Key

LOOK_AFTER = timedelta(seconds=0.5)
"""When an event whose record somebody else reads is looked at again."""


def join(
    db: Database, road: Road, claim: UUID, heard: Heard, asked: Sequence[Reading], lease: timedelta
) -> list[Reading]:
    """The readings that are ours to make. Events that another reading answers end here or wait for it.

    Not where the event says more than that the record changed: that it goes or comes back, or what its body lacked.
    """
    plain = [one for one in asked if _is_plain(one)]
    if not plain:
        return list(asked)
    now = road.clock.now()
    wanted: dict[Key, Asked] = {}
    for one in plain:
        before = wanted.get(one.key)
        lane, heard_at = one.event.lane.rank, one.event.received_at
        if before is not None:
            lane, heard_at = min(lane, before.lane), max(heard_at, before.heard_at)
        wanted[one.key] = Asked(one.key, lane, heard_at)
    with db.transaction() as tx:
        told, under_way = readings.begin(tx, road.connection, list(wanted.values()), claim, now, now + lease)
    ours = []
    for one in asked:
        if one.key in told and _is_plain(one):
            subject = f"{one.key[0]}:{one.key[2]}"
            heard.outcomes.append(Outcome(one.event.id, State.APPLIED, "read since for another event", subject))
        elif one.key in under_way and _is_plain(one):
            heard.waiting.append((one.event, LOOK_AFTER))
        else:
            ours.append(one)
    return ours


def end(
    tx: Tx,
    road: Road,
    claim: UUID,
    made: Sequence[Reading],
    found: Mapping[Key, ReadResult[Canonical]],
    now: datetime,
) -> None:
    """In the transaction that takes in what was read."""
    keys = sorted({one.key for one in made if _is_plain(one)})
    told = [key for key in keys if isinstance(found.get(key), Found)]
    readings.end(tx, road.connection, claim, told, [key for key in keys if key not in told], now)


def _is_plain(one: Reading) -> bool:
    return one.why is None and one.event.topic not in DELETING and not one.event.topic.startswith(REVIVE)
