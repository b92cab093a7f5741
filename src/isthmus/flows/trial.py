"""Map records again without keeping it, as the road would, in a transaction that is rolled back."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from isthmus.db.pool import Database, Tx, is_passing
from isthmus.drift import sql as drift
from isthmus.drift.sql import Standing
from isthmus.flows import absorb
from isthmus.flows.road import Road
from isthmus.flows.told import REMAP, Told
from isthmus.model.event import Event
from isthmus.model.lane import Lane

T = TypeVar("T")
Key = tuple[str, str]

TRIES = 3


class _Enough(Exception):  # noqa: N818 - ends what was only tried
    """Rolls the mapping back."""


class Trial(Struct, frozen=True):
    """The writes of some records before and after a mapping that was not kept."""

    before: Mapping[Key, Standing]
    after: Mapping[Key, Standing]

    def unlike(self) -> list[Key]:
        """Which writes would be others."""
        return [key for key, mapped in self.after.items() if not is_same(mapped, self.before.get(key))]


def is_same(one: Standing | None, other: Standing | None) -> bool:
    """Whether two writes say the same."""
    return (one and (one.desired, one.excluded)) == (other and (other.desired, other.excluded))


def map_on_trial(
    db: Database, road: Road, store: str, kind: str, names: Sequence[str], look: Callable[[Tx], T]
) -> tuple[Trial, T]:
    """What these records would be sent as, were they mapped now, and what `look` finds before that is rolled back."""
    now = road.clock.now()
    subjects = [f"{kind}:{name}" for name in names]
    events = [
        Event(-n, store, REMAP, Lane.BACKFILL, subject, None, now, None, attempts=1, webhook_id=None, action_id=None)
        for n, subject in enumerate(subjects, start=1)
    ]
    words = [Told(event, (kind, store, name), is_remap=True) for event, name in zip(events, names, strict=True)]
    for tries_left in reversed(range(TRIES)):
        found: list[tuple[Trial, T]] = []
        try:
            with db.transaction() as tx:
                before = drift.writes_of(tx, road.connection, store, subjects)
                absorb.absorb(tx, road, words, now, is_guarded=False)
                after = drift.writes_of(tx, road.connection, store, subjects)
                found.append((Trial(before, after), look(tx)))
                raise _Enough
        except _Enough:
            return found[0]
        except Exception as error:
            if not (is_passing(error) and tries_left):
                raise  # else the live road was quicker to some lock
    raise AssertionError  # the last try returns or raises
