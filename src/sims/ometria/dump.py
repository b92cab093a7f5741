"""What checkers may see of the account without going through the API: whole shelves, and counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sims.ometria import views
from sims.ometria.account import Account
from sims.ometria.identity import Profile
from sims.ometria.shelf import Stored

KINDS = ("contacts", "orders", "products", "events", "profiles", "automations", "unsubscribes")


def items(account: Account, kind: str) -> list[dict[str, Any]]:
    """Return everything of one of `KINDS`: fields as sent, and `_meta` with what Ometria added."""
    return list(walk(account, kind))


def walk(account: Account, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the same one by one, as it was when it was asked for: a large account need not be held twice."""
    match kind:
        case "contacts":
            return map(_stored, list(account.contacts()))
        case "orders":
            return map(_stored, list(account.orders))
        case "products":
            return map(_stored, list(account.products))
        case "events":
            return map(_stored, list(account.events))
        case "profiles":
            return (_profile(account, one) for one in list(account.people.shelf))
        case "automations":
            return iter(list(account.automations))
        case "unsubscribes":
            return (views.unsubscribe(one) for one in list(account.unsubscribes))
    raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")


def report(account: Account) -> dict[str, Any]:
    """Return how much of everything there is, and how the pushes went."""
    return {
        "contacts": sum(len(shelf) for shelf in account.collections.values()),
        "orders": len(account.orders),
        "products": len(account.products),
        "events": len(account.events),
        "profiles": len(account.people.shelf),
        "automations": len(account.automations),
        "unsubscribes": len(account.unsubscribes),
        "waiting": account.backlog,
        "errors": account.errors.total,
        "identifiers_ignored": account.people.n_ignored,
        "counts": dict(account.counts),
    }


def _stored(row: Stored) -> dict[str, Any]:
    meta = {
        "source": row.source,
        "version": row.version,
        "profile_id": row.profile_id,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    return {**row.record, "_meta": meta}


def _profile(account: Account, person: Profile) -> dict[str, Any]:
    meta = {
        "listings": [{"collection": collection, "id": key} for collection, key in person.listings],
        "orders": list(person.orders),
        "events": list(person.events),
        "ignored": [{"type": kind, "id": value, "from": by} for (kind, value), by in person.ignored.items()],
        "updated_at": person.updated_at,
    }
    return {**views.profile(account, person), "_meta": meta}
