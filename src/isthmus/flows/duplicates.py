"""Look at everybody for people who may be one: candidates for a person to judge, and flags for who only shares."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database, Tx
from isthmus.drift.sql import results as judged
from isthmus.flows.context import ConnectionContext
from isthmus.flows.merges.by_rule import queue_by_rule
from isthmus.flows.merges.candidates import ReviewedCandidate
from isthmus.flows.merges.merge_facts import load_merge_sides
from isthmus.identity import merge_rules
from isthmus.identity.duplicates.candidate_pairs import Pair, find_pairs
from isthmus.identity.duplicates.features import PersonFeatures, person_features
from isthmus.identity.duplicates.rules import DuplicateLikelihood
from isthmus.identity.match import Account, Link, assign_survivors
from isthmus.identity.sql import duplicates
from isthmus.identity.sql import links as identity
from isthmus.identity.sql.duplicates import Candidate
from isthmus.model.basis import AsOf, Basis, NotJudged, NotJudgedReason
from isthmus.records.sql import ownership as owned
from isthmus.runs.sql import watermarks as runs

MARK = "duplicates"

SHARED_ADDRESS, SHARED_PHONE = "identity.shared_address", "identity.shared_phone"

CASES = 500
"""Pairs of one code that get a case each; the rest of a look share one."""

WEIGHED_AT_ONCE = 500
"""Candidates that are weighed in one transaction."""


class DuplicatesResult(Struct, frozen=True):
    """What a look brought: customers, candidates, pairs that only share something, and merges queued by rule."""

    n_customers: int
    n_candidates: int
    n_shared: int
    n_queued: int
    n_crowds: int
    basis: Basis | None = None
    """What the look rests on: how many people it compared, and stores whose people are not loaded."""


def find_duplicates(db: Database, context: ConnectionContext) -> DuplicatesResult:
    """Compare everybody who shares something with whoever else does, and keep what comes of it."""
    with db.transaction() as tx:
        everybody = list(_everybody(tx, context))
        links = identity.all_links(tx, context.connection)
        unloaded = [
            name
            for name in sorted(context.shops)
            if not runs.history_coverage(tx, context.connection, name, "customer").is_loaded
        ]
        heard = judged.last_activity_by_store(tx, context.connection)
    found = find_pairs(everybody)
    candidates = _of_people(found.candidates, links)
    now = context.clock.now()
    with db.transaction() as tx:
        duplicates.save_candidates(tx, context.connection, candidates, now)
        _flag(tx, context, SHARED_ADDRESS, found.shared_addresses, now)
        _flag(tx, context, SHARED_PHONE, found.shared, now)
        runs.advance_watermark(tx, context.connection, "", MARK, now, 1)
    n_queued = _queue(db, context) if context.merges_by_rule else 0
    n_shared = len(found.shared_addresses) + len(found.shared)
    basis = Basis(
        at=now,
        unit="people",
        n_compared=len(everybody),
        not_judged=tuple(NotJudged(NotJudgedReason.NOT_LOADED, None, f"{name} customers") for name in unloaded),
        as_of=tuple(AsOf(name, at) for name, at in sorted(heard.items()) if name in context.shops),
    )
    return DuplicatesResult(len(everybody), len(candidates), n_shared, n_queued, found.n_crowds, basis)


def review_candidates(
    db: Database, context: ConnectionContext, numbers: Iterable[int] | None = None
) -> list[ReviewedCandidate]:
    """The candidates of the last look (or those of these numbers), each with what a merge would do."""
    with db.transaction() as tx:
        kept = duplicates.list_candidates(tx, context.connection)
        if numbers is not None:
            wanted = set(numbers)
            kept = [one for one in kept if one.id in wanted]
    made: list[ReviewedCandidate] = []
    for first in range(0, len(kept), WEIGHED_AT_ONCE):
        some = kept[first : first + WEIGHED_AT_ONCE]
        with db.transaction() as tx:
            known = load_merge_sides(tx, context, [account for one in some for account in (one.one, one.two)])
        for one in some:
            first_, second = known.get(one.one), known.get(one.two)
            if first_ is None or second is None:
                continue  # gone from the shop since the look
            survivor, loser = merge_rules.survivor_and_loser(first_, second)
            against = merge_rules.objections_by_records(survivor, loser, are_apart=one.apart_by is not None)
            made.append(
                ReviewedCandidate(
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


def _everybody(tx: Tx, context: ConnectionContext) -> Iterable[PersonFeatures]:
    for store, customer in owned.list_customers(tx, context.connection, context.packer):
        if store in context.shops:
            yield person_features(store, f"{context.shops[store].rules.namespace}{customer.id}", customer)


def _of_people(pairs: Sequence[Pair], links: Sequence[Link]) -> list[Candidate]:
    """Pairs of customers as pairs of people, each once by its best rule; nobody who is one person already."""
    person = assign_survivors(links).by_customer
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


def _queue(db: Database, context: ConnectionContext) -> int:
    """Queue everything that is sure and may be merged, by rule."""
    sure = [
        one for one in review_candidates(db, context) if one.verdict == DuplicateLikelihood.SURE and one.may_be_merged
    ]
    return queue_by_rule(db, context, sure)


def _flag(tx: Tx, context: ConnectionContext, code: str, pairs: Sequence[Pair], now: datetime) -> None:
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
    open_ = cases.open_subjects(tx, context.connection, [code])
    fresh = [touch for touch in touches.values() if (code, touch.store, touch.subject) not in open_]
    cases.open_or_count(tx, context.connection, fresh, now)
    over: dict[str, list[str]] = {}
    for _, store, subject in open_:
        if (store, subject) not in touches:
            over.setdefault(store, []).append(subject)
    for store, subjects in over.items():
        cases.resolve_by_code(tx, context.connection, code, now, by="duplicates", subjects=subjects, store=store)
