"""Duplicates of a stored connection: look, weigh, and merge what a person asks for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from isthmus.flows import duplicates
from isthmus.flows.duplicates import Looked
from isthmus.flows.merges import ask, queue
from isthmus.flows.merges.ask import Stepped
from isthmus.flows.merges.queue import Weighed
from isthmus.identity.merges import decide
from isthmus.identity.merges.decide import Side
from isthmus.runtime.app import App

WAIT = timedelta(seconds=5)
"""Between two looks at a merge that somebody waits for at the terminal."""


def look(app: App, name: str) -> tuple[Looked, list[Weighed]]:
    """Compare everybody, and weigh what was found."""
    road = app.road(name)
    return duplicates.look(app.db, road), duplicates.weighed(app.db, road)


def candidate(app: App, name: str, number: int) -> Weighed | None:
    """One candidate of the last look, weighed by what is known now."""
    found = duplicates.weighed(app.db, app.road(name), [number])
    return found[0] if found else None


def wanted(app: App, name: str, one: Weighed, by: str) -> int | None:
    """Queue a merge that a person asked for; None where it waits already."""
    return queue.queue(app.db, app.road(name), one, by)


def set_apart(app: App, name: str, one: Weighed, by: str) -> None:
    queue.set_apart(app.db, app.road(name), one, by)


def step(app: App, name: str) -> Stepped:
    """Take the merge whose turn it is one step on."""
    return ask.step(app.db, app.road(name))


def state(app: App, name: str, number: int) -> tuple[str, str]:
    """How a merge stands, and why."""
    return queue.state(app.db, app.road(name), number)


def document(app: App, name: str, looked: Looked | None, found: Sequence[Weighed]) -> dict[str, Any]:
    """Everything as one document: ids, words and counts, and nobody's name or address."""
    queued, book = queue.standing(app.db, app.road(name))
    return {
        "connection": name,
        "looked": None if looked is None else msgspec.to_builtins(looked),
        "candidates": [told(one) for one in found],
        "n_new": sum(one.is_new for one in found),
        "several_profiles": [
            {"profiles": one.profiles, "customer_ids": one.customer_ids}
            for one in queue.several_profiles(app.db, app.road(name))
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


def told(one: Weighed) -> dict[str, Any]:
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
            "email": decide.stricter(one.survivor.email, one.loser.email).value,
            "sms": decide.stricter(one.survivor.sms, one.loser.sms).value,
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
