"""What others were last seen to have put into properties that are not ours alone, and what we did."""

from collections.abc import Mapping

from msgspec import Struct, field


class SharedProperty(Struct, frozen=True):
    """Of one platform record. `theirs` is what others put there by its last reading, None where it was never read;
    `ours` is our own part of what we asked it to hold last; `is_sent` says whether the record was ever sent."""

    theirs: Mapping[str, object] | None = None
    ours: Mapping[str, object] = field(default_factory=dict)
    is_sent: bool = False


UNHELD = SharedProperty()
"""Of a record that was never sent: nothing is there yet."""
