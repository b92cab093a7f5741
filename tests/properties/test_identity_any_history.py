"""Whoever appears, moves, is merged (in the shop, by us, by somebody in Ometria) or leaves: in the end both sides agree
on who is who, or a case says why not, and nobody is merged with another human by us."""

import contextlib
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from isthmus.db.pool import Database
from isthmus.flows import duplicates, identifiers
from isthmus.flows.consent import poll_profiles
from isthmus.flows.merges.execute import run_next_merge
from isthmus.model.write import RecordKind
from lengths import histories
from plays import Play
from sims.shopify.deeds import people
from sims.shopify.state import Customer

Opened = Callable[[], contextlib.AbstractContextManager[Database]]

DEEDS = (
    "appear", "alias", "alias", "alias", "order", "order", "agree", "refuse", "move", "recycle", "shop_merge", "look",
    "ask", "ask", "their_merge", "their_merge", "their_merge", "leave", "listen", "work", "work", "work",
)  # fmt: skip


class Hamlet:
    """A few humans with several accounts, and what may become of them."""

    def __init__(self, db: Database, seed: int) -> None:
        self.play = Play(db, seed=seed)
        self.play.context = msgspec.structs.replace(self.play.context, merges_by_rule=True)
        self.living: list[Customer] = []
        self.human: dict[int, int] = {}
        self.n = self.n_theirs = 0

    def do(self, deed: str, a: int, b: int) -> None:
        getattr(self, f"_{deed}")(a, b)

    def _enter(self, email: str, human: int) -> Customer:
        name = ("Ada", "Eva", "Ida", "Una", "Zoe")[human % 5]
        made = self.play.person(
            email, "SUBSCRIBED", first_name=name, last_name=f"King{human}", default_address=None, addresses=[]
        )
        self.living.append(made)
        self.human[made.id] = human
        return made

    def _one(self, n: int) -> Customer | None:
        return self.living[n % len(self.living)] if self.living else None

    def _appear(self, a: int, b: int) -> None:
        self.n += 1
        self._enter(f"p{self.n}@example.com", self.n)

    def _alias(self, a: int, b: int) -> None:
        one = self._one(a)
        if one is not None and one.email:
            self.n += 1
            local, _, host = one.email.partition("@")
            self._enter(f"{local.partition('+')[0]}+{self.n}@{host}", self.human[one.id])

    def _order(self, a: int, b: int) -> None:
        one = self._one(a)
        if one is not None:
            self.play.orders(one)

    def _agree(self, a: int, b: int) -> None:
        if (one := self._one(a)) is not None:
            self.play.says(one, "SUBSCRIBED")

    def _refuse(self, a: int, b: int) -> None:
        if (one := self._one(a)) is not None:
            self.play.says(one, "UNSUBSCRIBED")

    def _move(self, a: int, b: int) -> None:
        if (one := self._one(a)) is not None:
            self.n += 1
            self.play.do(
                people.change_address(self.play.world, self.play.uk, one, f"m{self.n}@example.com", None, self.play.now)
            )

    def _recycle(self, a: int, b: int) -> None:
        one = self._one(a)
        if one is not None and one.email:
            email = one.email
            self._move(a, b)
            self.n += 1
            self._enter(email, self.n)

    def _shop_merge(self, a: int, b: int) -> None:
        one, two = self._one(a), self._one(b)
        if one is None or two is None or one is two:
            return
        kept, lost = people.winner(one, two)
        self.play.do(people.merge(self.play.world, self.play.uk, kept, lost, self.play.now))
        self.living.remove(lost)

    def _look(self, a: int, b: int) -> None:
        duplicates.find_duplicates(self.play.db, self.play.context)

    def _ask(self, a: int, b: int) -> None:
        run_next_merge(self.play.db, self.play.context)
        self.play.pass_time(31)

    def _their_merge(self, a: int, b: int) -> None:
        """Somebody merges two accounts of one human in Ometria."""
        one = self._one(a)
        mates = [each for each in self.living if one is not None and self.human[each.id] == self.human[one.id]]
        if one is None or len(mates) < 2:
            return
        two = next(each for each in mates if each is not one)
        ids = [self.play.lookup(RecordKind.CONTACT, f"uk:{each.id}") for each in (one, two)]
        first, second = [None if each is None else each.get("profile_id") for each in ids]
        if first and second and first != second:
            named = [{"type": "profile_hash", "value": value} for value in (first, second)]
            self.play.sims.ometria.merge_by_hand(named[0], named[1:])
            self.n_theirs += 1

    def _leave(self, a: int, b: int) -> None:
        one = self._one(a)
        if one is not None and not self.play.uk.orders_of.get(one.id):
            self.play.do(people.leave(self.play.uk, one))
            self.living.remove(one)

    def _listen(self, a: int, b: int) -> None:
        poll_profiles.poll_profiles(self.play.db, self.play.context)

    def _work(self, a: int, b: int) -> None:
        self.play.work()
        self.play.pass_time(3)

    def end(self) -> None:
        """Traffic stops: everything that comes round has its turn."""
        for _ in range(6):
            self.play.come_to_rest()
            poll_profiles.poll_profiles(self.play.db, self.play.context)
            while poll_profiles.recheck_profiles(self.play.db, self.play.context):
                pass
            identifiers.remap_resolved_conflicts(self.play.db, self.play.context)
            for _ in range(4):
                run_next_merge(self.play.db, self.play.context)
            self.play.pass_time(61)
        self.play.come_to_rest()


@given(
    seed=st.integers(1, 50),
    deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5), st.integers(0, 5)), min_size=5, max_size=30),
)
@histories(12, 200)
def test_whatever_becomes_of_people_both_sides_agree_on_who_is_who(
    fresh_database: Opened, seed: int, deeds: list[tuple[str, int, int]]
) -> None:
    with fresh_database() as db:
        hamlet = Hamlet(db, seed)
        for deed, a, b in deeds:
            hamlet.do(deed, a, b)
        hamlet.end()
        play = hamlet.play
        told = {row["subject"] for row in play.cases("identity.conflict")}
        differences = play.compare().differences
        assert [one for one in differences if f"customer:{one.id.partition(':')[2]}" not in told] == []
        for row in play.rows("SELECT survivor_id, loser_id FROM merge WHERE state = 'done'"):
            assert hamlet.human[row["survivor_id"]] == hamlet.human[row["loser_id"]]
        for row in play.rows("SELECT contact, email FROM link WHERE gone_at IS NULL AND email IS NOT NULL"):
            (contact,) = [play.lookup(RecordKind.CONTACT, row["contact"])]
            assert contact is not None
