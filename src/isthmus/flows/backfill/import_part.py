"""Take one part of a result in: joined in memory, absorbed in batches like everything else, each in a transaction."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from msgspec import Struct

from isthmus.db.pool import Database, Tx, is_retryable, is_unavailable
from isthmus.flows.backfill.spool import Part
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import ParsedUpdate
from isthmus.flows.store_records import store_records
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Event, RefetchRequest
from isthmus.model.lane import Lane
from isthmus.records.sql import store as records
from isthmus.records.sql.store import record_key
from isthmus.runs.sql import bulk_loads as loads
from isthmus.runs.sql.bulk_loads import Load
from isthmus.shopify.parse import lines
from isthmus.shopify.parse.lines import BulkRecord

AT_ONCE = 400
"""Records of a transaction: enough to share the round trips, and so few that live traffic never waits for long."""

TRIES = 5
"""How often a batch that only met somebody else's lock is tried."""


class Taken(Struct, frozen=True):
    """A part that is in: its number, how many records it held, how many of them are read one by one."""

    part: int
    n: int
    n_read: int


def import_part(
    db: Database, context: ConnectionContext, load: Load, part: Part, tell: Callable[[int], None] = lambda _: None
) -> Taken:
    """Take a part in; may be done twice without harm.

    `tell` hears how many more records are in than the parts that are done hold; with the last it is taken back.
    """
    keys = context.shops[load.store].rules.keys
    found = lines.join_lines(load.kind, part.path.read_bytes().splitlines(), keys) if part.path.exists() else iter(())
    n = n_read = 0
    for batch, is_last in _batches(found):
        told = [one for one in batch if one.record is not None]
        unread = [one for one in batch if one.record is None]
        n, n_read = n + len(batch), n_read + len(unread)
        taken = Taken(part.number, n, n_read)
        _patiently(db, context, load, told, unread, taken if is_last else None)
        tell(len(batch) - n if is_last else len(batch))
    return Taken(part.number, n, n_read)


def _batches(found: Iterable[BulkRecord]) -> Iterator[tuple[list[BulkRecord], bool]]:
    """Some at a time, with whether these are the last; one empty batch where there are none."""
    left = iter(found)
    batch = list(islice(left, AT_ONCE))
    while True:
        following = list(islice(left, AT_ONCE))
        yield batch, not following
        if not following:
            return
        batch = following


def _patiently(
    db: Database,
    context: ConnectionContext,
    load: Load,
    told: Sequence[BulkRecord],
    unread: Sequence[BulkRecord],
    taken: Taken | None,
) -> None:
    """One batch in one transaction. One that fails as nobody foresaw is read record by record, so that only the record
    at fault is buried, where all such are.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with db.transaction() as tx:
                _keep(tx, context, load, told, unread, taken)
                return
        except Exception as error:
            if is_unavailable(error) or (is_retryable(error) and attempt == TRIES):
                raise
            if not is_retryable(error):
                break
    with db.transaction() as tx:
        _keep(tx, context, load, (), [*told, *unread], taken)


def _keep(
    tx: Tx,
    context: ConnectionContext,
    load: Load,
    told: Sequence[BulkRecord],
    unread: Sequence[BulkRecord],
    taken: Taken | None,
) -> None:
    now = context.clock.now()
    event = Event(0, load.store, f"load/{load.kind}", Lane.BACKFILL, None, None, now, None, 1, None, None)
    words = [
        ParsedUpdate(event, record_key(load.store, one.record), one.record, is_reading=True, said_at=load.began_at)
        for one in told
        if one.record is not None
    ]
    store_records(tx, context, words, now)
    if taken is not None:
        loads.finish_part(tx, context.connection, load.id, taken.part, taken.n, taken.n_read, now)
    _read_later(tx, context, load, unread, now)


def _read_later(tx: Tx, context: ConnectionContext, load: Load, unread: Sequence[BulkRecord], now: datetime) -> None:
    """Put records that the lines could not tell in the pipeline, but for those of which we know as much or more."""
    if not unread:
        return
    known = records.record_versions(tx, context.connection, load.kind, load.store, [str(one.id) for one in unread])
    hints = [
        RefetchRequest(f"load/{load.kind}", f"{load.kind}:{one.id}", Lane.BACKFILL, now)
        for one in unread
        if one.updated_at is None or (version := known.get(str(one.id))) is None or version.updated_at < one.updated_at
    ]
    inbox.enqueue_internal(tx, context.connection, load.store, hints, now)
