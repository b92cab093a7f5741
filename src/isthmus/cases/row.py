"""What a row of the catalogue says of one kind of case."""

from enum import StrEnum

from msgspec import Struct


class Cause(StrEnum):
    """The layer at fault."""

    STOREFRONT = "storefront"
    INTEGRATION = "integration"
    PLATFORM = "platform"


class CaseOwner(StrEnum):
    """Who can end it."""

    STORE = "store team"
    OPERATOR = "integration operator"
    PLATFORM = "platform team"
    PRIVACY = "privacy officer"


class Severity(StrEnum):
    """How soon: urgent wakes somebody, high is today's work, normal this week's, low is good to know."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class CaseRow(Struct, frozen=True, kw_only=True):
    """One kind of case. `due_days` is set where a law sets a date, counted from the first report.

    A warning says that something may be worth a look: the records that it names are right as they are. What
    `follows_record` is over once the record or the event that it names was taken in after the last sign of trouble
    (cases/sql/recheck.py).
    """

    code: str
    title: str
    cause: Cause
    owner: CaseOwner
    severity: Severity
    remedy: str
    due_days: int | None = None
    is_warning: bool = False
    follows_record: bool = False

    @property
    def runbook(self) -> str:
        """Where the steps are, below the root of the project."""
        return f"docs/runbooks/{self.code}.md"
