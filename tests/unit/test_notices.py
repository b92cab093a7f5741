"""What is news, told once, and how it reads."""

from datetime import UTC, datetime, timedelta

from isthmus.notifications.message import LISTED, STORM, Notice, build_messages
from isthmus.notifications.transitions import CALM, AlertChange, AlertState, LastNotified, alert_changes

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OPENED = AlertState(
    "case:platform.refused:uk", AlertChange.OPENED, {"what": "case", "title": "Ometria refused a record"}
)


def told(one: AlertState, at: datetime = AT) -> dict[str, LastNotified]:
    assert one.state is not None
    return {one.key: LastNotified(one.key, one.state, at, one.body)}


def states(news: list[AlertState]) -> list[tuple[str, AlertChange | None]]:
    return [(one.key, one.state) for one in news]


def test_what_was_told_is_no_news() -> None:
    assert states(alert_changes({}, [OPENED], AT)) == [(OPENED.key, AlertChange.OPENED)]
    assert alert_changes(told(OPENED), [OPENED], AT + timedelta(days=3)) == []


def test_what_is_no_longer_there_is_over_once() -> None:
    (news,) = alert_changes(told(OPENED), [], AT + CALM)
    assert news.state is AlertChange.CLOSED
    assert news.body == OPENED.body
    assert alert_changes(told(news, AT + CALM), [], AT + 2 * CALM) == []


def test_what_comes_and_goes_all_the_time_does_not_ring_all_the_time() -> None:
    assert alert_changes(told(OPENED), [], AT + CALM / 2) == []
    closed = AlertState(OPENED.key, AlertChange.CLOSED, OPENED.body)
    assert states(alert_changes(told(closed), [OPENED], AT + timedelta(seconds=1))) == [
        (OPENED.key, AlertChange.OPENED)
    ]


def test_what_nobody_can_say_changes_nothing() -> None:
    late = AlertState("lane:realtime", AlertChange.LATE)
    assert alert_changes(told(late), [AlertState("lane:realtime", None)], AT + 2 * CALM) == []
    assert alert_changes({}, [AlertState("lane:realtime", None)], AT) == []


def test_what_happens_once_is_told_once_and_never_over() -> None:
    done = AlertState("run:12", AlertChange.FINISHED)
    assert states(alert_changes({}, [done], AT)) == [("run:12", AlertChange.FINISHED)]
    assert alert_changes(told(done), [done], AT + CALM) == []
    assert alert_changes(told(done), [], AT + CALM) == []


def test_from_blocked_to_paused_is_news_and_so_is_the_way_back() -> None:
    blocked, paused = AlertState("connection", AlertChange.BLOCKED), AlertState("connection", AlertChange.PAUSED)
    assert states(alert_changes(told(blocked), [paused], AT + timedelta(seconds=1))) == [
        ("connection", AlertChange.PAUSED)
    ]
    assert states(alert_changes(told(paused), [], AT + CALM)) == [("connection", AlertChange.RESUMED)]


def test_a_look_that_is_older_than_what_was_told_tells_nothing() -> None:
    closed = AlertState(OPENED.key, AlertChange.CLOSED)
    assert alert_changes(told(closed, AT), [OPENED], AT - timedelta(seconds=5)) == []


def notice(n: int, state: AlertChange = AlertChange.OPENED) -> Notice:
    body = {"what": "case", "title": f"trouble {n}", "store": "", "n": 1, "owner": "platform team"}
    return Notice("acme", n, f"case:x{n}:", state, AT, body, 1, [])


def test_a_message_keeps_its_id_and_says_nothing_empty() -> None:
    (one,) = build_messages([notice(7)])
    assert one == {
        "id": "acme-7", "at": "2026-11-23T09:00:00Z", "connection": "acme", "key": "case:x7:", "state": "opened",
        "text": "acme: opened: trouble 7 [platform team]", "what": "case", "title": "trouble 7", "n": 1,
        "owner": "platform team",
    }  # fmt: skip


def test_a_storm_is_one_message() -> None:
    assert len(build_messages([notice(n) for n in range(STORM)])) == STORM
    (one,) = build_messages([notice(n) for n in range(1, 101)])
    assert (one["what"], one["id"], one["n"], len(one["items"])) == ("many", "acme-1-100", 100, LISTED)
    assert one["text"].startswith("acme: 100 changes at once\nacme: opened: trouble 1 ")
    assert one["text"].endswith("and 50 more")


def test_a_digest_does_not_drown_in_a_storm() -> None:
    digest = Notice("acme", 99, "digest:2026-11-23", AlertChange.DIGEST, AT, {"what": "digest", "text": "all"}, 1, [])
    assert [one["what"] for one in build_messages([*(notice(n) for n in range(20)), digest])] == ["many", "digest"]
