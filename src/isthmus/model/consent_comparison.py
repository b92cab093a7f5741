"""How two sides agree on whom they may write to: what a two-sided audit of consent says."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from isthmus.model.basis import Basis


class DifferenceKind(StrEnum):
    """In what way the sides differ about one person, the gravest first."""

    AGAINST = "against their will"
    UNPROVEN = "unproven"
    SILENCED = "silenced"
    BEHIND = "the shop is behind"
    LACKING = "the shop lacks their yes"
    WAITING = "under way"


class ConsentDifference(Struct, frozen=True):
    """One customer of one store on whom the sides do not agree, without a name or an address.

    `shop` and `platform` are what each says, with the shop's time; `stance`, `rule`, `source` and `since` what the
    ledger decided, and by which statement. `case` is the code of the open case about it. `is_missed` says that the shop
    says something that it never told us.
    """

    sort: DifferenceKind
    store: str
    customer_id: int
    channel: str
    shop: str
    shop_at: datetime | None
    platform: str
    platform_seen_at: datetime | None
    stance: str
    rule: str
    source: str
    since: datetime | None
    case: str = ""
    is_missed: bool = False


class NotJudgedCustomer(Struct, frozen=True):
    """One customer who was not judged, and why, without a name or an address."""

    store: str
    customer_id: int
    reason: str


class ConsentComparisonResult(Struct, frozen=True):
    """One audit. Counts are of customers per channel that both sides know; `n_unseen` those Ometria does not.

    `digest` is the hash of everything else here: two prints with the same digest say the same. `basis` says as of when
    each side was heard and who was not judged; audits from before it was kept have none. Those under way are among
    `differs`, and among those who were not judged.
    """

    name: str
    at: datetime
    n_people: int
    n_both: int
    n_neither: int
    n_unseen: int
    differs: tuple[ConsentDifference, ...]
    is_whole: bool = True
    digest: str = ""
    signed_by: str = ""
    basis: Basis | None = None
    unread: tuple[str, ...] = ()
    """Shops that could not be read, each with the reason."""
    unjudged: tuple[NotJudgedCustomer, ...] = ()
    """Who was not judged, as far as they are known to us."""

    @property
    def unexplained(self) -> tuple[ConsentDifference, ...]:
        """Those that no open case explains and nothing under way will fix."""
        return tuple(one for one in self.differs if not one.case and one.sort is not DifferenceKind.WAITING)

    @property
    def found(self) -> tuple[ConsentDifference, ...]:
        """Those on whom the sides differ, without what is only under way."""
        return tuple(one for one in self.differs if one.sort is not DifferenceKind.WAITING)


def new_differences(
    done: ConsentComparisonResult, before: ConsentComparisonResult | None
) -> tuple[ConsentDifference, ...]:
    """What one audit found and the one before it did not; all of it where there was none before."""
    known = {_key(one) for one in before.found} if before is not None else set()
    return tuple(one for one in done.found if _key(one) not in known)


def _key(one: ConsentDifference) -> tuple[str, int, str, str]:
    return one.store, one.customer_id, one.channel, one.sort
