"""What a run rests on: how each record was judged, what is looked at once more, and what was not judged at all."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from isthmus.db.pool import Tx
from isthmus.drift.attribute import Standing, Verdict
from isthmus.drift.judged import sql as judged
from isthmus.drift.judged.sql import AGREED, DIFFERS
from isthmus.drift.sql import KINDS
from isthmus.flows.reconcile.facts import OF_STORE, Key, Known
from isthmus.flows.reconcile.held import UNLOADED, Blind, Held
from isthmus.flows.reconcile.there import PLATFORM
from isthmus.model.basis import AsOf, Basis, NotJudged, Reason, counted
from isthmus.model.lane import Lane

AGAIN = (Reason.IN_FLIGHT, Reason.YOUNG, Reason.CONSENT)
"""Why a record is looked at again when the grace period is over."""


def results(held: Held, some: Sequence[tuple[Known, Verdict | Standing]]) -> Mapping[Key, str]:
    """What came of each of these records."""
    return {known.key: _result(held, known, verdict) for known, verdict in some}


def in_flight_since(held: Held) -> tuple[datetime, ...]:
    """For each lane by its rank: what was heard or desired since then may be on its way.

    The enrichment lane collects for its interval on purpose.
    """
    pace, now = held.road.pace, held.now()
    grace = dict.fromkeys(Lane, pace.drift_grace)
    grace[Lane.ENRICHMENT] += pace.enrichment_every
    return tuple(now - grace[lane] for lane in Lane)


def of_run(tx: Tx, held: Held, n_differ: int) -> Basis:
    """What the run's verdict rests on, once everything was looked at."""
    kinds = [KINDS[kind] for kind in held.asked.kinds]
    if "customer" in held.asked.kinds and held.asked.is_full:
        kinds.append("sms")  # compared apart: they stand in collections of their own
    counts = judged.counts(
        tx,
        held.road.connection,
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
        NotJudged(Reason.HORIZON, n, f"{store}: {kind}s from before the loaded history")
        for store, mine in sorted(held.before_history.items())
        for kind, n in sorted(mine.items())
    ]
    heard = judged.heard(tx, held.road.connection)
    return Basis(
        at=held.now(),
        unit="records",
        n_compared=sum(one.n for one in counts if one.result == AGREED) + n_differ,
        n_differ=n_differ,
        not_judged=counted(_with_the_blind(held, left)),
        as_of=tuple(_as_of(held, side, heard.get(side)) for side in (*held.stores, PLATFORM)),
        needs_some=bool(held.before_history),
    )


def again_at(first_at: datetime, grace: timedelta) -> datetime:
    """When what was in flight at a time is past the grace period."""
    return first_at + grace + timedelta(seconds=1)


# -- below: one record -------------------------------------------------------------------------------------------------


def _result(held: Held, known: Known, verdict: Verdict | Standing) -> str:
    if isinstance(verdict, Verdict):
        return DIFFERS
    facts, standing = known.facts, known.standing
    match verdict:
        case Standing.AGREED if facts.state == "excluded":
            return Reason.EXCLUDED.value
        case Standing.AGREED | Standing.SETTLED:
            return AGREED
        case Standing.UNSEEN if known.is_out_of_sight:
            return Reason.OUT_OF_SIGHT.value
        case Standing.UNSEEN:
            return (Reason.EXCLUDED if facts.state == "excluded" else Reason.COULD_NOT_LOOK).value
    if facts.is_overruled and facts.state == "applied":  # before whatever else: the page keeps only this of a run
        return Reason.CONSENT.value
    if facts.is_young:
        return Reason.YOUNG.value
    since = in_flight_since(held)
    lane = standing.lane if standing is not None else Lane.REALTIME.rank
    times = [at for at in (known.told_at, standing.since if standing and facts.state != "applied" else None) if at]
    return (Reason.IN_FLIGHT if times and min(times) >= since[lane] else Reason.WAITING).value


def _reason(held: Held, result: str) -> Reason:
    reason = Reason(result)
    return Reason.HORIZON if reason is Reason.OUT_OF_SIGHT and held.road.orders_horizon != "all" else reason


def _what(store: str, kind: str, result: str) -> str:
    """Where the records of a count are; of those in flight and excluded nobody asks."""
    return "" if Reason(result).is_in_flight or result == Reason.EXCLUDED else f"{store} {kind}s".strip()


def _with_the_blind(held: Held, left: Sequence[NotJudged]) -> list[NotJudged]:
    """With the sides that could not be looked at, which may hold more than we know of."""
    found = list(left)
    for one in held.blind:
        reason = Reason.NOT_LOADED if one.why == UNLOADED else Reason.COULD_NOT_LOOK
        found.append(NotJudged(reason, None, _of_blind(one)))
    return found


def _of_blind(one: Blind) -> str:
    where = f"{one.store or PLATFORM} {one.kind}s"
    return where if one.why == UNLOADED else f"{where}: {one.why}"


def _as_of(held: Held, side: str, heard_at: datetime | None) -> AsOf:
    first, last = held.read_at.get(side, (None, None))
    return AsOf(
        side,
        heard_at,
        datetime.fromisoformat(first) if first else None,
        datetime.fromisoformat(last) if last else None,
    )
