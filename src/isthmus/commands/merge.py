"""Duplicates of a stored connection: look, weigh, and merge what a person asks for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from isthmus.app.context import App
from isthmus.flows import duplicates
from isthmus.flows.duplicates import DuplicatesResult
from isthmus.flows.merges import candidates, execute
from isthmus.flows.merges.candidates import ReviewedCandidate
from isthmus.flows.merges.execute import MergeStepResult
from isthmus.identity import merge_rules
from isthmus.identity.merge_rules import Side

WAIT = timedelta(seconds=5)
"""Between two looks at a merge that somebody waits for at the terminal."""


def find_duplicates(app: App, name: str) -> tuple[DuplicatesResult, list[ReviewedCandidate]]:
    """Compare everybody, and weigh what was found."""
    context = app.context(name)
    return duplicates.find_duplicates(app.db, context), duplicates.review_candidates(app.db, context)


def review_candidate(app: App, name: str, number: int) -> ReviewedCandidate | None:
    """One candidate of the last look, weighed by what is known now."""
    found = duplicates.review_candidates(app.db, app.context(name), [number])
    return found[0] if found else None


def queue_merge(app: App, name: str, one: ReviewedCandidate, by: str) -> int | None:
    """Queue a merge that a person asked for; None where it waits already."""
    return candidates.queue_merge(app.db, app.context(name), one, by)


def dismiss_candidate(app: App, name: str, one: ReviewedCandidate, by: str) -> None:
    candidates.dismiss_candidate(app.db, app.context(name), one, by)


def run_next_merge(app: App, name: str) -> MergeStepResult:
    """Take the merge whose turn it is one step on."""
    return execute.run_next_merge(app.db, app.context(name))


def merge_state(app: App, name: str, number: int) -> tuple[str, str]:
    """How a merge stands, and why."""
    return candidates.merge_state(app.db, app.context(name), number)


def duplicates_document(
    app: App, name: str, looked: DuplicatesResult | None, found: Sequence[ReviewedCandidate]
) -> dict[str, Any]:
    """Everything as one document: ids, words and counts, and nobody's name or address."""
    queued, book = candidates.queue_and_log(app.db, app.context(name))
    return {
        "connection": name,
        "looked": None if looked is None else msgspec.to_builtins(looked),
        "candidates": [candidate_document(one) for one in found],
        "n_new": sum(one.is_new for one in found),
        "several_profiles": [
            {"profiles": one.profiles, "customer_ids": one.customer_ids}
            for one in candidates.addresses_with_several_profiles(app.db, app.context(name))
        ],
        "merges": [
            {
                "merge": one.id,
                "state": one.state,
                "why": one.why,
                "rule": one.rule,
                "by": one.wanted_by,
                "survivor": f"{one.survivor_store}:{one.survivor_id}",
                "loser": f"{one.loser_store}:{one.loser_id}",
                "wanted_at": _at(one.wanted_at),
                "asked_at": _at(one.asked_at),
                "closed_at": _at(one.closed_at),
                "times_asked": one.n_asked,
                "request_id": one.request_id,
            }
            for one in queued
        ],
        "book": [{**msgspec.to_builtins(one), "at": _at(one.at)} for one in book],
    }


def candidate_document(one: ReviewedCandidate) -> dict[str, Any]:
    """A candidate: who, why, what would move, what becomes of consent, and whether it may be."""
    return {
        "candidate": one.number,
        "verdict": one.verdict,
        "rule": one.rule,
        "score": one.score,
        "reasons": list(one.reasons),
        "survivor": _side(one.survivor),
        "loser": _side(one.loser),
        "moves": {"orders": one.loser.n_orders, "contacts": len(one.loser.contacts)},
        "consent": {
            "email": merge_rules.stricter_consent(one.survivor.email, one.loser.email).value,
            "sms": merge_rules.stricter_consent(one.survivor.sms, one.loser.sms).value,
        },
        "may_be_merged": one.may_be_merged,
        "is_new": one.is_new,
        "against": list(one.against),
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "contact": side.contact,
        "accounts": [f"{store}:{number}" for store, number in sorted(side.accounts)],
        "orders": side.n_orders,
        "email": side.email.value,
        "sms": side.sms.value,
    }


def _at(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
