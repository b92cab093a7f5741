"""What a run rests on: how each record was judged, what is looked at once more, and what was not judged at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from isthmus.db.pool import Tx
from isthmus.drift.attribute import DriftVerdict, NoDrift
from isthmus.drift.sql import results as judged
from isthmus.drift.sql.observations import KINDS
from isthmus.drift.sql.results import AGREED, DIFFERS
from isthmus.flows.reconcile.evidence import OF_STORE, Key, ReconcileEvidence
from isthmus.flows.reconcile.run_context import UNLOADED, Blind, RunContext
from isthmus.flows.reconcile.scan_platform import PLATFORM
from isthmus.model.basis import AsOf, Basis, NotJudged, NotJudgedReason, not_judged_counts
from isthmus.model.lane import Lane

AGAIN = (NotJudgedReason.IN_FLIGHT, NotJudgedReason.YOUNG, NotJudgedReason.CONSENT)
"""Why a record is looked at again when the grace period is over."""


def results_of_records(
    held: RunContext, some: Sequence[tuple[ReconcileEvidence, DriftVerdict | NoDrift]]
) -> Mapping[Key, str]:
    """What came of each of these records."""
    return {known.key: _result(held, known, verdict) for known, verdict in some}


def in_flight_since(held: RunContext) -> tuple[datetime, ...]:
    """For each lane by its rank: what was heard or desired since then may be on its way.

    The enrichment lane collects for its interval on purpose.
    """
    pace, now = held.context.pace, held.now()
    grace = dict.fromkeys(Lane, pace.drift_grace)
    grace[Lane.ENRICHMENT] += pace.enrichment_every
    return tuple(now - grace[lane] for lane in Lane)


def basis_of_run(tx: Tx, held: RunContext, n_differ: int) -> Basis:
    """What the run's verdict rests on, once everything was looked at."""
    kinds = [KINDS[kind] for kind in held.asked.kinds]
    if "customer" in held.asked.kinds and held.asked.is_full:
        kinds.append("sms")  # compared apart: they stand in collections of their own
    counts = judged.count_results(
        tx,
        held.context.connection,
        held.id,
        kinds,
        held.stores,
        is_full=held.asked.is_full,
        moved_after=in_flight_since(held),
    )
    left = [
        NotJudged(_reason(held, one.result), one.n, _what(one.store, OF_STORE.get(one.kind, "customer"), one.result))
        for one in counts
        if one.result not in (AGREED, DIFFERS)
    ]
    left += [
        NotJudged(NotJudgedReason.HORIZON, n, f"{store}: {kind}s from before the loaded history")
        for store, mine in sorted(held.before_history.items())
        for kind, n in sorted(mine.items())
    ]
    heard = judged.last_activity_by_store(tx, held.context.connection)
    return Basis(
        at=held.now(),
        unit="records",
        n_compared=sum(one.n for one in counts if one.result == AGREED) + n_differ,
        n_differ=n_differ,
        not_judged=not_judged_counts(_with_the_blind(held, left)),
        as_of=tuple(_as_of(held, side, heard.get(side)) for side in (*held.stores, PLATFORM)),
        needs_some=bool(held.before_history),
    )


def recheck_time(first_at: datetime, grace: timedelta) -> datetime:
    """When what was in flight at a time is past the grace period."""
    return first_at + grace + timedelta(seconds=1)


# -- below: one record -------------------------------------------------------------------------------------------------


def _result(held: RunContext, known: ReconcileEvidence, verdict: DriftVerdict | NoDrift) -> str:
    if isinstance(verdict, DriftVerdict):
        return DIFFERS
    facts, standing = known.facts, known.standing
    match verdict:
        case NoDrift.AGREED if facts.state == "excluded":
            return NotJudgedReason.EXCLUDED.value
        case NoDrift.AGREED | NoDrift.SETTLED:
            return AGREED
        case NoDrift.UNSEEN if known.is_out_of_sight:
            return NotJudgedReason.OUT_OF_SIGHT.value
        case NoDrift.UNSEEN:
            return (NotJudgedReason.EXCLUDED if facts.state == "excluded" else NotJudgedReason.COULD_NOT_LOOK).value
    if facts.is_overruled and facts.state == "applied":  # before whatever else: the page keeps only this of a run
        return NotJudgedReason.CONSENT.value
    if facts.is_young:
        return NotJudgedReason.YOUNG.value
    since = in_flight_since(held)
    lane = standing.lane if standing is not None else Lane.REALTIME.rank
    times = [at for at in (known.told_at, standing.since if standing and facts.state != "applied" else None) if at]
    return (NotJudgedReason.IN_FLIGHT if times and min(times) >= since[lane] else NotJudgedReason.WAITING).value


def _reason(held: RunContext, result: str) -> NotJudgedReason:
    reason = NotJudgedReason(result)
    return (
        NotJudgedReason.HORIZON
        if reason is NotJudgedReason.OUT_OF_SIGHT and held.context.orders_horizon != "all"
        else reason
    )


def _what(store: str, kind: str, result: str) -> str:
    """Where the records of a count are; of those in flight and excluded nobody asks."""
    return (
        "" if NotJudgedReason(result).is_in_flight or result == NotJudgedReason.EXCLUDED else f"{store} {kind}s".strip()
    )


def _with_the_blind(held: RunContext, left: Sequence[NotJudged]) -> list[NotJudged]:
    """With the sides that could not be looked at, which may hold more than we know of."""
    found = list(left)
    for one in held.blind:
        reason = NotJudgedReason.NOT_LOADED if one.why == UNLOADED else NotJudgedReason.COULD_NOT_LOOK
        found.append(NotJudged(reason, None, _of_blind(one)))
    return found


def _of_blind(one: Blind) -> str:
    where = f"{one.store or PLATFORM} {one.kind}s"
    return where if one.why == UNLOADED else f"{where}: {one.why}"


def _as_of(held: RunContext, side: str, heard_at: datetime | None) -> AsOf:
    first, last = held.read_at.get(side, (None, None))
    return AsOf(
        side,
        heard_at,
        datetime.fromisoformat(first) if first else None,
        datetime.fromisoformat(last) if last else None,
    )
