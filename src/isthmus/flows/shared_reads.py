"""Two workers do not make the same reading: what one of them reads answers the other's event, too."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.out_of_sight import DELETING
from isthmus.flows.parse_events import REVIVE, FetchRequest, ParsedBatch
from isthmus.inbox.sql import shared_reads as readings
from isthmus.inbox.sql.shared_reads import ReadRequest
from isthmus.model.event import EventOutcome, EventState
from isthmus.model.reading import Found, ReadResult
from isthmus.records.sql.store import Canonical, Key

CHECK_AFTER = timedelta(seconds=0.5)
"""When an event whose record somebody else reads is looked at again."""


def join_reads(
    db: Database,
    context: ConnectionContext,
    claim: UUID,
    heard: ParsedBatch,
    asked: Sequence[FetchRequest],
    lease: timedelta,
) -> list[FetchRequest]:
    """The readings that are ours to make. Events that another reading answers end here or wait for it.

    Not where the event says more than that the record changed: that it goes or comes back, or what its body lacked.
    """
    plain = [one for one in asked if _is_plain(one)]
    if not plain:
        return list(asked)
    now = context.clock.now()
    wanted: dict[Key, ReadRequest] = {}
    for one in plain:
        before = wanted.get(one.key)
        lane, heard_at = one.event.lane.rank, one.event.received_at
        if before is not None:
            lane, heard_at = min(lane, before.lane), max(heard_at, before.heard_at)
        wanted[one.key] = ReadRequest(one.key, lane, heard_at)
    with db.transaction() as tx:
        told, under_way = readings.begin_reads(tx, context.connection, list(wanted.values()), claim, now, now + lease)
    ours = []
    for one in asked:
        if one.key in told and _is_plain(one):
            subject = f"{one.key[0]}:{one.key[2]}"
            heard.outcomes.append(
                EventOutcome(one.event.id, EventState.APPLIED, "read since for another event", subject)
            )
        elif one.key in under_way and _is_plain(one):
            heard.waiting.append((one.event, CHECK_AFTER))
        else:
            ours.append(one)
    return ours


def finish_reads(
    tx: Tx,
    context: ConnectionContext,
    claim: UUID,
    made: Sequence[FetchRequest],
    found: Mapping[Key, ReadResult[Canonical]],
    now: datetime,
) -> None:
    """In the transaction that takes in what was read."""
    keys = sorted({one.key for one in made if _is_plain(one)})
    told = [key for key in keys if isinstance(found.get(key), Found)]
    readings.finish_reads(tx, context.connection, claim, told, [key for key in keys if key not in told], now)


def _is_plain(one: FetchRequest) -> bool:
    return one.why is None and one.event.topic not in DELETING and not one.event.topic.startswith(REVIVE)
