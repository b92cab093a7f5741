"""Which body of a record overwrites which, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.records.versioning import StoredVersion, VersionComparison, compare_versions

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OURS, OTHER = b"what we have", b"something else"

NEWER, STALE, SAME, ASK = (
    VersionComparison.NEWER,
    VersionComparison.STALE,
    VersionComparison.SAME,
    VersionComparison.ASK,
)


def test_a_record_that_is_unknown_is_taken() -> None:
    assert compare_versions(None, AT, OURS, is_reading=False) is NEWER
    assert compare_versions(None, AT, OURS, is_reading=True) is NEWER


@pytest.mark.parametrize("is_reading", [False, True])
@pytest.mark.parametrize("content", [OURS, OTHER])
@pytest.mark.parametrize(("age", "verdict"), [(SECOND, NEWER), (-SECOND, STALE)])
def test_another_version_decides_alone(
    age: timedelta, verdict: VersionComparison, content: bytes, is_reading: bool
) -> None:
    known = StoredVersion(AT, OURS, said_at=AT + 5 * SECOND)
    assert compare_versions(known, AT + age, content, is_reading=is_reading, said_at=AT + 4 * SECOND) is verdict


@pytest.mark.parametrize("is_reading", [False, True])
def test_an_equal_version_with_equal_content_says_nothing_new(is_reading: bool) -> None:
    known = StoredVersion(AT, OURS, said_at=AT + 5 * SECOND)
    assert compare_versions(known, AT, OURS, is_reading=is_reading, said_at=AT) is SAME


def test_an_equal_version_with_other_content_must_be_read() -> None:
    assert compare_versions(StoredVersion(AT, OURS), AT, OTHER, is_reading=False) is ASK
    assert compare_versions(StoredVersion(AT, None), AT, OTHER, is_reading=False) is ASK


@pytest.mark.parametrize(
    ("had", "got", "verdict"),
    [
        (AT, AT + SECOND, NEWER),
        (AT, AT, NEWER),
        (AT, AT - SECOND, STALE),
        (None, AT, NEWER),
        (AT, None, NEWER),
        (None, None, NEWER),
    ],
)
def test_of_two_readings_of_one_version_the_one_that_began_later_wins(
    had: datetime | None, got: datetime | None, verdict: VersionComparison
) -> None:
    assert compare_versions(StoredVersion(AT, OURS, said_at=had), AT, OTHER, is_reading=True, said_at=got) is verdict


@pytest.mark.parametrize(("age", "verdict"), [(-SECOND, STALE), (timedelta(), STALE), (SECOND, ASK)])
def test_a_tombstone_yields_to_no_delivery_and_a_newer_one_asks_for_a_reading(
    age: timedelta, verdict: VersionComparison
) -> None:
    assert (
        compare_versions(StoredVersion(AT, None, is_gone=True), AT + age, OURS, is_reading=False, said_at=AT + SECOND)
        is verdict
    )


@pytest.mark.parametrize("is_reading", [False, True])
def test_a_tombstone_of_an_erasure_yields_to_nothing(is_reading: bool) -> None:
    known = StoredVersion(AT, None, is_gone=True, is_erased=True, said_at=AT)
    assert compare_versions(known, AT + SECOND, OURS, is_reading=is_reading, said_at=AT + SECOND) is STALE


@pytest.mark.parametrize(
    ("had", "got", "verdict"),
    [
        (AT, AT + SECOND, NEWER),
        (AT, AT, STALE),
        (AT, AT - SECOND, STALE),
        (None, AT, NEWER),
        (AT, None, NEWER),
    ],
)
def test_a_tombstone_yields_to_a_reading_that_began_later(
    had: datetime | None, got: datetime | None, verdict: VersionComparison
) -> None:
    known = StoredVersion(AT, None, is_gone=True, said_at=had)
    assert compare_versions(known, AT, OURS, is_reading=True, said_at=got) is verdict
