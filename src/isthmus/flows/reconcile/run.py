"""Walk a reconciliation from its first page to its last finding; whoever comes after a stop goes on where it was."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.db.pool import Database, is_unavailable
from isthmus.drift.sql import findings
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql import repairs as repaired
from isthmus.flows import case_reporting
from isthmus.flows.context import ConnectionContext
from isthmus.flows.out_of_sight import OutOfSight
from isthmus.flows.reconcile import (
    basis,
    record_findings,
    repairs,
    reread,
    scan_outbox,
    scan_platform,
    scan_profiles,
    scan_store,
    sms,
)
from isthmus.flows.reconcile.candidates import add_candidates
from isthmus.flows.reconcile.close_cases import close_resolved_cases
from isthmus.flows.reconcile.run_context import (
    COUNTED,
    Blind,
    LostError,
    ReconcileRequest,
    RestError,
    RunContext,
    RunProgress,
    blind_spot,
    known_kinds,
)
from isthmus.kit.ids import claim_id
from isthmus.model.basis import Basis
from isthmus.model.failure import Failure
from isthmus.runs.sql import run_journal as journal

WHAT = "reconcile"
"""What its runs are called in the journal."""

DROP_AT_ONCE = 20_000

REST = timedelta(minutes=5)

StepFunction = Callable[[RunContext, str, str | None, int], object]


class Reconciled(Struct, frozen=True):
    """What came of a call. `is_done` is False for a run that was stopped, to go on later."""

    run: int
    is_done: bool
    n_findings: int = 0
    sums: tuple[findings.FindingTotals, ...] = ()
    n_closed: int = 0
    n_read: dict[str, int] = {}
    blind: tuple[Blind, ...] = ()
    out_of_sight: tuple[OutOfSight, ...] = ()
    """Known orders that the app cannot see, by store: nothing is concluded of them."""
    n_found_right: int = 0
    """Repairs of earlier runs that this one looked at and found right: only those count as repaired."""
    basis: Basis | None = None
    """What its verdict rests on; None for a run that was stopped."""
    plan: int | None = None
    is_stopped: bool = False
    """Whether its repairs wait for a person as that plan."""


def reconcile(
    db: Database,
    context: ConnectionContext,
    asked: ReconcileRequest,
    *,
    tell: Callable[[RunProgress], None] = lambda _: None,
    goes_on: Callable[[], bool] = lambda: True,
    anew: bool = False,
    is_patient: bool = True,
) -> Reconciled | None:
    """Begin or go on with a run, and walk it to its end; None while another process holds one of this connection.

    What is in flight is looked at again after the grace period; a call that is not patient ends before that and leaves
    the run to whoever comes then.

    An external API that does not answer is left out, and nothing is concluded of what it would have said.
    """
    asked = msgspec.structs.replace(asked, kinds=known_kinds(asked.kinds))
    claim, wanted = claim_id(), msgspec.json.decode(msgspec.json.encode(asked))  # as the journal gives it back
    with db.transaction() as tx:
        run = journal.acquire_run(tx, context.connection, WHAT, wanted, claim, context.clock.now(), anew=anew)
    if run is None:
        return None
    before: dict[str, Any] = run.result or {}
    held = RunContext(
        db,
        context,
        run,
        claim,
        asked,
        tell,
        goes_on,
        blind=msgspec.convert(before.get("blind", []), list[Blind]),
        out_of_sight=msgspec.convert(before.get("out_of_sight", {}), dict[str, OutOfSight]),
        before_history={store: dict(mine) for store, mine in before.get("before_history", {}).items()},
        n_read=dict(before.get("read", {})),
        read_at=dict(before.get("read_at", {})),
        overruled=list(before.get("overruled", [])),
        is_patient=is_patient,
    )
    for name in COUNTED:
        setattr(held, name, int(before.get(name, 0)))
    try:
        return _walk(held)
    except LostError:
        return None
    except RestError as error:
        with db.transaction() as tx:
            journal.release_run(tx, context.connection, run.id, claim, context.clock.now(), rest_until=error.until)
        return Reconciled(run.id, is_done=False)
    except BaseException as error:
        # Whatever nobody foresaw would come again at once: the next try waits a little.
        rest = REST if isinstance(error, Exception) and not is_unavailable(error) else None
        now = context.clock.now()
        with db.transaction() as tx:
            journal.release_run(tx, context.connection, run.id, claim, now, rest_until=now + rest if rest else None)
        raise


def _walk(held: RunContext) -> Reconciled:
    steps = _steps(held)
    names = [name for name, _, _ in steps]
    first = names.index(held.run.step) if held.run.step in names else 0
    for name, look, side in steps[first:]:
        is_here = name == held.run.step
        cursor, n = (held.run.cursor, held.run.n) if is_here else (None, 0)
        with held.db.transaction() as tx:
            held.move(tx, name, cursor, n)
        try:
            look(held, name, cursor, n)
        except Failure as failure:
            if side is None:
                raise
            held.blind.append(blind_spot(failure, *side))
            with held.db.transaction() as tx:
                held.move(tx, name, None, n)
                cases.open_or_count(
                    tx, held.context.connection, [case_reporting.case_for(failure, store=side[2])], held.now()
                )
        if not held.goes_on():
            with held.db.transaction() as tx:
                journal.release_run(tx, held.context.connection, held.id, held.claim, held.now())
            return Reconciled(held.id, is_done=False)
    return _end(held)


def _steps(held: RunContext) -> list[tuple[str, StepFunction, tuple[str, str, str] | None]]:
    """Every step in order: its name, what it does, and the side, kind and store that are left out if it fails."""
    steps: list[tuple[str, StepFunction, tuple[str, str, str] | None]] = []
    for kind in held.asked.kinds:
        for store in held.stores:
            steps.append(
                (f"store {store} {kind}s", _of_store(scan_store.scan_store, store, kind), ("store", kind, store))
            )
    for kind in held.asked.kinds:
        for store in held.stores:
            steps.append((f"ours {store} {kind}s", _of_store(scan_outbox.scan_outbox, store, kind), None))
    for kind in held.asked.kinds:
        if held.asked.is_full or kind != "product":  # products cannot be asked for by change
            steps.append((f"platform {kind}s", partial(_of_platform, kind), ("platform", kind, "")))
    if "customer" in held.asked.kinds:
        steps.append(("platform people", scan_profiles.scan_profiles, ("platform", "customer", "")))
    steps.append(("suspects", lambda held, step, cursor, n: add_candidates(held, step), None))  # noqa: ARG005 - at one go
    steps.append(("conclusions", record_findings.judge_candidates, None))
    steps.append(("in flight", reread.recheck_in_flight, None))
    if "customer" in held.asked.kinds and held.asked.is_full:
        steps.append(("platform second contacts", sms.scan_sms_contacts, ("platform", "customer", "")))
    steps.append(("repairs", repairs.apply_repairs, None))
    steps.append(("open cases", close_resolved_cases, None))
    return steps


def _of_store(look: Callable[[RunContext, str, str, str, str | None, int], int], store: str, kind: str) -> StepFunction:
    def walk(held: RunContext, step: str, cursor: str | None, n: int) -> object:
        return look(held, step, store, kind, cursor, n)

    return walk


def _of_platform(kind: str, held: RunContext, step: str, cursor: str | None, n: int) -> int:
    return scan_platform.scan_platform(held, step, kind, cursor, n)


def _end(held: RunContext) -> Reconciled:
    """Write the result into the journal, and forget what runs before the last whole one saw."""
    connection = held.context.connection
    with held.db.transaction() as tx:
        sums = findings.totals_by_code(tx, connection, held.id)
        by_code: dict[str, int] = {}
        for one in sums:
            by_code[one.code] = by_code.get(one.code, 0) + one.n
        n_held = repaired.mark_repairs_effective(tx, connection, held.id, held.now())
        rests_on = basis.basis_of_run(tx, held, sum(by_code.values()))
        result = {
            "basis": msgspec.to_builtins(rests_on),
            "is_full": held.asked.is_full,
            "findings": by_code,
            "n_findings": sum(by_code.values()),
            "n_closed": held.n_closed,
            "n_found_right": n_held,
            "read": held.n_read,
            "blind": msgspec.to_builtins(held.blind),
            "out_of_sight": msgspec.to_builtins(held.out_of_sight),
            "plan": held.plan,
            "is_stopped": held.is_stopped,
        }
        journal.finish_run(tx, connection, held.id, held.claim, held.now(), result)
        whole = journal.latest_run(tx, connection, WHAT, is_full=True)
    _forget(held, [whole.id] if whole is not None else [])
    return Reconciled(
        held.id,
        is_done=True,
        n_findings=sum(by_code.values()),
        sums=tuple(sums),
        n_closed=held.n_closed,
        n_read=dict(held.n_read),
        blind=tuple(held.blind),
        out_of_sight=tuple(held.out_of_sight.values()),
        basis=rests_on,
        n_found_right=n_held,
        plan=held.plan,
        is_stopped=held.is_stopped,
    )


def _forget(held: RunContext, keep: Sequence[int]) -> None:
    while True:
        with held.db.transaction() as tx:
            if drift.prune_observations(tx, held.context.connection, held.id, keep, DROP_AT_ONCE) < DROP_AT_ONCE:
                return
