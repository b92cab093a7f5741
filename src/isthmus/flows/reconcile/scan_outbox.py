"""Look at ourselves: map every record again without keeping it, and hold the result against what is desired."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.drift import mask
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.observations import Observation, OutboxRow
from isthmus.flows import refresh_metrics, remap
from isthmus.flows.map_trial import is_same_write, map_without_saving
from isthmus.flows.reconcile.evidence import OF_STORE, Key, ReconcileEvidence
from isthmus.flows.reconcile.run_context import Blind, RunContext
from isthmus.ometria.responses import decode_json
from isthmus.outbox import plan
from isthmus.records.sql import store as records
from isthmus.runs.sql import watermarks as runs

AT_ONCE = 200
"""Records mapped in one transaction, whose locks the pipeline waits for."""


def scan_outbox(held: RunContext, step: str, store: str, kind: str, cursor: str | None, n: int) -> int:
    """Every record of one kind of a store that we have, or learned of in the window; how many those are."""
    context = held.context
    with held.db.transaction() as tx:
        if remap.is_remap_requested_for(runs.load_watermarks(tx, context.connection), store, kind):
            held.blind.append(Blind("ours", store, kind, "everything is being mapped by new rules"))
            return n
    after = cursor or ""
    while held.goes_on():
        with held.db.transaction() as tx:
            names = records.record_ids(tx, context.connection, kind, store, after, AT_ONCE, held.asked.since)
        rows = _unlike(held, store, kind, names) if names else []
        after = names[-1] if names else after
        n += len(names)
        with held.db.transaction() as tx:
            drift.insert_observations(tx, context.connection, held.id, "ours", rows)
            held.move(tx, step, after, n)
        is_done = len(names) < AT_ONCE
        held.tell_step(step, n, None, is_done=is_done)
        if is_done:
            return n
    return n


def remap_records(held: RunContext, known: Sequence[ReconcileEvidence]) -> None:
    """Map these records again, and take that for what a fresh mapping says of them."""
    named: dict[tuple[str, str], set[str]] = {}
    for one in known:
        if one.number is not None and one.store in held.context.shops:
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

    before: Mapping[Key, OutboxRow]
    after: Mapping[Key, OutboxRow]
    waiting: Set[str]

    def unlike(self) -> list[Key]:
        return [
            key
            for key, mapped in self.after.items()
            if mapped.subject not in self.waiting and _is_other(mapped, self.before.get(key))
        ]


def _unlike(held: RunContext, store: str, kind: str, names: Sequence[str]) -> list[Observation]:
    """The writes of these records that a fresh mapping would change, and that nobody is going to change anyway.

    What stood before is read before the locks are taken, and the pipeline may change it in between. So whatever seems
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
        if is_same_write(once.before.get(key), again.before.get(key))
    ]


def _tried(held: RunContext, store: str, kind: str, names: Sequence[str]) -> _Trial:
    """Map these records as the pipeline would, in a transaction that is rolled back."""
    subjects = [f"{kind}:{name}" for name in names]
    trial, waiting = map_without_saving(
        held.db, held.context, store, kind, names, lambda tx: _waiting(tx, held, store, subjects)
    )
    return _Trial(trial.before, trial.after, waiting)


def _waiting(tx: Tx, held: RunContext, store: str, subjects: Sequence[str]) -> set[str]:
    """Of these subjects those that will be mapped again without us: whose worth, for one, waits for its hour."""
    connection = held.context.connection
    told = {
        subject for _, subject in drift.pending_subjects(tx, connection, [(store, subject) for subject in subjects])
    }
    customers = {int(s.partition(":")[2]): s for s in subjects if s.startswith("customer:") and s not in told}
    untold = refresh_metrics.customers_with_new_metrics(tx, connection, [(store, number) for number in customers])
    return told | {customers[number] for _, number in untold}


def _is_other(mapped: OutboxRow, desired: OutboxRow | None) -> bool:
    return not is_same_write(mapped, desired)


def _seen(held: RunContext, store: str, mapped: OutboxRow, desired: OutboxRow | None) -> Observation:
    should, does = _body(held, mapped), _body(held, desired)
    path = plan.first_difference(should, does) or plan.first_difference(does, should) or ""
    says: dict[str, Any] = {
        "theirs": _words(mapped, should, path),
        "ours": None if desired is None else _words(desired, does, path),
    }
    number = int((mapped.subject or "").partition(":")[2] or 0)
    return Observation(
        kind=mapped.kind,
        id=mapped.id,
        at=held.now(),
        store=store,
        number=number,
        path=path if desired else "",
        says=says,
    )


def _words(row: OutboxRow, body: dict[str, Any], path: str) -> dict[str, Any]:
    if row.excluded is not None:
        return {"excluded": row.excluded}
    return {path: mask.mask_value(path, mask.value_at(body, path))} if path else {"state": row.state}


def _body(held: RunContext, row: OutboxRow | None) -> dict[str, Any]:
    if row is None or row.body is None:
        return {}
    body: dict[str, Any] = decode_json(held.context.packer.unpack(row.body))
    return body
