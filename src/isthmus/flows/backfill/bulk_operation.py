"""One bulk operation from its start to its result, with a way out of everything that can happen to it.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""

from datetime import datetime, timedelta

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.runs.date_range import split_range
from isthmus.runs.sql import bulk_loads as loads
from isthmus.runs.sql.bulk_loads import Load
from isthmus.runs.window import OVERLAP
from isthmus.shopify.bulk import Bulk, BulkStatus, BusyError, Operation, bulk_query

FAILED = "storefront.bulk_failed"
DENIED = "storefront.access_denied"

TRIES = 3
"""How often the same span is asked for before it is given up."""

STALLED_AFTER = timedelta(minutes=30)
"""An operation that wrote no line for so long is stopped. Shopify would let it be for ten days."""

MOST_GIVEN_UP = 3
"""Spans of one kind that are given up before all that is left of it is: it is not their size then."""

_TOO_LARGE = ("timeout", "stalled")
_WHYS = {"INTERNAL_SERVER_ERROR": "internal_error", "TIMEOUT": "timeout", "ACCESS_DENIED": "access_denied"}
"""https://shopify.dev/docs/api/admin-graphql/2026-10/enums/BulkOperationErrorCode"""


def start_operation(db: Database, context: ConnectionContext, load: Load) -> bool:
    """Begin the operation of a load, or adopt the one we began before we were killed; False while too many run."""
    bulk = bulk_client(context, load)
    text = bulk_query(load.kind, load.since, load.until, context.shops[load.store].rules.keys)
    # What was begun before anybody watched for changes would leave a gap; what polls look back over, would not.
    mine = [one for one in bulk.running() if one.query == text and one.created_at >= load.wanted_at - OVERLAP]
    try:
        operation = mine[0] if mine else bulk.start(text)
    except BusyError:
        return False
    with db.transaction() as tx:
        loads.mark_running(tx, context.connection, load.id, operation.gid, operation.created_at, context.clock.now())
    return True


def check_operation(db: Database, context: ConnectionContext, load: Load) -> None:
    """See how far the operation of a load is, and do what follows from that."""
    bulk, now = bulk_client(context, load), context.clock.now()
    assert load.operation is not None  # noqa: S101 - a running load has one
    operation = bulk.look(load.operation)
    match None if operation is None else operation.status:
        case None:
            handle_failure(db, context, load, "vanished")
        case BulkStatus.FAILED:
            assert operation is not None  # noqa: S101
            handle_failure(db, context, load, _WHYS.get(operation.error_code or "", "internal_error"))
        case BulkStatus.EXPIRED | BulkStatus.CANCELED as status:
            handle_failure(db, context, load, status.lower())
        case BulkStatus.COMPLETED if operation is not None and operation.n_objects and operation.url is None:
            handle_failure(db, context, load, "no_file")  # it counted lines and names no file that has them
        case status:
            assert operation is not None  # noqa: S101
            if status.is_under_way and now - load.moved_at > STALLED_AFTER and not _has_moved(load, operation):
                bulk.cancel(operation.gid)
                handle_failure(db, context, load, "stalled")
            else:
                _note(db, context, load, operation, now)


def handle_failure(db: Database, context: ConnectionContext, load: Load, why: str) -> None:
    """An operation came to nothing: ask again, ask for less, or give up and say what is missing."""
    now = context.clock.now()
    is_too_large = why in _TOO_LARGE or (why == "internal_error" and load.n_again > 0)
    oldest = bulk_client(context, load).oldest(load.kind) if is_too_large else None
    smaller = split_range(load.span, oldest.created_at, now) if oldest is not None else None
    with db.transaction() as tx:
        if smaller is not None:
            loads.split_load(tx, context.connection, load, smaller, why, now)
        elif why != "access_denied" and load.n_again + 1 < TRIES:
            loads.restart_load(tx, context.connection, load.id, why, now)
        else:
            _give_up(tx, context, load, why, now)


def _give_up(tx: Tx, context: ConnectionContext, load: Load, why: str, now: datetime) -> None:
    """Say what is missing, and let all that is left of the same kind go when giving up has become the rule."""
    code = DENIED if why == "access_denied" else FAILED
    same = [one for one in loads.list_loads(tx, context.connection) if (one.store, one.kind) == (load.store, load.kind)]
    lost = [load]
    if 1 + sum(one.state == "failed" for one in same) >= MOST_GIVEN_UP:
        lost += [one for one in same if one.state in ("wanted", "running") and one.id != load.id]
    for one in lost:
        loads.finish_load(tx, context.connection, one.id, "failed", now, why)
    touches = [Touch(code, _subject(one), one.store, f"{why}: {describe_missing(one)}") for one in lost]
    cases.open_or_count(tx, context.connection, touches, now)


def describe_missing(load: Load) -> str:
    """What a load that failed leaves out: `orders created from 2026-01-01 to 2026-02-01`."""
    since = f" from {load.since:%Y-%m-%d %H:%M}" if load.since else ""
    until = f" to {load.until:%Y-%m-%d %H:%M}" if load.until else ""
    return f"{load.kind}s created{since}{until}" if since or until else f"all {load.kind}s"


def finish_load(db: Database, context: ConnectionContext, load: Load) -> None:
    """All records of a load are in."""
    now = context.clock.now()
    with db.transaction() as tx:
        loads.finish_load(tx, context.connection, load.id, "done", now)
        cases.resolve_by_code(
            tx, context.connection, (FAILED, DENIED), now, "backfill", subjects=[_subject(load)], store=load.store
        )


def bulk_client(context: ConnectionContext, load: Load) -> Bulk:
    """The bulk operations of a load's store."""
    bulk = context.shops[load.store].bulk
    assert bulk is not None  # noqa: S101 - every store that can be read has them
    return bulk


def _note(db: Database, context: ConnectionContext, load: Load, operation: Operation, now: datetime) -> None:
    is_ready = operation.status is BulkStatus.COMPLETED
    with db.transaction() as tx:
        loads.update_progress(
            tx,
            context.connection,
            load.id,
            n_objects=operation.n_objects,
            n_roots=operation.n_roots,
            n_bytes=operation.n_bytes,
            url=operation.url,
            is_ready=is_ready,
            now=now,
        )


def _has_moved(load: Load, operation: Operation) -> bool:
    return operation.n_objects != load.n_objects


def _subject(load: Load) -> str:
    """The case is about a span, so that each that is missing is told, and the same one twice is one case."""
    bounds = "".join(f":{at:%Y-%m-%dT%H:%M:%S}" if at else ":" for at in (load.since, load.until))
    return f"load:{load.kind}{bounds}".rstrip(":")
