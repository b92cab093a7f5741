"""The operator dashboard over real HTTP: it says what `status --json` says, also when there is little to say."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
import uvicorn

from isthmus.cases.catalogue import CATALOGUE
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.ops import status as numbers
from isthmus.ops.status import StatusReport
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.web.dashboard.app import dashboard
from scenes import AT, Stage


@contextmanager
def served(status: Callable[[], StatusReport]) -> Iterator[httpx2.Client]:
    """The dashboard behind a real server in a thread, and somebody who looks at it."""
    server = uvicorn.Server(uvicorn.Config(dashboard(status), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def stage(database: Database) -> Stage:
    """Some of everything: writes that wait, are excluded, buried, and cases that name them."""
    stage = Stage(database)
    now = stage.clock.now()
    excluded = Write(RecordKind.ORDER, "uk:9", None, Lane.REALTIME, excluded="test <order>", subject="order:9")
    with database.transaction() as tx:
        outbox.upsert_desired(
            tx,
            "acme",
            [
                *(
                    DesiredWrite("uk", Write(RecordKind.ORDER, f"uk:{n}", b"{}", Lane.REALTIME), now)
                    for n in range(1, 4)
                ),
                *(
                    DesiredWrite("uk", Write(RecordKind.CONTACT, f"uk:{n}", b"{}", Lane.BACKFILL), now)
                    for n in range(1200)
                ),
                DesiredWrite("uk", excluded, now),
            ],
            now=now,
            coalesce=stage.context.pace.coalesce,
            contact_head_start=stage.context.pace.contact_head_start,
            packer=stage.context.packer,
        )
        outbox.dead_letter(tx, "acme", [(RecordKind.ORDER, "uk:1", None)], "platform.refused", now)
        cases.open_or_count(
            tx,
            "acme",
            [Touch("platform.refused", "order:uk:1"), Touch("privacy.data_request", "customer:5", "uk")],
            now,
        )
        inbox.enqueue_internal(
            tx, "acme", "uk", [RefetchRequest("poll/order", f"order:{n}", Lane.REPAIR, now) for n in range(3)], now
        )
    return stage


def number(text: str) -> int:
    return int(text.replace(",", ""))


def cells(page: str, row: str) -> dict[str, int]:
    """The numbers of one row of the page, by what each is of."""
    found = re.search(rf"<tr[^>]*{re.escape(row)}.*?</tr>", page, re.DOTALL)
    assert found is not None, row
    return {name: number(n) for name, n in re.findall(r'data-part="(\w+)"[^>]*>([\d,]+)<', found[0])}


def test_the_numbers_on_the_page_are_those_of_status_json(stage: Stage) -> None:
    told = numbers.read_status(stage.db, stage.clock.now())
    (acme,) = numbers.status_as_json(told)["connections"]
    with served(lambda: told) as client:
        page = client.get("/").raise_for_status().text
    for kind, counts in acme["accounting"].items():
        assert cells(page, f'data-kind="{kind}"') == counts
    for lane, of_lane in acme["lanes"].items():
        assert cells(page, f'data-lane="{lane}"') == {"depth": of_lane["depth"]}
    events = {name: number(n) for name, n in re.findall(r'data-event="(\w+)">([\d,]+)<', page)}
    assert events | {"received": acme["events"]["received"]} == acme["events"]
    pushes = {name: number(n) for name, n in re.findall(r'data-push="(\w+)">([\d,]+)<', page)}
    assert pushes | {"requests": acme["pushes"]["requests"]} == acme["pushes"]
    assert number(re.findall(r"data-open>([\d,]+)<", page)[0]) == acme["cases"]["open"] == 2
    assert {kind: acme["accounting"][kind]["case"] for kind in ("orders", "customers")} == {"orders": 1, "customers": 0}


def test_the_page_names_mode_owner_cause_and_the_way_to_the_runbook(stage: Stage) -> None:
    with served(lambda: numbers.read_status(stage.db, stage.clock.now())) as client:
        page = client.get("/").text
        assert '<span class="badge live">live</span>' in page
        assert "privacy officer" in page
        assert 'href="/runbooks/platform.refused"' in page
        assert "test &lt;order&gt;" in page
        runbook = client.get("/runbooks/platform.refused")
    assert runbook.status_code == 200
    assert CATALOGUE["platform.refused"].title in runbook.text


def test_a_connection_shut_by_a_failure_says_so(stage: Stage) -> None:
    with stage.db.transaction() as tx:
        tx.execute("UPDATE connection SET blocked_code = 'platform.key_refused', blocked_at = %s", (AT,))
    with served(lambda: numbers.read_status(stage.db, stage.clock.now())) as client:
        assert "blocked: platform.key_refused" in client.get("/").text


def test_before_the_first_connection_the_page_says_how_to_make_one() -> None:
    with served(lambda: StatusReport(AT, [])) as client:
        assert "isthmus connect" in client.get("/").text


def test_without_numbers_the_page_says_so_and_tells_no_more() -> None:
    def away() -> StatusReport:
        raise OSError("postgresql://user:secret@host")

    with served(away) as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert 'http-equiv="refresh"' in answer.text


def test_the_page_refreshes_itself_until_asked_not_to() -> None:
    with served(lambda: StatusReport(AT, [])) as client:
        assert 'http-equiv="refresh"' in client.get("/").text
        assert 'http-equiv="refresh"' not in client.get("/?refresh=off").text


def test_nothing_of_the_page_comes_from_elsewhere_and_no_script_may_run(stage: Stage) -> None:
    with served(lambda: numbers.read_status(stage.db, stage.clock.now())) as client:
        answer = client.get("/")
        assert client.get("/static/desk.css").headers["content-type"].startswith("text/css")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert re.findall(r'(?:src|href)="(?!/)', answer.text) == []
    assert " style=" not in answer.text


@pytest.mark.parametrize("path", ["/runbooks/no.such.case", "/runbooks/..%2F..%2Fsecrets"])
def test_only_rows_of_the_catalogue_have_a_runbook(path: str) -> None:
    with served(lambda: StatusReport(AT, [])) as client:
        assert client.get(path).status_code == 404
