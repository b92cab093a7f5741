"""The simulators' tape."""

from datetime import UTC, datetime

from sims.tape import Tape

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_entries_are_numbered_and_read_from_any_point_on() -> None:
    tape = Tape()
    for side in ("shopify", "ometria", "shopify"):
        tape.record(AT, side, "GET", "/x", 200)
    assert [one["n"] for one in tape.read(since=1)] == [2, 3]
    assert [one["n"] for one in tape.read(side="shopify")] == [1, 3]
    assert [one["n"] for one in tape.read(limit=2)] == [1, 2]


def test_bodies_come_back_as_json_or_as_text() -> None:
    tape = Tape()
    tape.record(AT, "ometria", "POST", "/push", 200, account="acme", summary={"n": 1}, body=b'[{"a":1}]')
    tape.record(AT, "ometria", "POST", "/push", 400, body=b"{\xff")
    first, second = tape.read()
    assert (first["body"], first["account"], first["summary"]) == ([{"a": 1}], "acme", {"n": 1})
    assert (first["at"], first["status"]) == ("2026-11-23T09:00:00Z", 200)
    assert second["body"] == "{�"


def test_the_oldest_fall_off_by_count_and_by_size() -> None:
    tape = Tape(entries=3, max_bytes=10)
    for _ in range(5):
        tape.record(AT, "ometria", "GET", "/x", 200)
    assert [one["n"] for one in tape.read()] == [3, 4, 5]
    tape.record(AT, "ometria", "POST", "/x", 200, body=b"1234567")
    tape.record(AT, "ometria", "POST", "/x", 200, body=b"1234567")
    assert [one["n"] for one in tape.read()] == [7]


def test_a_cleared_tape_goes_on_counting() -> None:
    tape = Tape()
    tape.record(AT, "ometria", "GET", "/x", 200)
    tape.clear()
    assert tape.record(AT, "ometria", "GET", "/x", 200) == 2
    assert len(tape) == 1
