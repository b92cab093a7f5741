"""What may overwrite what: versions decide, never the order of arrival."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class VersionComparison(StrEnum):
    """newer: take it · stale: what we have is newer · same: nothing new · ask: same version with other content, or news
    of a record known to be gone: read it.
    """

    NEWER = "newer"
    STALE = "stale"
    SAME = "same"
    ASK = "ask"


class StoredVersion(Struct, frozen=True):
    """The version and content hash of what we have; `is_gone` for a tombstone, `is_erased` for one of an erasure; when
    the store said so, if it told. A tombstone's version is the newest that was heard of the record.
    """

    updated_at: datetime
    hash: bytes | None
    is_gone: bool = False
    is_erased: bool = False
    said_at: datetime | None = None


def compare_versions(
    known: StoredVersion | None,
    updated_at: datetime,
    content: bytes,
    *,
    is_reading: bool,
    said_at: datetime | None = None,
) -> VersionComparison:
    """Whether a whole body of version `updated_at` with this content hash may overwrite what is known.

    Only a newer version overwrites. Of two bodies of one version nobody knows which is later, so the record is read,
    and the reading wins. A tombstone yields only to a later reading; a body with a newer version than was ever heard
    asks for one, so that neither a late delivery nor a replay brings anyone back. One of an erasure yields to nothing.
    A reading that began before what we have was said was held up on its way, and wins nothing.
    """
    if known is None:
        return VersionComparison.NEWER
    if known.is_erased:
        return VersionComparison.STALE
    if known.is_gone and is_reading:
        is_later = known.said_at is None or said_at is None or said_at > known.said_at
        return VersionComparison.NEWER if is_later else VersionComparison.STALE
    if known.is_gone:
        return VersionComparison.ASK if updated_at > known.updated_at else VersionComparison.STALE
    if updated_at != known.updated_at:
        return VersionComparison.NEWER if updated_at > known.updated_at else VersionComparison.STALE
    if content == known.hash:
        return VersionComparison.SAME
    if is_reading and known.said_at is not None and said_at is not None and said_at < known.said_at:
        return VersionComparison.STALE
    return VersionComparison.NEWER if is_reading else VersionComparison.ASK
