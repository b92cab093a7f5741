"""End the cases of earlier runs where all sides agree again. Only agreement that was looked at may close one."""

from isthmus.cases import sql as cases
from isthmus.drift.attribute import Look, Record, Standing, attribute
from isthmus.drift.found import sql as findings
from isthmus.drift.found.sql import OpenCase
from isthmus.drift.sql import KINDS
from isthmus.flows.reconcile import ours
from isthmus.flows.reconcile.facts import Key, Known, gather, look_again_at_store, look_again_there
from isthmus.flows.reconcile.held import Held
from isthmus.identity.foreign import sql as foreign

AT_ONCE = 10
"""Cases of one page; each may take a reading of both neighbours."""

MOST = 200
"""Cases that one run looks at."""

BY = "reconcile"


def close(held: Held, step: str, cursor: str | None, n: int) -> int:
    """Look once more at what cases of ours are about, and close those that are over; how many were looked at."""
    after = int(cursor or 0)
    while held.goes_on():
        with held.db.transaction() as tx:
            some = findings.own_cases(tx, held.road.connection, after, AT_ONCE)
            groups = findings.n_found(tx, held.road.connection, held.id)
            about = {case.id: key for case in some if (key := _key(held, case))}
            theirs = foreign.adopted(tx, held.road.connection, list(about.values()))
            about = {case: (key[0], theirs.get(key, key[1])) for case, key in about.items()}
            found = findings.found_of(tx, held.road.connection, held.id, list(about.values()))
            known = gather(tx, held, sorted(set(about.values()) - found))
        agreed = _agreed(held, known)
        over = [case.id for case in some if about.get(case.id) in agreed or _is_over(held, case, groups)]
        n, is_done = n + len(some), len(some) < AT_ONCE or n + len(some) >= MOST
        after = some[-1].id if some else after
        now = held.now()
        with held.db.transaction() as tx:
            held.n_closed += sum(cases.close(tx, case, now, BY) for case in over)
            held.move(tx, step, str(after), n)
        held.tell_step(step, n, None, is_done=is_done)
        if is_done:
            return n
    return n


def _agreed(held: Held, known: list[Known]) -> set[Key]:
    """Of these the records on which all sides agree, each read and mapped once more where a listing did not tell."""
    ours.look_again(held, known)
    look_again_at_store(held, [one for one in known if one.facts.store_look is Look.UNSEEN or _is_doubtful(one)])
    agreed = set()
    for one in known:
        if one.facts.platform_look is not Look.THERE:
            look_again_there(held, one)
        if attribute(one.facts) in (Standing.AGREED, Standing.SETTLED):
            agreed.add(one.key)
    return agreed


def _key(held: Held, case: OpenCase) -> Key | None:
    """The platform record that a case is about; None for one about many."""
    kind, _, name = case.subject.partition(":")
    if not name:
        return None
    if case.store in held.road.shops and kind in KINDS:
        return KINDS[kind], f"{held.road.shops[case.store].rules.namespace}{name}"
    return (kind, name) if kind in KINDS.values() else None


def _is_over(held: Held, case: OpenCase, groups: dict[tuple[str, str, str], int]) -> bool:
    """Whether a case about the rest of many is over: everything was looked at, and nothing of its sort was found."""
    kind = next((kind for kind, there in KINDS.items() if case.subject == f"{there}s"), None)
    if kind is None or kind not in held.asked.kinds or not held.asked.is_full:
        return False
    if case.store and case.store not in held.stores:
        return False
    has_seen = not any(b.kind == kind for b in held.blind)
    return has_seen and not groups.get((case.code, case.store, KINDS[kind]))


def _is_doubtful(known: Known) -> bool:
    return known.facts.store_look is Look.UNLISTED and known.facts.record is Record.KNOWN
