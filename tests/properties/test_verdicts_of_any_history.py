"""Whatever is lost on the way, no verdict says *agree* of a record that differs, unless it is named as not judged.

Webhooks, polls, both or neither are lost while people order, subscribe and unsubscribe on either side, Ometria drops
what it accepted now and then, and a shop refuses to take an opt-out; then, at any moment, a reconciliation and the page
say how both sides stand.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.reconcile.run import Reconciled
from isthmus.model.basis import Basis, NotJudgedReason, verdict_outcome
from isthmus.model.write import RecordKind
from isthmus.ops import status
from lengths import LONG
from sims.shopify.state import Customer, Order
from talking import IN, Both

OF_ONE_TOWN = 10
"""Histories that follow each other in one town, so that it is not set up for each."""

TOWNS = range(100 if LONG else 3)


class History:
    """One town, what happens in it, and what a verdict may claim."""

    def __init__(self, database: Database, seed: int) -> None:
        self.play = Both(database, seed=seed + 1)
        self.dice = random.Random(seed)
        self.people: list[Customer] = [self.play.person(f"p{n}@example.com", self.state()) for n in range(6)]
        self.placed: list[Order] = [self.play.orders(who) for who in self.people[:3]]
        self.play.rest()
        self.play.pass_time(600)

    def state(self) -> str:
        return self.dice.choice(["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED"])

    def live(self) -> None:
        """A few things happen; each is told or not, and what arrived may have been worked on."""
        loses_webhooks, loses_polls = self.dice.random() < 0.6, self.dice.random() < 0.5
        vanishing, refusing = self.dice.choice([0.0, 0.0, 0.4]), self.dice.choice([0.0, 0.0, 1.0])
        self.play.sims.faults.set({"ometria.p_vanish": vanishing, "shopify.p_consent_refused": refusing})
        for _ in range(self.dice.randrange(1, 5)):
            is_told = not (loses_webhooks and self.dice.random() < 0.7)
            who = self.dice.choice(self.people)
            match self.dice.randrange(7):
                case 0:
                    self.placed.append(self.play.orders(who, is_told=is_told))
                case 1 | 2:
                    self.play.says(who, self.state(), is_told=is_told)
                case 3:
                    name = f"q{self.dice.random()}@example.com"
                    self.people.append(self.play.person(name, self.state(), is_told=is_told))
                case 4:
                    self.play.pass_time(self.dice.choice([5, 60, 200]))
                case 5:
                    self.in_ometria(who, self.play.leaves)
                case 6:
                    self.in_ometria(who, self.play.returns)
            if self.dice.random() < 0.5:
                self.play.work()
        if not loses_polls and self.dice.random() < 0.5:
            self.play.poll()
            self.play.work()
        self.play.pass_time(self.dice.choice([1, 30, 130, 900]))
        self.play.sims.faults.clear()

    def in_ometria(self, who: Customer, does: Callable[[str], None]) -> None:
        """Somebody unsubscribes or subscribes in Ometria, where they are known."""
        assert who.email
        if self.play.context.platform.profiles(email=who.email):
            does(who.email)
        self.play.pass_time(1)

    def differing(self) -> set[tuple[str, str]]:
        """The records on which the two sides differ now, by looking into both simulators."""
        found = set()
        for who in self.people:
            there = self.play.lookup(RecordKind.CONTACT, f"uk:{who.id}")
            is_mailable = who.email_consent.state == "SUBSCRIBED"
            if there is None or self.is_in_ometria(who) != is_mailable:
                found.add(("contact", f"uk:{who.id}"))
        for placed in self.placed:
            if self.play.lookup(RecordKind.ORDER, f"uk:{placed.id}") is None:
                found.add(("order", f"uk:{placed.id}"))
        return found

    def is_in_ometria(self, who: Customer) -> bool:
        """Whether Ometria may write to this person, over all its listings."""
        assert who.email
        return any(one["marketing_optin"] == IN for one in self.play.context.platform.profiles(email=who.email))

    def claimed(self, run: int) -> set[tuple[str, str]]:
        """The records of which a run says that both sides agree."""
        rows = self.play.rows(
            """SELECT o.kind, o.id FROM outbox o
               LEFT JOIN suspect s ON s.connection = o.connection AND s.run = %s AND s.kind = o.kind AND s.id = o.id
               WHERE o.kind IN ('contact', 'order')
                 AND (s.result = 'agreed' OR (s.id IS NULL AND o.state = 'applied'))""",
            run,
        )
        return {(row["kind"], row["id"]) for row in rows}

    def without_case(self, run: int) -> list[dict[str, Any]]:
        """Contacts whose consent a run found unsettled, and no open case says why."""
        return self.play.rows(
            """SELECT s.id FROM suspect s
               JOIN outbox o ON o.connection = s.connection AND o.kind = s.kind AND o.id = s.id
               WHERE s.run = %s AND s.result = 'consent not settled'
                 AND NOT EXISTS (SELECT FROM cases c WHERE c.connection = o.connection AND c.state = 'open'
                                 AND c.code LIKE '%%consent%%' AND c.store = o.store AND c.subject = o.subject)""",
            run,
        )

    def moved_since(self, run: int) -> list[dict[str, Any]]:
        """What we sent, or have to send or to hear, since a run read both sides: it compared nothing of that."""
        return self.play.rows(
            """SELECT o.kind, o.id FROM outbox o JOIN run r ON r.connection = o.connection AND r.id = %s
               WHERE o.kind IN ('contact', 'order', 'product') AND (o.settled_at > r.ended_at
                 OR o.state IN ('due', 'leased', 'accepted', 'held'))
               UNION ALL
               SELECT 'event', e.subject FROM event e WHERE e.state = 'waiting'""",
            run,
        )


@pytest.fixture(params=TOWNS)
def history(request: pytest.FixtureRequest, database: Database) -> History:
    return History(database, request.param)


def page(history: History) -> Basis:
    (one,) = status.read_status(history.play.db, history.play.now).connections
    return one.basis


def must_hold(history: History, done: Reconciled) -> None:
    basis = done.basis
    assert basis is not None
    differing = history.differing()
    assert not differing & history.claimed(done.run)
    if verdict_outcome(basis).is_green:
        assert basis.n_in_flight * 100 <= basis.n_compared + basis.n_in_flight
        assert len(differing) <= basis.n_in_flight
    # Every record is in exactly one place: compared, or not judged for a reason.
    (known,) = history.play.rows("SELECT count(*) AS n FROM outbox WHERE kind IN ('contact', 'order', 'product')")
    assert basis.n_compared + basis.n_not_judged >= known["n"]


def test_no_verdict_says_agree_of_what_differs(history: History) -> None:
    for _ in range(OF_ONE_TOWN):
        history.live()
        done = history.play.reconcile(repair=history.dice.random() < 0.5)
        must_hold(history, done)
        if verdict_outcome(page(history)).is_green:
            assert not history.differing()
        history.live()  # what happens after a comparison is none of its claims
        shown = page(history)
        assert shown.as_of == (done.basis.as_of if done.basis else ())
        if verdict_outcome(shown).is_green:
            assert history.moved_since(done.run) == []
        history.play.poll()
        history.play.rest()
        history.play.pass_time(600)
        calm = history.play.reconcile()
        must_hold(history, calm)
        assert calm.basis is not None
        assert history.without_case(calm.run) == []
        left = [
            one
            for one in calm.basis.not_judged
            if not one.reason.is_accepted and one.reason is not NotJudgedReason.CONSENT
        ]
        assert sum(one.n or 0 for one in left) * 100 <= calm.basis.n_compared, left
        assert NotJudgedReason.COULD_NOT_LOOK not in {one.reason for one in left}
        history.play.rest()
