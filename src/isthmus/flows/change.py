"""What one unit of work did to a record: what the rooms that follow need to know of it."""

from datetime import datetime

from msgspec import Struct

from isthmus.model.lane import Lane
from isthmus.records.sql.store import Canonical, Key


class RecordTransition(Struct):
    """What happened to one record in this unit of work: `before` and `after`, and every state it passed through."""

    key: Key
    before: Canonical | None
    after: Canonical | None
    passed: list[Canonical]
    lane: Lane
    since: datetime
    is_gone: bool = False
    is_remap: bool = False
    said_at: datetime | None = None
    """When the store said what is known now."""
    encoded: tuple[bytes, bytes] | None = None
    """`after` as JSON with its hash, where it was needed already."""

    @property
    def last(self) -> Canonical | None:
        """The record as it is, or as it was before it went."""
        return self.after if self.after is not None else self.before
