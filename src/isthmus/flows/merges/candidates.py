"""What is wanted of two people who may be one: that they be merged, or never."""

from msgspec import Struct

from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.identity.merge_rules import Side
from isthmus.identity.sql import duplicates, merges, profiles
from isthmus.identity.sql.merges import LoggedMerge, MergeLogEntry, QueuedMerge
from isthmus.identity.sql.profiles import SharedAddress


class ReviewedCandidate(Struct, frozen=True):
    """A candidate with both people (survivor first), and everything that speaks against merging them."""

    number: int
    verdict: str
    rule: str
    score: int
    reasons: tuple[str, ...]
    survivor: Side
    loser: Side
    against: tuple[str, ...]
    is_new: bool = False
    """Whether the last look was the first to find it."""

    @property
    def may_be_merged(self) -> bool:
        return not self.against


def queue_merge(db: Database, context: ConnectionContext, one: ReviewedCandidate, by: str) -> int | None:
    """Put a merge into the queue, and into the book; its number, None where it waits already."""
    now = context.clock.now()
    with db.transaction() as tx:
        number = merges.enqueue_merge(
            tx, context.connection, one.survivor.account, one.loser.account, one.rule, by, now
        )
        if number is not None:
            entry = MergeLogEntry(one.survivor.contact, one.loser.contact, "wanted", by, ", ".join(one.reasons), number)
            merges.append_log(tx, context.connection, [entry], now)
    return number


def dismiss_candidate(db: Database, context: ConnectionContext, one: ReviewedCandidate, by: str) -> None:
    """A person says that these are different people: they are never merged, whatever a look finds."""
    now = context.clock.now()
    with db.transaction() as tx:
        duplicates.dismiss_candidate(tx, context.connection, one.number, by, now)
        merges.append_log(
            tx, context.connection, [MergeLogEntry(one.survivor.contact, one.loser.contact, "apart", by)], now
        )


def queue_and_log(db: Database, context: ConnectionContext) -> tuple[list[QueuedMerge], list[LoggedMerge]]:
    """The queue, and what was last written into the book."""
    with db.transaction() as tx:
        return merges.list_merges(tx, context.connection), merges.read_log(tx, context.connection)


def addresses_with_several_profiles(db: Database, context: ConnectionContext) -> list[SharedAddress]:
    """Whom Ometria has several profiles for, as far as it was listened to."""
    with db.transaction() as tx:
        return profiles.shared_addresses(tx, context.connection)


def merge_state(db: Database, context: ConnectionContext, number: int) -> tuple[str, str]:
    """How a merge stands, and why; nothing where there is none of that number."""
    with db.transaction() as tx:
        found = merges.get_merge(tx, context.connection, number)
    return (found.state, found.why or "") if found else ("", "")
