"""Look at ourselves: map every record again without keeping it, and hold the result against what is desired."""

from collections.abc import Sequence
from typing import Any

from isthmus.db.pool import is_passing
from isthmus.drift import mask
from isthmus.drift import sql as drift
from isthmus.drift.sql import Seen, Standing
from isthmus.flows import absorb, remap
from isthmus.flows.reconcile.held import Blind, Held
from isthmus.flows.told import REMAP, Told
from isthmus.model.event import Event
from isthmus.model.lane import Lane
from isthmus.ometria.answers import decode
from isthmus.outbox import plan
from isthmus.records import sql as records
from isthmus.runs import sql as runs

AT_ONCE = 200
"""Records mapped in one transaction, whose locks the road waits for."""


class _Enough(Exception):  # noqa: N818 - ends what was only tried
    """Rolls the mapping back."""


def look(held: Held, step: str, store: str, kind: str, cursor: str | None, n: int) -> int:
    """Every record of one kind of a store that we have, or learned of in the window; how many those are."""
    road = held.road
    with held.db.transaction() as tx:
        if remap.is_asked_of(runs.marks(tx, road.connection), store, kind):
            held.blind.append(Blind("ours", store, kind, "everything is being mapped by new rules"))
            return n
    after = cursor or ""
    while held.goes_on():
        with held.db.transaction() as tx:
            names = records.names(tx, road.connection, kind, store, after, AT_ONCE, held.asked.since)
        rows = _unlike(held, store, kind, names) if names else []
        after = names[-1] if names else after
        n += len(names)
        with held.db.transaction() as tx:
            drift.saw(tx, road.connection, held.id, "ours", rows)
            held.move(tx, step, after, n)
        is_done = len(names) < AT_ONCE
        held.tell_step(step, n, None, is_done=is_done)
        if is_done:
            return n
    return n


def _unlike(held: Held, store: str, kind: str, names: Sequence[str]) -> list[Seen]:
    """The writes of these records that a fresh mapping would change."""
    road, now = held.road, held.now()
    subjects = [f"{kind}:{name}" for name in names]
    events = [
        Event(-n, store, REMAP, Lane.BACKFILL, subject, None, now, None, attempts=1, webhook_id=None, action_id=None)
        for n, subject in enumerate(subjects, start=1)
    ]
    words = [Told(event, (kind, store, name), is_remap=True) for event, name in zip(events, names, strict=True)]
    before: dict[tuple[str, str], Standing] = {}
    after: dict[tuple[str, str], Standing] = {}
    for tries_left in (2, 1, 0):
        try:
            with held.db.transaction() as tx:
                before = drift.writes_of(tx, road.connection, store, subjects)
                absorb.absorb(tx, road, words, now)
                after = drift.writes_of(tx, road.connection, store, subjects)
                raise _Enough
        except _Enough:
            break
        except Exception as error:
            if not (is_passing(error) and tries_left):
                raise  # else the live road was quicker to some lock
    return [
        _seen(held, store, mapped, before.get(key))
        for key, mapped in after.items()
        if _is_other(mapped, before.get(key))
    ]


def _is_other(mapped: Standing, desired: Standing | None) -> bool:
    return desired is None or (mapped.desired, mapped.excluded) != (desired.desired, desired.excluded)


def _seen(held: Held, store: str, mapped: Standing, desired: Standing | None) -> Seen:
    should, does = _body(held, mapped), _body(held, desired)
    path = plan.differs(should, does) or plan.differs(does, should) or ""
    says: dict[str, Any] = {
        "theirs": _words(mapped, should, path),
        "ours": None if desired is None else _words(desired, does, path),
    }
    number = int((mapped.subject or "").partition(":")[2] or 0)
    return Seen(
        kind=mapped.kind, id=mapped.id, at=held.now(), store=store, number=number, path=path if desired else "",
        says=says,
    )  # fmt: skip


def _words(row: Standing, body: dict[str, Any], path: str) -> dict[str, Any]:
    if row.excluded is not None:
        return {"excluded": row.excluded}
    return {path: mask.masked(path, mask.found(body, path))} if path else {"state": row.state}


def _body(held: Held, row: Standing | None) -> dict[str, Any]:
    if row is None or row.body is None:
        return {}
    body: dict[str, Any] = decode(held.road.packer.unpack(row.body))
    return body
