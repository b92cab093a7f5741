"""What an audit answers: found, clean, or could not look; in words for people who run campaigns, not servers."""

from collections.abc import Mapping
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


class Owner(StrEnum):
    """Who can mend it."""

    STORE = "store team"
    INTEGRATION = "integration operator"
    PLATFORM = "platform team"


class Example(Struct, frozen=True, gc=False):
    """One record that shows a finding, without anybody's data: `kind` is customers, orders, products or profiles.

    `id` is the record's id where it has one, else its name; `store` may be empty for a record of the platform's.
    """

    kind: str
    id: str
    says: str
    store: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """A finding. `n` of `of` records called `unit`; `people` and `money` (by currency) are what is at risk.

    `days_left` is until it becomes a standstill, where that is known; the day itself stands in `what`.
    """

    code: str
    level: Level
    title: str
    what: str
    remedy: str
    owner: Owner
    n: int
    unit: str = ""
    of: int | None = None
    people: int = 0
    money: Mapping[str, Decimal] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    days_left: int | None = None

    @property
    def share(self) -> Decimal | None:
        """Between 0 and 1; None where there is nothing to have a share of."""
        return Decimal(self.n) / self.of if self.of else None


class Clean(Struct, frozen=True):
    """Looked, and nothing there."""

    code: str
    title: str


class Unseen(Struct, frozen=True):
    """Could not look, and why. Never the same as clean."""

    code: str
    title: str
    reason: str


Answer = Found | Clean | Unseen


class Bar(Struct, frozen=True):
    """One bar of a picture; `tone` is good, bad, warm or plain."""

    label: str
    n: int
    tone: str = "plain"


class Picture(Struct, frozen=True):
    """A few numbers that are better seen than read."""

    title: str
    bars: tuple[Bar, ...]
