"""What a verdict rests on: agreement is claimed only of what was compared; what could not look is not green."""

from datetime import UTC, datetime

import pytest

from isthmus.model.basis import (
    AsOf,
    Basis,
    NotJudged,
    NotJudgedReason,
    as_of_times,
    basis_document,
    not_judged_counts,
    verdict_outcome,
    verdict_sentence,
)

AT = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


def basis(n: int, *left: NotJudged, differ: int = 0, **more: object) -> Basis:
    return Basis(at=AT, n_compared=n, n_differ=differ, not_judged=left, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "says", "code", "strictly"),
    [
        (basis(1204), "Of 1,204 compared, all agree", 0, 0),
        (basis(1, unit="records"), "Of 1 record compared, it agrees", 0, 0),
        (basis(0), "Nothing was compared", 0, 0),
        (basis(0, unit="people", needs_some=True), "Nothing was compared", 1, 1),
        (basis(1, differ=1, unit="people"), "Of 1 person compared, 1 differs", 1, 1),
        (basis(10, differ=1), "Of 10 compared, 1 differs", 1, 1),
        (
            basis(100, NotJudged(NotJudgedReason.EXCLUDED, 7), NotJudged(NotJudgedReason.HORIZON, 3)),
            "Of 100 compared, all agree; 10 not judged: 7 excluded, 3 before the accepted horizon",
            0,
            1,
        ),
        (
            basis(99, NotJudged(NotJudgedReason.IN_FLIGHT, 1)),
            "Of 99 compared, all agree; 1 not judged: 1 in flight",
            0,
            1,
        ),
        (
            basis(98, NotJudged(NotJudgedReason.IN_FLIGHT, 1), NotJudged(NotJudgedReason.YOUNG, 1)),
            "Of 98 compared, all agree; 2 not judged: 1 in flight, 1 younger than the grace period",
            1,
            1,
        ),
        (
            basis(99, NotJudged(NotJudgedReason.WAITING, 1)),
            "Of 99 compared, all agree; 1 not judged: 1 waiting",
            1,
            1,
        ),
        (
            basis(99, NotJudged(NotJudgedReason.OUT_OF_SIGHT, 1, "uk orders")),
            "Of 99 compared, all agree; 1 not judged: 1 out of sight (uk orders)",
            1,
            1,
        ),
        (
            basis(0, NotJudged(NotJudgedReason.NOT_LOADED, None, "uk orders")),
            "Nothing was compared; not judged: history not loaded (uk orders)",
            1,
            1,
        ),
        (
            basis(5, NotJudged(NotJudgedReason.COULD_NOT_LOOK, None, "uk"), NotJudged(NotJudgedReason.EXCLUDED, 2)),
            "Of 5 compared, all agree; at least 2 not judged: could not look (uk), 2 excluded",
            1,
            1,
        ),
    ],
)
def test_a_verdict_names_what_was_not_judged_and_ends_as_that_allows(
    given: Basis, says: str, code: int, strictly: int
) -> None:
    assert verdict_sentence(given) == says
    assert verdict_outcome(given).exit_code == code
    assert verdict_outcome(given).is_green == (code == 0)
    assert verdict_outcome(given, strict=True).exit_code == strictly
    assert basis_document(given)["says"] == says


@pytest.mark.parametrize("reason", list(NotJudgedReason))
def test_only_what_is_in_flight_or_accepted_may_be_left_out_of_a_green_verdict(reason: NotJudgedReason) -> None:
    is_let = verdict_outcome(basis(1000, NotJudged(reason, 1))).is_green
    assert is_let == (
        reason in (NotJudgedReason.IN_FLIGHT, NotJudgedReason.YOUNG, NotJudgedReason.EXCLUDED, NotJudgedReason.HORIZON)
    )
    assert not verdict_outcome(basis(1000, NotJudged(reason, 1)), strict=True).is_green


def test_times_say_when_each_side_was_heard_and_read() -> None:
    given = basis(
        3,
        as_of=(
            AsOf("uk", heard_at=AT.replace(hour=11), read_from=AT.replace(hour=11, minute=30), read_to=AT),
            AsOf("Ometria", read_to=AT.replace(day=29)),
            AsOf("eu"),
        ),
    )
    said = "uk heard 11:00:00, read 11:30:00 to 12:00:00; Ometria read 2026-11-29 12:00:00; eu never read"
    assert as_of_times(given) == said


def test_reasons_are_summed_and_what_nobody_can_count_comes_first() -> None:
    some = [
        NotJudged(NotJudgedReason.EXCLUDED, 1),
        NotJudged(NotJudgedReason.IN_FLIGHT, 0),
        NotJudged(NotJudgedReason.EXCLUDED, 4),
        NotJudged(NotJudgedReason.COULD_NOT_LOOK, None, "uk"),
        NotJudged(NotJudgedReason.COULD_NOT_LOOK, 2, "uk"),
    ]
    assert not_judged_counts(some) == (
        NotJudged(NotJudgedReason.COULD_NOT_LOOK, None, "uk"),
        NotJudged(NotJudgedReason.EXCLUDED, 5),
    )
