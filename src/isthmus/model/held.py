"""What the platform was last seen to hold in properties that are not ours alone, and what we put there."""

from collections.abc import Mapping

from msgspec import Struct, field


class Held(Struct, frozen=True):
    """Of one platform record. `theirs` is its last reading, None where it was never read; `ours` is what we asked it to
    hold last; `is_sent` says whether the record was ever sent."""

    theirs: Mapping[str, object] | None = None
    ours: Mapping[str, object] = field(default_factory=dict)
    is_sent: bool = False


UNHELD = Held()
"""Of a record that was never sent: nothing is there yet."""
