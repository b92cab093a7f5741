"""End the cases of earlier runs where all sides agree again. Only agreement that was looked at may close one."""

from isthmus.cases.sql import cases
from isthmus.drift.attribute import NoDrift, Record, SideView, attribute_difference
from isthmus.drift.sql import findings
from isthmus.drift.sql.findings import OpenCase
from isthmus.drift.sql.observations import KINDS
from isthmus.flows.reconcile import scan_outbox
from isthmus.flows.reconcile.evidence import Key, ReconcileEvidence, gather_evidence, reread_platform, reread_stores
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.identity.sql import foreign

AT_ONCE = 10
"""Cases of one page; each may take a reading of Shopify and Ometria."""

MOST = 200
"""Cases that one run looks at."""

BY = "reconcile"


def close_resolved_cases(held: RunContext, step: str, cursor: str | None, n: int) -> int:
    """Look once more at what cases of ours are about, and close those that are over; how many were looked at."""
    after = int(cursor or 0)
    while held.goes_on():
        with held.db.transaction() as tx:
            some = findings.open_cases_of_runs(tx, held.context.connection, after, AT_ONCE)
            groups = findings.count_findings(tx, held.context.connection, held.id)
            about = {case.id: key for case in some if (key := _key(held, case))}
            theirs = foreign.adopted_ids(tx, held.context.connection, list(about.values()))
            about = {case: (key[0], theirs.get(key, key[1])) for case, key in about.items()}
            found = findings.findings_of_records(tx, held.context.connection, held.id, list(about.values()))
            known = gather_evidence(tx, held, sorted(set(about.values()) - found))
        agreed = _agreed(held, known)
        over = [case.id for case in some if about.get(case.id) in agreed or _is_over(held, case, groups)]
        n, is_done = n + len(some), len(some) < AT_ONCE or n + len(some) >= MOST
        after = some[-1].id if some else after
        now = held.now()
        with held.db.transaction() as tx:
            held.n_closed += sum(cases.close_case(tx, case, now, BY) for case in over)
            held.move(tx, step, str(after), n)
        held.tell_step(step, n, None, is_done=is_done)
        if is_done:
            return n
    return n


def _agreed(held: RunContext, known: list[ReconcileEvidence]) -> set[Key]:
    """Of these the records on which all sides agree, each read and mapped once more where a listing did not tell."""
    scan_outbox.remap_records(held, known)
    reread_stores(held, [one for one in known if one.facts.store_look is SideView.UNSEEN or _is_doubtful(one)])
    agreed = set()
    for one in known:
        if one.facts.platform_look is not SideView.THERE:
            reread_platform(held, one)
        if attribute_difference(one.facts) in (NoDrift.AGREED, NoDrift.SETTLED):
            agreed.add(one.key)
    return agreed


def _key(held: RunContext, case: OpenCase) -> Key | None:
    """The Ometria record that a case is about; None for one about many."""
    kind, _, name = case.subject.partition(":")
    if not name:
        return None
    if case.store in held.context.shops and kind in KINDS:
        return KINDS[kind], f"{held.context.shops[case.store].rules.namespace}{name}"
    return (kind, name) if kind in KINDS.values() else None


def _is_over(held: RunContext, case: OpenCase, groups: dict[tuple[str, str, str], int]) -> bool:
    """Whether a case about the rest of many is over: everything was looked at, and nothing of its sort was found."""
    kind = next((kind for kind, there in KINDS.items() if case.subject == f"{there}s"), None)
    if kind is None or kind not in held.asked.kinds or not held.asked.is_full:
        return False
    if case.store and case.store not in held.stores:
        return False
    has_seen = not any(b.kind == kind for b in held.blind)
    return has_seen and not groups.get((case.code, case.store, KINDS[kind]))


def _is_doubtful(known: ReconcileEvidence) -> bool:
    return known.facts.store_look is SideView.UNLISTED and known.facts.record is Record.KNOWN
