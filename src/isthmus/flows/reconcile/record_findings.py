"""Name the cause of every difference, write it down, tell people, and begin what puts it right."""

from collections.abc import Sequence
from typing import Any

import msgspec

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.drift.attribute import DriftVerdict, NoDrift, Record, Repair, SideView, attribute_difference, cause_of_code
from isthmus.drift.sql import findings, results
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.findings import OWN, DriftFinding
from isthmus.drift.sql.observations import KINDS
from isthmus.flows import body_difference
from isthmus.flows.reconcile import basis, order_totals, recurring_repairs, repairs, scan_outbox
from isthmus.flows.reconcile.evidence import (
    OF_STORE,
    ReconcileEvidence,
    gather_evidence,
    reread_platform,
    reread_stores,
)
from isthmus.flows.reconcile.run_context import RunContext, sure_since
from isthmus.model.order import Order
from isthmus.model.write import RecordKind
from isthmus.ometria.responses import decode_json
from isthmus.outbox.sql import readback as proof

AT_ONCE = 50
"""Suspects of one page: each may take a reading of its own, and the page must be done well within a run's lease."""

CANDIDATES_AT_ONCE = 400
"""Single readings of Ometria in one run: at our share of four a second that is three minutes. If all of them
confirmed what the listing said, the rest is believed; if not, each of the rest is read as well, however long."""

READS = 1_000
"""Missed changes of one run that are read at once, to tell what we only missed from what nobody can read."""

CASES = 20
"""Records of one code, store and kind that get a case each; the rest share one, since one cause made them all."""


def judge_candidates(held: RunContext, step: str, cursor: str | None, n: int) -> int:
    """Look at each suspect; how many."""
    after: tuple[str, str] = tuple(msgspec.json.decode(cursor)) if cursor else ("", "")
    with held.db.transaction() as tx:
        total = drift.count_candidates(tx, held.context.connection, held.id)
    while held.goes_on():
        with held.db.transaction() as tx:
            keys = drift.next_candidates(tx, held.context.connection, held.id, after, AT_ONCE)
            known = gather_evidence(tx, held, keys)
        judged = _judged(held, known)
        after = keys[-1] if keys else after
        n += len(keys)
        is_done = len(keys) < AT_ONCE
        with held.db.transaction() as tx:
            save_findings(tx, held, judged)
            if is_done:
                _strangers(tx, held)
            held.move(tx, step, msgspec.json.encode(after).decode(), n, total)
        held.tell_step(step, n, total, is_done=is_done)
        if is_done:
            return n
    return n


def judge_record(held: RunContext, known: ReconcileEvidence) -> DriftVerdict | NoDrift:
    """What is wrong with one record, once a reading of its own has confirmed what Ometria's listing said."""
    verdict = attribute_difference(known.facts)
    if verdict is NoDrift.UNSEEN and _is_unseen_there(held, known) and held.n_looks < CANDIDATES_AT_ONCE:
        held.n_looks += 1
        reread_platform(held, known)
        return attribute_difference(known.facts)
    if not isinstance(verdict, DriftVerdict) or not _rests_on_the_platform(known, verdict):
        return verdict
    if held.n_looks >= CANDIDATES_AT_ONCE and not held.n_refuted:
        return verdict
    held.n_looks += 1
    reread_platform(held, known)
    again = attribute_difference(known.facts)
    if not isinstance(again, DriftVerdict) and again is not NoDrift.UNSEEN:
        held.n_refuted += 1
    return again


# -- judge ------------------------------------------------------------------------------------------------------------


def _judged(
    held: RunContext, known: Sequence[ReconcileEvidence]
) -> list[tuple[ReconcileEvidence, DriftVerdict | NoDrift]]:
    gone = [one for one in known if _may_be_gone(one)]
    missed = [one for one in known if _code(attribute_difference(one.facts)) == "integration.missed_change"]
    unseen = [one for one in known if _is_unseen_at_store(one)]
    some = [*missed, *unseen][: max(0, READS - held.n_reads)]
    held.n_reads += len(some)
    reread_stores(held, [*gone, *some])
    for one in gone:
        if _is_newly_out_of_sight(held, one) and (seen := held.out_of_sight.get(one.store)) is not None:
            held.out_of_sight[one.store] = msgspec.structs.replace(seen, n=seen.n + 1)
    # Others may have mapped it since, and no record shows that.
    scan_outbox.remap_records(
        held, [one for one in known if _code(attribute_difference(one.facts)) == "integration.stale_mapping"]
    )
    return [(one, judge_record(held, one)) for one in known]


def _is_newly_out_of_sight(held: RunContext, known: ReconcileEvidence) -> bool:
    """Whether a reading of its own was needed to see that: older orders that no listing showed are counted already."""
    record = known.kept.record if known.kept else None
    placed_at = record.processed_at if isinstance(record, Order) else None
    return known.is_out_of_sight and (placed_at is None or placed_at > sure_since(held))


def _may_be_gone(known: ReconcileEvidence) -> bool:
    """Whether only a reading of its own can say if the store still has it."""
    facts = known.facts
    is_settled = not facts.is_told and not facts.is_young and facts.is_ours
    return is_settled and facts.store_look is SideView.UNLISTED and facts.record is Record.KNOWN


def _rests_on_the_platform(known: ReconcileEvidence, verdict: DriftVerdict) -> bool:
    """Whether only Ometria's listing speaks for a finding. What a listing shows of a stranger is proof enough."""
    is_of_platform = verdict.code.startswith("platform.") and known.facts.state == "applied"
    is_resent = known.facts.state == "buried" and Repair.SEND in verdict.repair
    return is_of_platform or is_resent


def _is_unseen_at_store(known: ReconcileEvidence) -> bool:
    """Whether its store may say of it what its listing did not."""
    is_blank = known.facts.store_look is SideView.UNSEEN and known.number is not None and known.kept is not None
    return is_blank and attribute_difference(known.facts) is NoDrift.UNSEEN


def _is_unseen_there(held: RunContext, known: ReconcileEvidence) -> bool:
    """Whether Ometria may say of it what its listing did not."""
    is_blank = known.facts.platform_look is SideView.UNSEEN and known.facts.state == "applied"
    return is_blank and not held.is_blind("platform", OF_STORE[known.key[0]])


def _code(verdict: DriftVerdict | NoDrift) -> str | None:
    return verdict.code if isinstance(verdict, DriftVerdict) else None


# -- write down -------------------------------------------------------------------------------------------------------


def save_findings(tx: Tx, held: RunContext, judged: Sequence[tuple[ReconcileEvidence, DriftVerdict | NoDrift]]) -> None:
    """Findings, cases and repairs of a page, in the transaction that moves the run past it."""
    connection, now = held.context.connection, held.now()
    results.save_results(tx, connection, held.id, basis.results_of_records(held, judged))
    bad = [(known, verdict) for known, verdict in judged if isinstance(verdict, DriftVerdict)]
    if held.asked.repair:
        bad = recurring_repairs.withhold_recurring_repairs(tx, held, bad)
    n_found = findings.count_findings(tx, connection, held.id)
    findings.save_findings(tx, connection, held.id, [_finding(held, known, verdict) for known, verdict in bad], now)
    touches = []
    for known, verdict in bad:
        group = (verdict.code, known.store, known.key[0])
        n_found[group] = n_found.get(group, 0) + 1
        if verdict.code not in OWN:
            # The pipeline has told of it already; if somebody closed that, it is still so.
            if verdict.code not in known.cases:
                touches.append(Touch(verdict.code, known.subject, known.store, verdict.detail))
        elif n_found[group] <= CASES:
            touches.append(case_of_finding(known, verdict))
        else:
            touches.append(
                Touch(verdict.code, f"{known.key[0]}s", known.store, f"and more, all found by run {held.id}")
            )
    cases.open_or_count(tx, connection, touches, now)
    settled = [_write(known) for known, verdict in judged if verdict is NoDrift.SETTLED and _is_seen_equal(known)]
    cases.resolve_subjects(
        tx, connection, proof.confirm_dead_letters(tx, connection, settled, now), "platform.", now, by="reconcile"
    )
    if held.asked.repair:
        _repair(tx, held, bad)


def case_of_finding(known: ReconcileEvidence, verdict: DriftVerdict) -> Touch:
    """A finding as a case, named as its layer names the record, with both values where two sides differ."""
    told = _difference(known, verdict)
    detail = "; ".join(filter(None, (verdict.detail, body_difference.difference_as_text(told))))
    if (at := told.get("at")) and verdict.detail.startswith(f"at {at}"):
        detail = body_difference.difference_as_text(told) + verdict.detail.removeprefix(f"at {at}")
    if verdict.cause == "platform" or verdict.code == "integration.left_behind":
        return Touch(verdict.code, f"{known.key[0]}:{known.key[1]}", "", detail, difference=told)
    return Touch(verdict.code, known.subject, known.store, detail, difference=told)


def _difference(known: ReconcileEvidence, verdict: DriftVerdict) -> dict[str, Any]:
    """Both values of a finding, masked already where they name somebody."""
    told: dict[str, Any] = {"store": known.store or None, "order": _name(known)}
    facts = known.facts
    match verdict.code:
        case "platform.not_applied":
            told["ometria_has"] = "no such record"
        case "platform.differs" | "platform.overwritten":
            says = (known.there.says or {}) if known.there is not None else {}
            told |= {"at": facts.platform_path, "sent": says.get("ours"), "ometria_has": says.get("theirs")}
        case "integration.missed_change" if facts.store_path:
            says = (known.listed.says or {}) if known.listed is not None else {}
            path = facts.store_path
            told |= {
                "at": path,
                "store_has": _value(says.get("theirs"), path),
                "we_have": _value(says.get("ours"), path),
            }
        case "integration.stale_mapping" if facts.mapped_path:
            says = (known.mapped.says or {}) if known.mapped is not None else {}
            path = facts.mapped_path
            told |= {"at": path, "desired": _value(says.get("ours"), path), "mapped": _value(says.get("theirs"), path)}
    if known.standing is not None and verdict.cause == "platform":
        told["request_id"] = known.standing.request_id
    return {name: value for name, value in told.items() if value is not None}


def _value(side: Any, path: str) -> Any:
    """What a side says at a path, where it was noted by its path; all that it says otherwise."""
    return side.get(path, side) if isinstance(side, dict) else side


def _name(known: ReconcileEvidence) -> str | None:
    """The name of an order, #1009, by which a person finds it."""
    record = known.kept.record if known.kept is not None else None
    if isinstance(record, Order):
        return record.name
    return next((row.name for row in (known.listed, known.there) if row is not None and row.name), None)


def _is_seen_equal(known: ReconcileEvidence) -> bool:
    return (
        known.facts.platform_look is SideView.THERE
        and known.standing is not None
        and known.standing.desired is not None
    )


def _write(known: ReconcileEvidence) -> tuple[RecordKind, str, bytes]:
    desired = known.standing.desired if known.standing else None
    return RecordKind(known.key[0]), known.key[1], desired or b""


def _repair(tx: Tx, held: RunContext, bad: Sequence[tuple[ReconcileEvidence, DriftVerdict]]) -> None:
    """Send again what Ometria lost, and plan the other repairs: the whole run is judged before any of them."""
    context, now = held.context, held.now()
    if context.is_live:
        lost = [known for known, verdict in bad if Repair.SEND in verdict.repair]
        repairs.journal_resent(tx, held, lost)
        proof.requeue_unconfirmed(tx, context.connection, [_write(known) for known in lost], now)
    planned = []
    for known, verdict in bad:
        repair = [str(one) for one in verdict.repair if one is not Repair.SEND]
        if known.store in context.shops and known.number is not None and repair:
            planned.append((known.store, known.subject, OF_STORE[known.key[0]], verdict.code, "+".join(repair)))
    repairs.plan_repairs(tx, context, held.id, planned, now)


def _finding(held: RunContext, known: ReconcileEvidence, verdict: DriftVerdict) -> DriftFinding:
    desired, there = _desired(held, known), known.there
    is_order = known.key[0] == "order"
    store_says: dict[str, Any] | None = None
    if known.listed is not None:
        store_says = dict((known.listed.says or {}).get("theirs") or (_money(known.listed) if is_order else {})) or None
    ours_say: dict[str, Any] = {}
    if known.listed is not None and known.listed.says is not None:
        ours_say = dict(known.listed.says.get("ours") or {})
    if known.mapped is not None and known.mapped.says is not None:
        ours_say |= {"desired": known.mapped.says.get("ours"), "mapped": known.mapped.says.get("theirs")}
    platform_says: dict[str, Any] | None = None
    if there is not None:
        platform_says = {"path": there.path, **(there.says or {})} if there.path else {}
        if is_order:
            platform_says |= _money(there)
    if is_order and desired is not None and not ours_say:
        ours_say = desired.said()
    currency, off = _off(held, known, verdict, desired) if is_order else (None, None)
    return DriftFinding(
        kind=known.key[0],
        id=known.key[1],
        store=known.store,
        subject=known.subject,
        code=verdict.code,
        cause=verdict.cause,
        detail=verdict.detail,
        store_says=store_says,
        ours_say=ours_say or None,
        platform_says=platform_says,
        currency=currency,
        off_mills=off,
        placed_at=_placed_at(known),
        repair="+".join(verdict.repair) or None if held.asked.repair else None,
    )


def _money(row: drift.Observation) -> dict[str, Any]:
    return {
        "net": order_totals.mills_as_text(row.net_mills or 0),
        "refunded": order_totals.mills_as_text(row.refunded_mills or 0),
        "currency": row.currency,
        "status": row.status,
        "is_valid": row.is_valid,
    }


def _off(
    held: RunContext, known: ReconcileEvidence, verdict: DriftVerdict, desired: order_totals.ObservedTotals | None
) -> tuple[str | None, int | None]:
    """By how much revenue the side at fault is off: ours against the store's, or Ometria's against ours."""
    shop = held.context.shops.get(known.store)
    record = known.kept.record if known.kept is not None else None
    have = order_totals.totals_of_order(record, shop.rules) if isinstance(record, Order) and shop else None
    listed, there = _revenue(known.listed), _revenue(known.there)
    currency = next((c for row in (known.listed, known.there) if row and (c := row.currency)), None)
    currency = currency or (desired.currency if desired else None) or (have.currency if have else None)
    match verdict.code:
        case "integration.missed_change" | "integration.missed_deletion":
            return currency, (have.revenue if have else 0) - listed
        case "integration.stale_mapping" | "storefront.unreadable_record" | "storefront.unreadable_body":
            return currency, None
    return currency, there - (desired.revenue if desired and known.standing and _is_wanted(known) else 0)


def _is_wanted(known: ReconcileEvidence) -> bool:
    return known.facts.is_ours and known.facts.state != "excluded"


def _revenue(row: drift.Observation | None) -> int:
    return (row.net_mills or 0) if row is not None and row.is_valid else 0


def _desired(held: RunContext, known: ReconcileEvidence) -> order_totals.ObservedTotals | None:
    standing = known.standing
    if known.key[0] != "order" or standing is None or standing.body is None:
        return None
    return order_totals.totals_of_platform_record(decode_json(held.context.packer.unpack(standing.body)))


def _placed_at(known: ReconcileEvidence) -> Any:
    if known.key[0] != "order":
        return None
    record = known.kept.record if known.kept is not None else None
    if isinstance(record, Order):
        return record.processed_at
    return next((row.placed_at for row in (known.listed, known.there) if row is not None and row.placed_at), None)


# -- strangers --------------------------------------------------------------------------------------------------------


def _strangers(tx: Tx, held: RunContext) -> None:
    """What another writer has put there under ids of its own: one finding and one case per kind, with examples.

    Nothing of what a takeover leaves to that writer.
    """
    connection, now = held.context.connection, held.now()
    rules = [shop.rules for shop in held.context.shops.values()]
    if any(one.tolerates for one in rules):
        return
    start_at = max((one.start_at for one in rules if one.start_at is not None), default=None)
    for kind in (KINDS[kind] for kind in held.asked.kinds):
        if kind == "product" and (start_at is not None or any(one.adopts for one in rules)):
            continue  # its orders of old point to them
        groups: dict[bool, list[dict[str, Any]]] = {}
        for row in drift.foreign_records(tx, connection, held.id, kind, start_at):
            groups.setdefault(row["is_twin"], []).append(row)
        for is_twin, rows in groups.items():
            code = "platform.duplicate_order" if is_twin else "platform.foreign_writer"
            n = sum(row["n"] for row in rows)
            detail = f"{n} {kind}s that we never wrote" + (", with the numbers of ours" if is_twin else "")
            finding = DriftFinding(
                kind=kind,
                id="",
                store="",
                subject=f"{kind}s",
                code=code,
                cause=cause_of_code(code),
                detail=detail,
                n=n,
                platform_says={"examples": [own for row in rows for own in row["examples"]][:5]},
                currency=rows[0]["currency"],
                off_mills=rows[0]["net_mills"],
            )
            findings.save_findings(tx, connection, held.id, [finding], now)
            cases.open_or_count(tx, connection, [Touch(code, f"{kind}s", "", detail)], now)
