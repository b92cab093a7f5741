"""Take a store back that was out of the connection file for a while.

Meanwhile nobody told us what was said in its shop, and nobody mapped its people when somebody spoke in Ometria. So
nothing of the store is sent until both sides have been asked and all its people have been mapped again.
"""

from datetime import datetime

from isthmus.db.pool import Database, Tx
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.outbox.sql.opt_in_gate import RETURNING
from isthmus.records.sql import store as records
from isthmus.runs.sql import watermarks as runs

AT_ONCE = 1_000
ASKED = "returning:asked"
"""When the people of the store were asked for, after both sides had been."""

POLLED = "poll:customer"


def note_returning_store(tx: Tx, connection: str, store: str, now: datetime) -> bool:
    """A store is in the file that was not there before; whether it was there once, so that it has come back."""
    if not records.has_records(tx, connection, store):
        return False
    runs.restart_loads(tx, connection, store, [RETURNING, ASKED])
    runs.create_watermarks(tx, connection, store, [RETURNING], now)
    return True


def returning_stores(marks: dict[tuple[str, str], runs.Mark]) -> list[str]:
    """The stores that are coming back."""
    return sorted(store for store, name in marks if name == RETURNING)


def run_step(db: Database, context: ConnectionContext) -> int:
    """One step for each store that is coming back: ask both sides, have everybody mapped, let the store go on; how many
    are still not there."""
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
    waiting = [store for store in returning_stores(marks) if store in context.shops]
    fresh = [store for store in waiting if (store, ASKED) not in marks and _is_polled(marks, store)]
    if fresh:
        poll_unsubscribes.poll_unsubscribes(db, context)
        if poll_profiles.read_all_profiles(db, context, repair=True).is_whole:
            for store in fresh:
                _map_again(db, context, store)
        return len(waiting)
    n = len(waiting)
    for store in waiting:
        asked = marks.get((store, ASKED))
        if asked is None or asked.at is None:
            continue
        with db.transaction() as tx:
            if not inbox.is_record_pending(tx, context.connection, store, "customer", asked.at):
                runs.restart_loads(tx, context.connection, store, [RETURNING, ASKED])
                n -= 1
    return n


def _is_polled(marks: dict[tuple[str, str], runs.Mark], store: str) -> bool:
    """Whether the shop was asked for what changed there meanwhile; what the poll names is read like everything else."""
    since, polled = marks[store, RETURNING].at, marks.get((store, POLLED))
    return since is None or (polled is not None and polled.at is not None and polled.at >= since)


def _map_again(db: Database, context: ConnectionContext, store: str) -> None:
    """Everybody of the store is decided again from the ledger."""
    after, now = "", context.clock.now()
    while True:
        with db.transaction() as tx:
            names = records.record_ids(tx, context.connection, "customer", store, after, AT_ONCE)
            hints = [RefetchRequest(REMAP, f"customer:{name}", Lane.REALTIME, now) for name in names]
            inbox.enqueue_internal(tx, context.connection, store, hints, now)
            if len(names) < AT_ONCE:
                runs.create_watermarks(tx, context.connection, store, [ASKED], now)
                return
        after = names[-1]
