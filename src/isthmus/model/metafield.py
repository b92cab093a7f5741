"""A custom field of a shop's record, in words that are neither side's: what it is, and its value as text."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Form(StrEnum):
    """What a value is, whatever the shop calls its type."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    DAY = "day"
    TIME = "time"
    REFERENCE = "reference"
    """Another record of the shop, as `Product/123`."""


class Metafield(Struct, frozen=True, gc=False, omit_defaults=True):
    """One custom field that was asked for, by namespace and key with a dot between.

    A record that has no such field says so: `type` is None; `is_gone` where it had one before. A value that cannot be
    read as its type has no `form`.
    """

    key: str
    type: str | None = None
    form: Form | None = None
    values: tuple[str, ...] = ()
    is_list: bool = False
    is_gone: bool = False

    @property
    def was_there(self) -> bool:
        """Whether the record has it, or had it once."""
        return self.type is not None or self.is_gone


def overlay_metafields(
    known: Iterable[Metafield] | None, told: Iterable[Metafield] | None
) -> tuple[Metafield, ...] | None:
    """What is known of a record's fields once some were told again; None where nothing ever was.

    A field that is not there any more is remembered as gone, since what was made of it has to be taken back.
    """
    if told is None:
        return None if known is None else tuple(known)
    before = {one.key: one for one in known or ()}
    fresh = {one.key: _with_past(one, before.get(one.key)) for one in told}
    return tuple(one for one in before.values() if one.key not in fresh) + tuple(fresh.values())


def _with_past(told: Metafield, known: Metafield | None) -> Metafield:
    if told.type is not None or known is None or not known.was_there:
        return told
    return Metafield(told.key, is_gone=True)
