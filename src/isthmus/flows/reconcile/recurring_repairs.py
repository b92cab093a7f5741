"""Tell a repair that does not hold from a new difference, and repeat it at most once a day."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.drift.attribute import DriftVerdict, Repair
from isthmus.drift.sql import repairs as repaired
from isthmus.flows.reconcile.evidence import ReconcileEvidence
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.flows.reconcile.scan_store import CONSENT
from isthmus.ometria.responses import decode_json

CODE = "integration.repair_returns"

AGAIN_AFTER = timedelta(hours=23)
"""How long a repair that did not hold rests: a day, and an hour for the run that comes earlier than yesterday's."""

OUT = "EXPLICITLY_OPTEDOUT"
OF_CONSENT = ("marketing_optin", "channels.")


def withhold_recurring_repairs(
    tx: Tx, held: RunContext, bad: Sequence[tuple[ReconcileEvidence, DriftVerdict]]
) -> list[tuple[ReconcileEvidence, DriftVerdict]]:
    """The same findings, without the repairs that must rest; notes those that begin, with a case where one returns."""
    now, connection = held.now(), held.context.connection
    before = repaired.repairs_begun(tx, connection, [known.key for known, _ in bad])
    found, begins, touches = [], {}, []
    for known, verdict in bad:
        is_sent = held.context.is_live or any(one is not Repair.SEND for one in verdict.repair)
        if not verdict.repair or not is_sent:
            found.append((known, verdict))
            continue
        key, fingerprint = (*known.key, verdict.code), _fingerprint(known, verdict)
        last = before.get(key)
        if last is not None and last.fingerprint == fingerprint:
            n = "once" if last.n == 1 else f"{last.n} times"
            subject, store = (known.subject, known.store)
            if verdict.cause == "platform":  # named as its layer names the record, so that a replay sends it
                subject, store = f"{known.key[0]}:{known.key[1]}", ""
            touches.append(Touch(CODE, subject, store, f"repaired {n}, returns: {verdict.code} {_at(verdict)}"))
            if now - last.last_at < AGAIN_AFTER and not _opts_out(held, known, verdict):
                verdict = msgspec.structs.replace(verdict, repair=())
        if verdict.repair:
            begins[key] = fingerprint
        found.append((known, verdict))
    cases.open_or_count(tx, connection, touches, now)
    if begins:
        repaired.save_repairs(tx, connection, begins, now)
    return found


def _fingerprint(known: ReconcileEvidence, verdict: DriftVerdict) -> str:
    """What the repair starts from: while that is the same, so is the difference."""
    if verdict.code.startswith("platform."):
        return known.standing.desired.hex() if known.standing and known.standing.desired else ""
    version = known.listed.version if known.listed is not None else None
    kept = known.kept.updated_at if known.kept is not None else None
    return f"{version.isoformat() if version else '-'} {kept.isoformat() if kept else '-'}"


def _at(verdict: DriftVerdict) -> str:
    return verdict.detail or "as before"


def _opts_out(held: RunContext, known: ReconcileEvidence, verdict: DriftVerdict) -> bool:
    """Whether the repair brings an opt-out: that never rests."""
    if known.key[0] != "contact":
        return False
    if known.facts.store_path == CONSENT:
        return True
    path = known.facts.platform_path
    is_of_consent = path is not None and (path == "" or path.startswith(OF_CONSENT))
    if not (is_of_consent or verdict.code == "platform.not_applied"):
        return False
    return _body(held, known).get("marketing_optin") == OUT


def _body(held: RunContext, known: ReconcileEvidence) -> dict[str, Any]:
    if known.standing is None or known.standing.body is None:
        return {}
    body: dict[str, Any] = decode_json(held.context.packer.unpack(known.standing.body))
    return body
