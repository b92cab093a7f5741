"""Look at ourselves: map every record again without keeping it, and hold the result against what is desired."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.drift import mask
from isthmus.drift import sql as drift
from isthmus.drift.sql import Seen, Standing
from isthmus.flows import remap, revalue
from isthmus.flows.reconcile.facts import OF_STORE, Key, Known
from isthmus.flows.reconcile.held import Blind, Held
from isthmus.flows.trial import is_same, map_on_trial
from isthmus.ometria.answers import decode
from isthmus.outbox import plan
from isthmus.records import sql as records
from isthmus.runs import sql as runs

AT_ONCE = 200
"""Records mapped in one transaction, whose locks the road waits for."""


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


def look_again(held: Held, known: Sequence[Known]) -> None:
    """Map these records anew, and take that for what a fresh mapping says of them."""
    named: dict[tuple[str, str], set[str]] = {}
    for one in known:
        if one.number is not None and one.store in held.road.shops:
            named.setdefault((one.store, OF_STORE[one.key[0]]), set()).add(str(one.number))
    unlike = {
        (row.kind, row.id): row
        for (store, kind), names in sorted(named.items())
        for row in _unlike(held, store, kind, sorted(names))
    }
    for one in known:
        one.mapped = unlike.get(one.key)
        one.facts = msgspec.structs.replace(one.facts, mapped_path=one.mapped.path if one.mapped else None)


# -- below: trying it -------------------------------------------------------------------------------------------------


class _Trial(Struct, frozen=True):
    """The writes of some records before and after a mapping that was not kept, and those that wait to be mapped."""

    before: Mapping[Key, Standing]
    after: Mapping[Key, Standing]
    waiting: Set[str]

    def unlike(self) -> list[Key]:
        return [
            key
            for key, mapped in self.after.items()
            if mapped.subject not in self.waiting and _is_other(mapped, self.before.get(key))
        ]


def _unlike(held: Held, store: str, kind: str, names: Sequence[str]) -> list[Seen]:
    """The writes of these records that a fresh mapping would change, and that nobody is going to change anyway.

    What stood before is read before the locks are taken, and the road may change it in between. So whatever seems
    unlike is tried a second time, and only what was found so twice, with the same standing before, is.
    """
    once = _tried(held, store, kind, names)
    some = {(once.after[key].subject or "").partition(":")[2] for key in once.unlike()}
    if not some:
        return []
    again = _tried(held, store, kind, sorted(some))
    return [
        _seen(held, store, again.after[key], again.before.get(key))
        for key in again.unlike()
        if is_same(once.before.get(key), again.before.get(key))
    ]


def _tried(held: Held, store: str, kind: str, names: Sequence[str]) -> _Trial:
    """Map these records as the road would, in a transaction that is rolled back."""
    subjects = [f"{kind}:{name}" for name in names]
    trial, waiting = map_on_trial(
        held.db, held.road, store, kind, names, lambda tx: _waiting(tx, held, store, subjects)
    )
    return _Trial(trial.before, trial.after, waiting)


def _waiting(tx: Tx, held: Held, store: str, subjects: Sequence[str]) -> set[str]:
    """Of these subjects those that will be mapped again without us: whose worth, for one, waits for its hour."""
    connection = held.road.connection
    told = {subject for _, subject in drift.told(tx, connection, [(store, subject) for subject in subjects])}
    customers = {int(s.partition(":")[2]): s for s in subjects if s.startswith("customer:") and s not in told}
    untold = revalue.untold(tx, connection, [(store, number) for number in customers])
    return told | {customers[number] for _, number in untold}


def _is_other(mapped: Standing, desired: Standing | None) -> bool:
    return not is_same(mapped, desired)


def _seen(held: Held, store: str, mapped: Standing, desired: Standing | None) -> Seen:
    should, does = _body(held, mapped), _body(held, desired)
    path = plan.differs(should, does) or plan.differs(does, should) or ""
    says: dict[str, Any] = {
        "theirs": _words(mapped, should, path),
        "ours": None if desired is None else _words(desired, does, path),
    }
    number = int((mapped.subject or "").partition(":")[2] or 0)
    return Seen(
        kind=mapped.kind,
        id=mapped.id,
        at=held.now(),
        store=store,
        number=number,
        path=path if desired else "",
        says=says,
    )


def _words(row: Standing, body: dict[str, Any], path: str) -> dict[str, Any]:
    if row.excluded is not None:
        return {"excluded": row.excluded}
    return {path: mask.masked(path, mask.found(body, path))} if path else {"state": row.state}


def _body(held: Held, row: Standing | None) -> dict[str, Any]:
    if row is None or row.body is None:
        return {}
    body: dict[str, Any] = decode(held.road.packer.unpack(row.body))
    return body
