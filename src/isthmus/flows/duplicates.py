"""Look at everybody for people who may be one: candidates for a person to judge, and flags for who only shares."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database, Tx
from isthmus.drift.judged import sql as judged
from isthmus.flows.merges.by_rule import queue_by_rule
from isthmus.flows.merges.queue import Weighed
from isthmus.flows.merges.sides import sides
from isthmus.flows.road import Road
from isthmus.identity import sql as identity
from isthmus.identity.duplicates import sql as duplicates
from isthmus.identity.duplicates.find import Pair, find
from isthmus.identity.duplicates.judge import Verdict
from isthmus.identity.duplicates.someone import Someone, someone
from isthmus.identity.duplicates.sql import Candidate
from isthmus.identity.match import Account, Link, people
from isthmus.identity.merges import decide
from isthmus.model.basis import AsOf, Basis, NotJudged, Reason
from isthmus.records.owned import sql as owned
from isthmus.runs import sql as runs

MARK = "duplicates"

SHARED_ADDRESS, SHARED_PHONE = "identity.shared_address", "identity.shared_phone"

CASES = 500
"""Pairs of one code that get a case each; the rest of a look share one."""

WEIGHED_AT_ONCE = 500
"""Candidates that are weighed in one transaction."""


class Looked(Struct, frozen=True):
    """What a look brought: customers, candidates, pairs that only share something, and merges queued by rule."""

    n_customers: int
    n_candidates: int
    n_shared: int
    n_queued: int
    n_crowds: int
    basis: Basis | None = None
    """What the look rests on: how many people it compared, and stores whose people are not loaded."""


def look(db: Database, road: Road) -> Looked:
    """Compare everybody who shares something with whoever else does, and keep what comes of it."""
    with db.transaction() as tx:
        everybody = list(_everybody(tx, road))
        links = identity.everyone(tx, road.connection)
        unloaded = [
            name for name in sorted(road.shops) if not runs.loaded(tx, road.connection, name, "customer").is_loaded
        ]
        heard = judged.heard(tx, road.connection)
    found = find(everybody)
    candidates = _of_people(found.candidates, links)
    now = road.clock.now()
    with db.transaction() as tx:
        duplicates.save(tx, road.connection, candidates, now)
        _flag(tx, road, SHARED_ADDRESS, found.shared_addresses, now)
        _flag(tx, road, SHARED_PHONE, found.shared, now)
        runs.advance(tx, road.connection, "", MARK, now, 1)
    n_queued = _queue(db, road) if road.merges_by_rule else 0
    n_shared = len(found.shared_addresses) + len(found.shared)
    basis = Basis(
        at=now,
        unit="people",
        n_compared=len(everybody),
        not_judged=tuple(NotJudged(Reason.NOT_LOADED, None, f"{name} customers") for name in unloaded),
        as_of=tuple(AsOf(name, at) for name, at in sorted(heard.items()) if name in road.shops),
    )
    return Looked(len(everybody), len(candidates), n_shared, n_queued, found.n_crowds, basis)


def weighed(db: Database, road: Road, numbers: Iterable[int] | None = None) -> list[Weighed]:
    """The candidates of the last look (or those of these numbers), each with what a merge would do."""
    with db.transaction() as tx:
        kept = duplicates.listing(tx, road.connection)
        if numbers is not None:
            wanted = set(numbers)
            kept = [one for one in kept if one.id in wanted]
    made: list[Weighed] = []
    for first in range(0, len(kept), WEIGHED_AT_ONCE):
        some = kept[first : first + WEIGHED_AT_ONCE]
        with db.transaction() as tx:
            known = sides(tx, road, [account for one in some for account in (one.one, one.two)])
        for one in some:
            first_, second = known.get(one.one), known.get(one.two)
            if first_ is None or second is None:
                continue  # gone from the shop since the look
            survivor, loser = decide.elder(first_, second)
            against = decide.weigh(survivor, loser, are_apart=one.apart_by is not None)
            made.append(
                Weighed(
                    one.id,
                    one.verdict,
                    one.rule,
                    one.score,
                    tuple(one.reasons),
                    survivor,
                    loser,
                    against,
                    is_new=one.found_at == one.seen_at,
                )
            )
    return made


# -- below: parts of a look -------------------------------------------------------------------------------------------


def _everybody(tx: Tx, road: Road) -> Iterable[Someone]:
    for store, customer in owned.customers(tx, road.connection, road.packer):
        if store in road.shops:
            yield someone(store, f"{road.shops[store].rules.namespace}{customer.id}", customer)


def _of_people(pairs: Sequence[Pair], links: Sequence[Link]) -> list[Candidate]:
    """Pairs of customers as pairs of people, each once by its best rule; nobody who is one person already."""
    person = people(links).by_customer
    account_of = {link.contact: link.account for link in links}
    best: dict[tuple[Account, Account], Candidate] = {}
    for pair in pairs:  # best first
        heads = [account_of[person[one.store, one.id]] for one in (pair.one, pair.two) if (one.store, one.id) in person]
        if len(heads) < 2 or heads[0] == heads[1]:
            continue
        one, two = sorted(heads, key=lambda account: (account[1], account[0]))
        said = pair.judgement
        best.setdefault((one, two), Candidate(one, two, said.verdict, said.rule, said.score, said.reasons))
    return list(best.values())


def _queue(db: Database, road: Road) -> int:
    """Queue everything that is sure and may be merged, by rule."""
    sure = [one for one in weighed(db, road) if one.verdict == Verdict.SURE and one.may_be_merged]
    return queue_by_rule(db, road, sure)


def _flag(tx: Tx, road: Road, code: str, pairs: Sequence[Pair], now: datetime) -> None:
    """A case for each pair that only shares something; those that a look finds no more are over."""
    touches: dict[tuple[str, str], Touch] = {}
    for pair in pairs:
        older, newer = sorted((pair.one, pair.two), key=lambda one: (one.id, one.store))
        subject = f"customer:{older.id}"
        key = (older.store, subject)
        if key in touches:
            continue
        if len(touches) < CASES:
            touches[key] = Touch(code, subject, older.store, f"with {newer.contact}")
        else:
            touches["", "customers"] = Touch(code, "customers", "", f"{len(pairs):,} pairs in all")
            break
    open_ = cases.open_subjects(tx, road.connection, [code])
    fresh = [touch for touch in touches.values() if (code, touch.store, touch.subject) not in open_]
    cases.touch(tx, road.connection, fresh, now)
    over: dict[str, list[str]] = {}
    for _, store, subject in open_:
        if (store, subject) not in touches:
            over.setdefault(store, []).append(subject)
    for store, subjects in over.items():
        cases.resolve(tx, road.connection, code, now, by="duplicates", subjects=subjects, store=store)
