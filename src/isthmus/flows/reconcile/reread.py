"""Look once more at what was in flight, when the grace period is over: after that it agrees, differs, or is late."""

from datetime import datetime
from typing import Any

import msgspec

from isthmus.drift.attribute import DriftVerdict, NoDrift, SideView, attribute_difference
from isthmus.drift.sql import results as judged
from isthmus.flows.reconcile import basis, record_findings, scan_outbox, scan_profiles
from isthmus.flows.reconcile.evidence import ReconcileEvidence, gather_evidence, reread_platform, reread_stores
from isthmus.flows.reconcile.run_context import RestError, RunContext

AT_ONCE = 50
STEP_SECONDS = 5.0
"""A wait is cut into pieces, after each of which the run shows that it is alive."""


def recheck_in_flight(held: RunContext, step: str, cursor: str | None, n: int) -> int:
    """Wait for the grace period of what is in flight, and judge it; how many records."""
    place: dict[str, Any] = msgspec.json.decode(cursor) if cursor else {}
    if not place:
        if not _some(held, ("", "")):
            held.tell_step(step, 0, 0, is_done=True)
            return 0
        due = basis.recheck_time(held.now(), held.context.pace.drift_grace)
        place = {"due": due.isoformat(), "after": ["", ""]}
        _move(held, step, place, n)
    if not _wait(held, step, place, n):
        return n
    scan_profiles.recheck_profiles(held)
    while held.goes_on():
        keys = _some(held, tuple(place["after"]))
        with held.db.transaction() as tx:
            known = gather_evidence(tx, held, keys)
        found = _judged(held, known)
        place["after"] = list(keys[-1]) if keys else place["after"]
        n += len(keys)
        is_done = len(keys) < AT_ONCE
        with held.db.transaction() as tx:
            record_findings.save_findings(tx, held, found)
            held.move(tx, step, msgspec.json.encode(place).decode(), n)
        held.tell_step(step, n, None, is_done=is_done)
        if is_done:
            return n
    return n


def _some(held: RunContext, after: tuple[str, ...]) -> list[tuple[str, str]]:
    with held.db.transaction() as tx:
        kind, own = after
        return judged.records_not_judged(tx, held.context.connection, held.id, basis.AGAIN, (kind, own), AT_ONCE)


def _wait(held: RunContext, step: str, place: dict[str, Any], n: int) -> bool:
    """Whether the grace period is over. A call that is not patient lets the run rest until then."""
    due = datetime.fromisoformat(place["due"])
    while (left := (due - held.now()).total_seconds()) > 0:
        if not held.is_patient:
            raise RestError(due)
        if not held.goes_on():
            return False
        held.context.clock.wait(min(left, STEP_SECONDS))
        _move(held, step, place, n)
    return True


def _move(held: RunContext, step: str, place: dict[str, Any], n: int) -> None:
    with held.db.transaction() as tx:
        held.move(tx, step, msgspec.json.encode(place).decode(), n)


def _judged(held: RunContext, known: list[ReconcileEvidence]) -> list[tuple[ReconcileEvidence, DriftVerdict | NoDrift]]:
    """What both sides say of each by a reading of its own, since the listings are older than what happened."""
    reread_stores(held, known)
    scan_outbox.remap_records(held, known)
    found: list[tuple[ReconcileEvidence, DriftVerdict | NoDrift]] = []
    for one in known:
        if one.facts.state == "applied" or one.facts.platform_look is not SideView.UNSEEN:
            reread_platform(held, one)
        found.append((one, attribute_difference(one.facts)))
    return found
