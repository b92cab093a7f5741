"""Carry a takeover out: list what is there, map again what was mapped before, and tell what will come of it."""

from collections.abc import Callable, Sequence

from isthmus.db.pool import Database, Tx
from isthmus.flows import absorb
from isthmus.flows.reconcile.held import Step
from isthmus.flows.road import Road
from isthmus.flows.takeover import listing
from isthmus.flows.takeover.forecast import Forecast, forecast
from isthmus.flows.told import REMAP, Told
from isthmus.identity.foreign import sql as foreign
from isthmus.model.event import Event
from isthmus.model.lane import Lane
from isthmus.records import sql as records
from isthmus.runs import sql as runs

DONE = "takeover"
"""The mark that says that everything known was matched."""

LAST_WRITERS = 5.0
"""Seconds from a listing's end until all is mapped again: units of work that began before it are over by then."""

AT_ONCE = 200
"""Records mapped in one transaction, whose locks the road waits for."""


def carry_out(db: Database, road: Road, *, tell: Callable[[Step], None] = lambda _: None) -> Forecast:
    """List and match everything, from where it stopped; writes nothing to either neighbour.

    Records that come later are matched as they are mapped, so it matters not whether the history is loaded before or
    after this. Raises what the platform's client raises; asked again, it goes on.
    """
    if not _is_listed_but_not_mapped(db, road):
        listing.list_all(db, road, tell=tell)
        road.clock.wait(LAST_WRITERS)
    for store in sorted(road.shops):
        for kind in listing.KINDS:
            _map(db, road, store, kind, tell)
    with db.transaction() as tx:
        for store in road.shops:
            runs.start_over(tx, road.connection, store, [_mark(kind) for kind in listing.KINDS])
        runs.advance(tx, road.connection, listing.ANYWHERE, DONE, road.clock.now(), 1)
    return forecast(db, road)


def start_over(tx: Tx, connection: str) -> None:
    """Another takeover was decided: use no other writer's ids any more. Only while nothing went out under them."""
    foreign.give_back(tx, connection)
    runs.start_over(tx, connection, listing.ANYWHERE, [DONE])


def is_carried_out(tx: Tx, connection: str) -> bool:
    """Whether everything was listed and matched since the takeover was decided."""
    return (listing.ANYWHERE, DONE) in runs.marks(tx, connection)


def _is_listed_but_not_mapped(db: Database, road: Road) -> bool:
    with db.transaction() as tx:
        marks = runs.marks(tx, road.connection)
        is_mapping = any((store, _mark(kind)) in marks for store in road.shops for kind in listing.KINDS)
        return is_mapping and listing.is_listed(tx, road.connection)


def _map(db: Database, road: Road, store: str, kind: str, tell: Callable[[Step], None]) -> None:
    """Map every record of a store again, so that each finds its id; what comes out the same is not sent again."""
    with db.transaction() as tx:
        held = runs.marks(tx, road.connection).get((store, _mark(kind)))
    if held is not None and held.done_at is not None:
        return
    after, n = (held.cursor or "", held.n) if held is not None else ("", 0)
    is_last = False
    while not is_last:
        now = road.clock.now()
        with db.transaction() as tx:
            names = records.names(tx, road.connection, kind, store, after, AT_ONCE)
            absorb.absorb(tx, road, _again(road, store, kind, names), now)
            is_last = len(names) < AT_ONCE
            after, n = names[-1] if names else after, n + len(names)
            runs.turn_page(tx, road.connection, store, _mark(kind), None if is_last else after, len(names), now)
        tell(Step(f"{store} {kind}s matched", n, None, is_done=is_last))


def _again(road: Road, store: str, kind: str, names: Sequence[str]) -> list[Told]:
    now = road.clock.now()
    return [
        Told(
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
