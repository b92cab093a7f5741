"""What an audit of consent has found so far: each customer is counted once, as agreeing, differing or not judged."""

from array import array
from collections.abc import Iterable, Sequence, Set

import msgspec

from isthmus.flows.consent.pairing import ConsentComparison, Name
from isthmus.flows.context import ConnectionContext
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.model.basis import AsOf, Basis, NotJudged, NotJudgedReason, not_judged_counts
from isthmus.model.consent import Stance
from isthmus.model.consent_comparison import (
    ConsentComparisonResult,
    ConsentDifference,
    DifferenceKind,
    NotJudgedCustomer,
)

HOW = ("both", "neither", "unseen")
"""As what a customer is counted on whom both sides agree."""

UNIT = "people"


class Agreed:
    """The customers of a shop on whom both sides agree, and how each was counted: nine bytes for each."""

    def __init__(self) -> None:
        self._numbers, self._how = array("q"), bytearray()

    def add(self, number: int, how: str) -> None:
        self._numbers.append(number)
        self._how.append(HOW.index(how))

    def take(self, wanted: Set[int]) -> dict[int, str]:
        """Count these no longer; how they were counted, as far as they were."""
        if not wanted:
            return {}
        both = list(zip(self._numbers, self._how, strict=True))
        self._numbers = array("q", (n for n, _ in both if n not in wanted))
        self._how = bytearray(how for n, how in both if n not in wanted)
        return {n: HOW[how] for n, how in both if n in wanted}


class AuditCounts:
    """The counts of one audit, what differs, and who was not judged."""

    def __init__(self, stores: Iterable[str]) -> None:
        self.agreed = {store: Agreed() for store in stores}
        self.as_of: list[AsOf] = []
        self.unread: list[str] = []
        self._not_judged: list[NotJudged] = []
        self._counts = dict.fromkeys(("people", *HOW), 0)
        self._found: list[ConsentDifference] = []
        self._unjudged: list[NotJudgedCustomer] = []

    def count(self, one: ConsentComparison) -> None:
        """A customer who was judged for good."""
        if one.reason is not None:
            self.leave(one.reason, one.who[0], [one.who[1]], one.who[0])
        elif not one.differs:
            how = "unseen" if not one.is_known_there else "both" if one.stance is Stance.IN else "neither"
            self.agreed[one.who[0]].add(one.who[1], how)
            self._add(how, 1)
        else:
            self._counts["people"] += 1
        is_open = one.reason in (NotJudgedReason.YOUNG, NotJudgedReason.NOT_COMPARED)
        self._found += [msgspec.structs.replace(d, sort=DifferenceKind.WAITING) if is_open else d for d in one.differs]

    def take_back(self, store: str, numbers: Set[int]) -> set[int]:
        """Those of these customers on whom both sides seemed to agree: they are not counted as that any more."""
        found = self.agreed[store].take(numbers)
        for how in found.values():
            self._add(how, -1)
        return set(found)

    def _add(self, how: str, n: int) -> None:
        self._counts[how] += n
        self._counts["people"] += n if how != "unseen" else 0

    def leave(self, reason: NotJudgedReason, store: str, numbers: Iterable[int], what: str) -> None:
        """These customers are not judged."""
        left = [NotJudgedCustomer(store, number, reason.value) for number in numbers]
        self._not_judged.append(NotJudged(reason, len(left), what))
        self._unjudged += left

    def leave_uncounted(self, reason: NotJudgedReason, what: str) -> None:
        """Nobody knows how many are not judged."""
        self._not_judged.append(NotJudged(reason, None, what))

    def ended(self, who: Name, mine: Sequence[KnownProfile], shop: str, *, is_missed: bool) -> None:
        """Somebody who is gone or has no address any more, with Ometria's people of whom nobody else speaks."""
        if not mine:
            self._counts["unseen"] += 1
        elif may_mail_any(mine):
            self.still_written_to(who, mine, shop, is_missed=is_missed)
        else:
            self._add("neither", 1)

    def still_written_to(self, who: Name, mine: Sequence[KnownProfile], shop: str, *, is_missed: bool) -> None:
        """Ometria may write to an address that the customer does not have any more."""
        self._counts["people"] += 1
        self._found.append(
            ConsentDifference(
                DifferenceKind.UNPROVEN,
                *who,
                "email",
                shop,
                None,
                Stance.IN.value,
                max(one.seen_at for one in mine),
                Stance.OUT.value,
                "retired",
                "",
                None,
                is_missed=is_missed,
            )
        )

    def result(self, context: ConnectionContext, *, is_whole: bool) -> ConsentComparisonResult:
        """The audit, with the gravest differences first."""
        order = list(DifferenceKind)
        found = sorted(self._found, key=lambda one: (order.index(one.sort), one.store, one.customer_id, one.channel))
        now = context.clock.now()
        n_differ = len({(one.store, one.customer_id) for one in found if one.sort is not DifferenceKind.WAITING})
        basis = Basis(
            at=now,
            n_compared=self._counts["people"],
            n_differ=n_differ,
            not_judged=not_judged_counts(self._not_judged),
            as_of=tuple(self.as_of),
            unit=UNIT,
            needs_some=True,
        )
        return ConsentComparisonResult(
            context.connection,
            now,
            self._counts["people"],
            self._counts["both"],
            self._counts["neither"],
            self._counts["unseen"],
            tuple(found),
            is_whole,
            basis=basis,
            unread=tuple(self.unread),
            unjudged=tuple(sorted(self._unjudged, key=lambda one: (one.store, one.customer_id))),
        )


def may_mail_any(mine: Iterable[KnownProfile]) -> bool:
    """Whether Ometria may write to any of these people."""
    return any(one.email_now == "EXPLICITLY_OPTEDIN" for one in mine)
