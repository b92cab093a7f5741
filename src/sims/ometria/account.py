"""Everything one simulated Ometria account holds; rules live in the other modules."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sims.ometria.errors import ErrorRing
from sims.ometria.identity import People
from sims.ometria.shelf import Shelf, Stored
from sims.ometria.switches import Switches
from sims.statements import Statements

PREFERENCE_CENTRE = "preference_centre"
"""Collection of the listings that the preference centre writes; its name is ASSUMED."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted push that waits for its application."""

    request_id: str
    due_at: datetime
    records: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """One line of `GET /unsubscribes`."""

    email: str | None
    profile_id: str
    at: datetime
    type: str
    listed_at: datetime


@dataclass(slots=True)
class StaticList:
    """A list (the UI says segment) with its members' profile ids."""

    id: int
    title: str
    created_at: datetime
    archived: bool = False
    members: dict[str, datetime] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)


class Account:
    """The state of one account: shelves, people, the push queue, the error ring and what automations would see."""

    def __init__(self, name: str, switches: Switches, seed: int, statements: Statements | None = None) -> None:
        self.name = name
        self.statements = statements if statements is not None else Statements()
        self.switches = switches
        self.dice = random.Random(seed)
        self.collections: dict[str, Shelf[Stored]] = {}
        self.orders: Shelf[Stored] = Shelf()
        self.products: Shelf[Stored] = Shelf()
        self.events: Shelf[Stored] = Shelf()
        self.people = People(name)
        self.lists: dict[int, StaticList] = {}
        self.queue: deque[Batch] = deque()
        self.backlog = 0
        self.errors = ErrorRing(switches.error_ring)
        self.requests: dict[str, dict[str, Any]] = {}
        self.unsubscribes: list[Unsubscribe] = []
        self.automations: list[dict[str, Any]] = []
        self.counts: Counter[str] = Counter()

    def collection(self, name: str) -> Shelf[Stored]:
        """Return the shelf of a collection, made on first use since collections are not declared beforehand."""
        return self.collections.setdefault(name, Shelf())

    def contacts(self) -> Iterator[Stored]:
        """Yield every listing of every collection."""
        for shelf in self.collections.values():
            yield from shelf

    def listings_of(self, profile_id: str) -> list[Stored]:
        """Return the listings clustered into a profile, oldest internal id first."""
        profile = self.people.get(profile_id)
        holders = profile.listings if profile else ()
        found = (self.collections[collection].get(listing_id) for collection, listing_id in holders)
        return [row for row in found if row is not None]

    def new_uuid(self) -> str:
        """Return a seeded version-4 UUID."""
        return str(UUID(int=self.dice.getrandbits(128), version=4))

    def automate(self, kind: str, at: datetime, **what: Any) -> None:
        """Note something that would start an automation."""
        self.automations.append({"n": len(self.automations) + 1, "at": at.isoformat(), "kind": kind, **what})
