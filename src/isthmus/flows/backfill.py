"""Load what a store already has: list every id page by page, and let the road read the records at its own pace."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.poll import KINDS
from isthmus.flows.road import Road
from isthmus.inbox import sql as inbox
from isthmus.model.event import Hint
from isthmus.model.lane import Lane
from isthmus.runs import sql as runs


class Progress(Struct, frozen=True):
    """How far the listing of one kind of one store is."""

    store: str
    kind: str
    n_listed: int
    total: int | None
    is_done: bool


def backfill(
    db: Database,
    road: Road,
    store: str,
    kinds: Sequence[str] = KINDS,
    *,
    since: datetime | None = None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> int:
    """Put every record of these kinds on the backfill lane; resumable at any page; how many were listed in this call.

    Nothing on that lane is ever a moment or a welcome. What a webhook brings meanwhile overtakes it.
    """
    reader, n = road.shops[store].reader, 0
    for kind in kinds:
        name = f"load:{kind}"
        with db.transaction() as tx:
            mark = runs.marks(tx, road.connection).get((store, name))
            # Whatever changes from here on is the poll's.
            runs.begin(tx, road.connection, store, [f"poll:{kind}"], road.clock.now())
        if mark is not None and mark.done_at is not None:
            tell(Progress(store, kind, mark.n, mark.total, is_done=True))
            continue
        total = reader.count(kind)
        listed = mark.n if mark else 0
        with db.transaction() as tx:
            runs.expect(tx, road.connection, store, name, total)
        cursor = mark.cursor if mark else None
        while True:
            page = reader.all_ids(kind, cursor, since)
            now = road.clock.now()
            with db.transaction() as tx:
                hints = [Hint(f"load/{kind}", f"{kind}:{one.id}", Lane.BACKFILL, now) for one in page.listed]
                inbox.tell(tx, road.connection, store, hints, now)
                runs.turn_page(tx, road.connection, store, name, page.cursor, len(hints), now)
            n += len(page.listed)
            listed += len(page.listed)
            tell(Progress(store, kind, listed, total, is_done=page.cursor is None))
            if page.cursor is None:
                break
            cursor = page.cursor
    return n
