"""Map records again without keeping it, as the pipeline would, in a transaction that is rolled back."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from isthmus.db.pool import Database, Tx, is_retryable
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.observations import OutboxRow
from isthmus.flows import store_records
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import REMAP, ParsedUpdate
from isthmus.model.event import Event
from isthmus.model.lane import Lane

T = TypeVar("T")
Key = tuple[str, str]

TRIES = 3


class _Enough(Exception):  # noqa: N818 - ends what was only tried
    """Rolls the mapping back."""


class Trial(Struct, frozen=True):
    """The writes of some records before and after a mapping that was not kept."""

    before: Mapping[Key, OutboxRow]
    after: Mapping[Key, OutboxRow]

    def unlike(self) -> list[Key]:
        """Which writes would be others."""
        return [key for key, mapped in self.after.items() if not is_same_write(mapped, self.before.get(key))]


def is_same_write(one: OutboxRow | None, other: OutboxRow | None) -> bool:
    """Whether two writes say the same."""
    return (one and (one.desired, one.excluded)) == (other and (other.desired, other.excluded))


def map_without_saving(
    db: Database, context: ConnectionContext, store: str, kind: str, names: Sequence[str], look: Callable[[Tx], T]
) -> tuple[Trial, T]:
    """What these records would be sent as, were they mapped now, and what `look` finds before that is rolled back."""
    now = context.clock.now()
    subjects = [f"{kind}:{name}" for name in names]
    events = [
        Event(-n, store, REMAP, Lane.BACKFILL, subject, None, now, None, attempts=1, webhook_id=None, action_id=None)
        for n, subject in enumerate(subjects, start=1)
    ]
    words = [ParsedUpdate(event, (kind, store, name), is_remap=True) for event, name in zip(events, names, strict=True)]
    for tries_left in reversed(range(TRIES)):
        found: list[tuple[Trial, T]] = []
        try:
            with db.transaction() as tx:
                before = drift.outbox_rows_of_subjects(tx, context.connection, store, subjects)
                store_records.store_records(tx, context, words, now, is_guarded=False)
                after = drift.outbox_rows_of_subjects(tx, context.connection, store, subjects)
                found.append((Trial(before, after), look(tx)))
                raise _Enough
        except _Enough:
            return found[0]
        except Exception as error:
            if not (is_retryable(error) and tries_left):
                raise  # else the live road was quicker to some lock
    raise AssertionError  # the last try returns or raises
