"""What an audit answers: found, clean, or could not look; in words for people who run campaigns, not servers."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field


class Level(StrEnum):
    """How much a finding weighs: stop before launch, launch with care, good to know."""

    STOP = "stop"
    CARE = "care"
    NOTE = "note"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(Level)}


class FindingOwner(StrEnum):
    """Who can fix it."""

    STORE = "store team"
    INTEGRATION = "integration operator"
    PLATFORM = "platform team"


class FindingExample(Struct, frozen=True, gc=False):
    """One record that shows a finding, without anybody's data: `kind` is customers, orders, products or profiles.

    `id` is the record's id where it has one, else its name; `store` may be empty for a record of Ometria's.
    """

    kind: str
    id: str
    says: str
    store: str = ""


class AuditFinding(Struct, frozen=True, kw_only=True):
    """A finding. `n` of `of` records called `unit`; `people` and `money` (by currency) are what is at risk.

    `days_left` is until it becomes a standstill, where that is known; the day itself stands in `what`.
    """

    code: str
    level: Level
    title: str
    what: str
    remedy: str
    owner: FindingOwner
    n: int
    unit: str = ""
    of: int | None = None
    people: int = 0
    money: Mapping[str, Decimal] = field(default_factory=dict)
    examples: tuple[FindingExample, ...] = ()
    days_left: int | None = None

    @property
    def share(self) -> Decimal | None:
        """Between 0 and 1; None where there is nothing to have a share of."""
        return Decimal(self.n) / self.of if self.of else None


class Passed(Struct, frozen=True):
    """Looked, and nothing there."""

    code: str
    title: str


class NotChecked(Struct, frozen=True):
    """Could not look, and why. Never the same as clean."""

    code: str
    title: str
    reason: str


CheckAnswer = AuditFinding | Passed | NotChecked


class ChartBar(Struct, frozen=True):
    """One bar of a picture; `tone` is good, bad, warm or plain."""

    label: str
    n: int
    tone: str = "plain"


class Chart(Struct, frozen=True):
    """A few numbers that are better seen than read."""

    title: str
    bars: tuple[ChartBar, ...]


class AuditOutcome(StrEnum):
    """The answer on one glance."""

    READY = "ready"
    CARE = "ready with care"
    NOT_ENOUGH = "not enough was looked at"
    NOT_READY = "not ready"


class Fact(Struct, frozen=True):
    """One line of what was seen, about a store or, without one, about all."""

    label: str
    says: str
    store: str = ""


class AuditResult(Struct, frozen=True, kw_only=True):
    """One audit: every check's answer, the weightiest first. `domains` says which shop each store is, for links.

    `read` counts what was read, by what it is; `seconds` is how long that took. `away` names the APIs that could not
    be reached.
    """

    name: str
    at: datetime
    origin: str
    answers: tuple[CheckAnswer, ...]
    pictures: tuple[Chart, ...] = ()
    facts: tuple[Fact, ...] = ()
    domains: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    away: tuple[str, ...] = ()

    @property
    def found(self) -> tuple[AuditFinding, ...]:
        return tuple(one for one in self.answers if isinstance(one, AuditFinding))

    @property
    def unseen(self) -> tuple[NotChecked, ...]:
        return tuple(one for one in self.answers if isinstance(one, NotChecked))

    @property
    def clean(self) -> tuple[Passed, ...]:
        return tuple(one for one in self.answers if isinstance(one, Passed))

    @property
    def is_away(self) -> bool:
        return bool(self.away)

    @property
    def verdict(self) -> AuditOutcome:
        """Not ready with anything that stops; with care when something needs it. Ready only where every check looked;
        where more than two in three could not, nothing is said of readiness at all.
        """
        level = min((one.level.rank for one in self.found), default=Level.NOTE.rank)
        if level == Level.STOP.rank:
            return AuditOutcome.NOT_READY
        if len(self.unseen) * 3 > len(self.answers) * 2:
            return AuditOutcome.NOT_ENOUGH
        if level == Level.CARE.rank:
            return AuditOutcome.CARE
        return AuditOutcome.NOT_ENOUGH if self.unseen else AuditOutcome.READY
