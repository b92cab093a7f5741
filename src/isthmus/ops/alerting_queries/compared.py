"""What a verdict about a whole connection rests on at this moment: its last comparison, and what happened since."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from isthmus.db.pool import Tx
from isthmus.model.basis import Basis, NotJudged, NotJudgedReason, not_judged_counts
from isthmus.model.lane import Lane
from isthmus.ops.alerting_queries import sql
from isthmus.ops.alerting_queries.sql import FinishedRun

KINDS = {"product", "customer", "order"}
GRACE = timedelta(minutes=2)

CARRIED = (
    NotJudgedReason.OUT_OF_SIGHT,
    NotJudgedReason.HORIZON,
    NotJudgedReason.COULD_NOT_LOOK,
    NotJudgedReason.NOT_LOADED,
    NotJudgedReason.NEVER_LISTED,
)
"""Reasons of the last comparison that still hold; of what was on its way then the present state says more."""


class Chained(msgspec.Struct, frozen=True):
    """The last run over everything, the last of the light ones after it, and what they rest on together."""

    whole: FinishedRun
    last: FinishedRun
    basis: Basis


def records_known_to_agree(tx: Tx, connection: str, now: datetime, grace: timedelta = GRACE) -> Basis:
    """What is known to agree now: compared by the last whole run or those after it, and not changed since."""
    runs = run_chain(sql.runs_since_full_run(tx, connection))
    at = runs[-1].started_at if runs else None
    n = sql.record_classes(tx, connection, at, now - grace, Lane.ENRICHMENT.rank)
    last = basis_of_run(runs[-1]) if runs else None
    carried = tuple(one for run in runs for one in _carried(run)) if runs else ()
    if last is not None:  # each run looks at everybody whose consent is not settled
        carried += tuple(one for one in last.not_judged if one.reason is NotJudgedReason.CONSENT)
    n_carried = sum(one.n or 0 for one in carried)
    n_differ = _n_differ(tx, connection, runs)
    left = [
        NotJudged(NotJudgedReason.IN_FLIGHT, n["in_flight"]),
        NotJudged(NotJudgedReason.WAITING, n["waiting"]),
        NotJudged(NotJudgedReason.CASE, n["buried"]),
        NotJudged(NotJudgedReason.EXCLUDED, n["excluded"]),
        # Without any comparison nothing is known of what the shops have, however little we have.
        NotJudged(NotJudgedReason.NOT_COMPARED, n["changed"] if runs or n["changed"] else None),
        *carried,
    ]
    return Basis(
        at=now,
        unit="records",
        n_compared=max(n["applied"] - n["changed"] - n_carried, n_differ),
        n_differ=n_differ,
        not_judged=not_judged_counts(left),
        as_of=last.as_of if last is not None else (),
    )


def basis_of_chain(tx: Tx, connection: str) -> Chained | None:
    """What the last run over everything and the light ones after it say together; None without such a run."""
    runs = run_chain(sql.runs_since_full_run(tx, connection))
    if not runs:
        return None
    whole, last = basis_of_run(runs[0]), basis_of_run(runs[-1])
    assert whole is not None and last is not None  # noqa: S101, PT018 - a chain has only those that said it
    if len(runs) == 1:
        return Chained(runs[0], runs[-1], whole)
    n_differ = _n_differ(tx, connection, runs)
    left = [one for one in whole.not_judged if one.reason in (*CARRIED, NotJudgedReason.EXCLUDED)]
    left += [one for run in runs[1:-1] for one in _carried(run)]
    left += [one for one in last.not_judged if one.reason is not NotJudgedReason.EXCLUDED]
    basis = msgspec.structs.replace(
        whole,
        at=last.at,
        n_compared=max(whole.n_compared, n_differ),
        n_differ=n_differ,
        not_judged=not_judged_counts(left),
        as_of=last.as_of,
    )
    return Chained(runs[0], runs[-1], basis)


def basis_of_run(run: FinishedRun) -> Basis | None:
    """What a run's verdict rests on; None for one that did not say."""
    kept = (run.result or {}).get("basis")
    return msgspec.convert(kept, Basis) if kept else None


def run_chain(runs: Iterable[FinishedRun]) -> list[FinishedRun]:
    """The last run over everything, and those after it that each reach back to the beginning of the one before."""
    found: list[FinishedRun] = []
    for run in runs:
        asked = run.asked
        if basis_of_run(run) is None or asked.get("stores") or set(asked.get("kinds") or ()) != KINDS:
            continue
        since = asked.get("since")
        if since is None:
            found = [run]
        elif found and datetime.fromisoformat(since) <= found[-1].started_at:
            found.append(run)
    return found


def _carried(run: FinishedRun) -> Iterable[NotJudged]:
    """Of a whole run what it could not judge and nothing since has; of a later one the sides it could not look at."""
    basis = basis_of_run(run)
    if basis is None:
        return ()
    is_whole = run.asked.get("since") is None
    return [one for one in basis.not_judged if one.reason in CARRIED and (is_whole or one.n is None)]


def _n_differ(tx: Tx, connection: str, runs: Sequence[FinishedRun]) -> int:
    """What the last run found, and what those before it found that nothing has put right: it looked at less."""
    last = basis_of_run(runs[-1]) if runs else None
    if last is None:
        return 0
    earlier = [run.id for run in runs[:-1]]
    return last.n_differ + (sql.count_still_differing(tx, connection, earlier, runs[-1].id) if earlier else 0)
