"""What is news, told once, and how it reads."""

from datetime import UTC, datetime, timedelta

from isthmus.notices.change import CALM, Standing, State, Told, changes
from isthmus.notices.message import LISTED, STORM, Notice, messages

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OPENED = Standing("case:platform.refused:uk", State.OPENED, {"what": "case", "title": "Ometria refused a record"})


def told(one: Standing, at: datetime = AT) -> dict[str, Told]:
    assert one.state is not None
    return {one.key: Told(one.key, one.state, at, one.body)}


def states(news: list[Standing]) -> list[tuple[str, State | None]]:
    return [(one.key, one.state) for one in news]


def test_what_was_told_is_no_news() -> None:
    assert states(changes({}, [OPENED], AT)) == [(OPENED.key, State.OPENED)]
    assert changes(told(OPENED), [OPENED], AT + timedelta(days=3)) == []


def test_what_is_no_longer_there_is_over_once() -> None:
    (news,) = changes(told(OPENED), [], AT + CALM)
    assert news.state is State.CLOSED
    assert news.body == OPENED.body
    assert changes(told(news, AT + CALM), [], AT + 2 * CALM) == []


def test_what_comes_and_goes_all_the_time_does_not_ring_all_the_time() -> None:
    assert changes(told(OPENED), [], AT + CALM / 2) == []
    closed = Standing(OPENED.key, State.CLOSED, OPENED.body)
    assert states(changes(told(closed), [OPENED], AT + timedelta(seconds=1))) == [(OPENED.key, State.OPENED)]


def test_what_nobody_can_say_changes_nothing() -> None:
    late = Standing("lane:realtime", State.LATE)
    assert changes(told(late), [Standing("lane:realtime", None)], AT + 2 * CALM) == []
    assert changes({}, [Standing("lane:realtime", None)], AT) == []


def test_what_happens_once_is_told_once_and_never_over() -> None:
    done = Standing("run:12", State.FINISHED)
    assert states(changes({}, [done], AT)) == [("run:12", State.FINISHED)]
    assert changes(told(done), [done], AT + CALM) == []
    assert changes(told(done), [], AT + CALM) == []


def test_from_blocked_to_paused_is_news_and_so_is_the_way_back() -> None:
    blocked, paused = Standing("connection", State.BLOCKED), Standing("connection", State.PAUSED)
    assert states(changes(told(blocked), [paused], AT + timedelta(seconds=1))) == [("connection", State.PAUSED)]
    assert states(changes(told(paused), [], AT + CALM)) == [("connection", State.RESUMED)]


def test_a_look_that_is_older_than_what_was_told_tells_nothing() -> None:
    closed = Standing(OPENED.key, State.CLOSED)
    assert changes(told(closed, AT), [OPENED], AT - timedelta(seconds=5)) == []


def notice(n: int, state: State = State.OPENED) -> Notice:
    body = {"what": "case", "title": f"trouble {n}", "store": "", "n": 1, "owner": "platform team"}
    return Notice("acme", n, f"case:x{n}:", state, AT, body, 1, [])


def test_a_message_keeps_its_id_and_says_nothing_empty() -> None:
    (one,) = messages([notice(7)])
    assert one == {
        "id": "acme-7", "at": "2026-11-23T09:00:00Z", "connection": "acme", "key": "case:x7:", "state": "opened",
        "text": "acme: opened: trouble 7 [platform team]", "what": "case", "title": "trouble 7", "n": 1,
        "owner": "platform team",
    }  # fmt: skip


def test_a_storm_is_one_message() -> None:
    assert len(messages([notice(n) for n in range(STORM)])) == STORM
    (one,) = messages([notice(n) for n in range(1, 101)])
    assert (one["what"], one["id"], one["n"], len(one["items"])) == ("many", "acme-1-100", 100, LISTED)
    assert one["text"].startswith("acme: 100 changes at once\nacme: opened: trouble 1 ")
    assert one["text"].endswith("and 50 more")


def test_a_digest_does_not_drown_in_a_storm() -> None:
    digest = Notice("acme", 99, "digest:2026-11-23", State.DIGEST, AT, {"what": "digest", "text": "all"}, 1, [])
    assert [one["what"] for one in messages([*(notice(n) for n in range(20)), digest])] == ["many", "digest"]
