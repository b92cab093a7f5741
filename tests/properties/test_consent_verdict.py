"""What a consent audit says is true as of when it read. Whatever webhooks and polls are lost, it says neither *agree*
nor *mailable on both* of anybody who is mailable on one side alone, unless it says that it did not judge them.

The simulators' own records are the truth that it is held against.
"""

import contextlib
import random
from collections.abc import Callable

import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import audit as flow
from isthmus.model.basis import verdict_outcome
from isthmus.model.consent_comparison import ConsentComparisonResult
from lengths import LONG
from sims.shopify.deeds import people
from sims.shopify.state import Customer
from talks import ADDRESSES, IN, WAYS, Talk

SEEDS = range(1_000 if LONG else 30)
LOST = ("webhooks", "polls", "both")
STATES = ("SUBSCRIBED", "SUBSCRIBED", "UNSUBSCRIBED")
N_DEEDS = 14
AFTER = 600
"""Seconds after the last deed."""

Opened = Callable[[], contextlib.AbstractContextManager[Database]]


class Losing(Talk):
    """People who say what they like in two shops and in Ometria, while some of what would tell of it is lost."""

    def __init__(self, db: Database, seed: int, lost: str) -> None:
        super().__init__(db, seed)
        self.lost = lost
        if lost != "polls":
            self.sims.faults.set({"shopify.p_drop": 0.7})

    def deed(self) -> None:
        """One thing that somebody does."""
        dice, email = self.dice, self.dice.choice(ADDRESSES)
        shop = dice.choice(sorted(self.context.shops))
        match dice.choice(
            ("appears", "appears", "says", "says", "says", "leaves", "returns", "moves", "empties", "goes")
        ):
            case "appears":
                self.appears(email, shop, dice.choice((None, *STATES)))
            case "says":
                self.says(email, shop, dice.choice(STATES), dice.choice((0, 0, 30)))
            case "leaves":
                self.leaves(email, dice.choice(WAYS))
            case "returns":
                self.returns(email)
            case "moves":
                self.changes_address(email, shop, dice.choice(ADDRESSES))
            case "empties":
                for store, one in self.customers(email)[:1]:
                    self._do(people.change_address(self.sims.world, store, one, None, None, self.clock.now()))
            case "goes":
                for store, one in self.customers(email)[:1]:
                    with contextlib.suppress(ValueError):  # who has ordered cannot be deleted
                        self._do(people.leave(store, one))

    def some_work(self) -> None:
        for _ in range(self.dice.randrange(4)):
            self.step(
                self.dice.choice(("deliveries", "process", "push", "settle", "listen", "attend", "write", "work"))
            )
        if self.lost == "webhooks" and self.dice.random() < 0.2:
            self.poll()
        self.pass_time(self.dice.choice((1, 15, 70, 200)))

    # The truth -----------------------------------------------------------------------------------------------------

    def sides(self) -> dict[str, tuple[bool, bool]]:
        """Of each person of the shops: whether the shops together may write to them, and whether Ometria may."""
        return {
            email: (self._stands_in_shop(mine), self.is_in_there(email)) for email, mine in self.people_here().items()
        }

    def people_here(self) -> dict[str, list[Customer]]:
        found: dict[str, list[Customer]] = {}
        for name in self.context.shops:
            for one in self.sims.store(name).customers.values():
                if one.email:
                    found.setdefault(one.email, []).append(one)
        return found

    def is_in_there(self, email: str) -> bool:
        return any(p["marketing_optin"] == IN for p in self.context.platform.profiles(email=email))

    def hold(self, done: ConsentComparisonResult) -> None:
        """What the audit says against what is."""
        basis, sides, here = done.basis, self.sides(), self.people_here()
        assert basis is not None
        named = {one.customer_id for one in done.differs}
        apart = {email for email, (may_here, may_there) in sides.items() if may_here != may_there}
        silent = {email for email in apart if not named & {one.id for one in here[email]}}
        assert len(silent) <= basis.n_not_judged, (silent, done)
        if verdict_outcome(basis).is_green:
            assert not apart, (apart, done)
        both = neither = 0
        for email, mine in here.items():
            may_here, may_there = sides[email]
            own = [one.email_consent.state == "SUBSCRIBED" for one in mine]
            both += sum(may_there and (may_here or said) for said in own)
            neither += sum(not may_there and not said for said in own)
        assert done.n_both <= both, (done, sides)
        assert done.n_neither <= neither + self.n_gone(), (done, sides)
        assert all(one.read_to is not None for one in basis.as_of)

    def n_gone(self) -> int:
        """Customers that we have and no shop: nobody is mailable because of them."""
        there = {(name, str(number)) for name in self.context.shops for number in self.sims.store(name).customers}
        with self.db.transaction() as tx:
            rows = tx.fetch_all("SELECT store, id FROM record WHERE kind = 'customer' AND body IS NOT NULL")
        return sum((row["store"], row["id"]) not in there for row in rows)


@pytest.mark.parametrize("lost", LOST)
def test_a_verdict_is_true_as_of_when_it_read(fresh_database: Opened, lost: str) -> None:
    n_judged = n_left = n_differ = 0
    for seed in SEEDS[LOST.index(lost) :: len(LOST)]:
        with fresh_database() as db:
            talk = Losing(db, seed, lost)
            dice = random.Random(seed)
            asked_at = {dice.randrange(2, N_DEEDS), N_DEEDS - 1}
            for n in range(N_DEEDS):
                talk.deed()
                talk.some_work()
                if n in asked_at:
                    done = flow.run_consent_audit(talk.db, talk.context, repair=dice.random() < 0.5)
                    n_differ += len(done.found)
                    talk.hold(done)
            talk.check()
            for _ in range(10):
                talk.work()
                talk.pass_time(AFTER / 10)
            done = flow.run_consent_audit(talk.db, talk.context)
            talk.hold(done)
            assert done.basis is not None
            n_left += done.basis.n_not_judged
            n_judged += done.basis.n_compared
    assert n_differ > 0  # something was really lost
    assert n_left * 100 <= n_judged + n_left, "more than 1 % are not judged ten minutes after the last word"
