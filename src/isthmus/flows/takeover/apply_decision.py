"""Carry a takeover out: list what is there, map again what was mapped before, and tell what will come of it."""

from collections.abc import Callable, Sequence

from isthmus.db.pool import Database, Tx
from isthmus.flows import store_records
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP, ParsedUpdate
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.flows.takeover import inventory
from isthmus.flows.takeover.forecast import Forecast, forecast_going_live
from isthmus.identity.sql import foreign
from isthmus.model.event import Event
from isthmus.model.lane import Lane
from isthmus.records.sql import store as records
from isthmus.runs.sql import watermarks as runs

DONE = "takeover"
"""The mark that says that everything known was matched."""

LAST_WRITERS = 5.0
"""Seconds from a listing's end until all is mapped again: units of work that began before it are over by then."""

AT_ONCE = 200
"""Records mapped in one transaction, whose locks the pipeline waits for."""


def run_takeover(
    db: Database, context: ConnectionContext, *, tell: Callable[[RunProgress], None] = lambda _: None
) -> Forecast:
    """List and match everything, from where it stopped; writes nothing to Shopify or Ometria.

    Records that come later are matched as they are mapped, so it matters not whether the history is loaded before or
    after this. Raises what Ometria's client raises; asked again, it goes on.
    """
    if not _is_listed_but_not_mapped(db, context):
        inventory.list_account(db, context, tell=tell)
        context.clock.wait(LAST_WRITERS)
    for store in sorted(context.shops):
        for kind in inventory.KINDS:
            _map(db, context, store, kind, tell)
    with db.transaction() as tx:
        for store in context.shops:
            runs.restart_loads(tx, context.connection, store, [_mark(kind) for kind in inventory.KINDS])
        runs.advance_watermark(tx, context.connection, inventory.ANYWHERE, DONE, context.clock.now(), 1)
    return forecast_going_live(db, context)


def restart_takeover(tx: Tx, connection: str) -> None:
    """Another takeover was decided: use no other writer's ids any more. Only while nothing went out under them."""
    foreign.release_adopted_ids(tx, connection)
    runs.restart_loads(tx, connection, inventory.ANYWHERE, [DONE])


def is_takeover_complete(tx: Tx, connection: str) -> bool:
    """Whether everything was listed and matched since the takeover was decided."""
    return (inventory.ANYWHERE, DONE) in runs.load_watermarks(tx, connection)


def _is_listed_but_not_mapped(db: Database, context: ConnectionContext) -> bool:
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
        is_mapping = any((store, _mark(kind)) in marks for store in context.shops for kind in inventory.KINDS)
        return is_mapping and inventory.is_listed(tx, context.connection)


def _map(db: Database, context: ConnectionContext, store: str, kind: str, tell: Callable[[RunProgress], None]) -> None:
    """Map every record of a store again, so that each finds its id; what comes out the same is not sent again."""
    with db.transaction() as tx:
        held = runs.load_watermarks(tx, context.connection).get((store, _mark(kind)))
    if held is not None and held.done_at is not None:
        return
    after, n = (held.cursor or "", held.n) if held is not None else ("", 0)
    is_last = False
    while not is_last:
        now = context.clock.now()
        with db.transaction() as tx:
            names = records.record_ids(tx, context.connection, kind, store, after, AT_ONCE)
            store_records.store_records(tx, context, _again(context, store, kind, names), now)
            is_last = len(names) < AT_ONCE
            after, n = names[-1] if names else after, n + len(names)
            runs.save_cursor(tx, context.connection, store, _mark(kind), None if is_last else after, len(names), now)
        tell(RunProgress(f"{store} {kind}s matched", n, None, is_done=is_last))


def _again(context: ConnectionContext, store: str, kind: str, names: Sequence[str]) -> list[ParsedUpdate]:
    now = context.clock.now()
    return [
        ParsedUpdate(
            Event(
                -n,
                store,
                REMAP,
                Lane.BACKFILL,
                f"{kind}:{name}",
                None,
                now,
                None,
                attempts=1,
                webhook_id=None,
                action_id=None,
            ),
            (kind, store, name),
            is_remap=True,
        )
        for n, name in enumerate(names, start=1)
    ]


def _mark(kind: str) -> str:
    return f"takeover:map:{kind}"
