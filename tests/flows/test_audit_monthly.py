"""The audit that comes round by itself: when, by whom, and what is kept of it."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from isthmus.app.context import App
from isthmus.app.settings import Settings
from isthmus.commands.audit_monthly import Auditor
from isthmus.connections import sql as connections
from isthmus.connections.config import ConnectionConfig
from isthmus.db.pool import Database
from isthmus.flows.audit import monthly
from isthmus.flows.audit.monthly import WHAT
from isthmus.kit.clock import SystemClock
from isthmus.ops.alerting_queries.sql import last_ended_run
from isthmus.runs.sql import run_journal as journal
from served import served

MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def sims() -> Iterator[dict[str, Any]]:
    with served("--customers", "30", "--orders", "20", "--products", "5", "--seed", "3") as told:
        yield told


@pytest.fixture
def app(database: Database, sims: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> App:
    """One store of the simulated shops, connected a month ago."""
    store = sims["stores"][0]
    config = ConnectionConfig.model_validate(
        {
            "connection": {"name": "acme"},
            "ometria": {
                "api_key": "env:ACME_KEY",
                "base_url": f"{sims['ometria']}/v2",
                "reporting_currency": "GBP",
                "read_per_second": 16,
            },
            "stores": [
                {"name": "uk", "domain": store["domain"], "admin_url": store["admin_url"], "currency": "GBP",
                 "client_id": store["client_id"], "client_secret": "env:ACME_SECRET", "namespace": "uk:"},
            ],
        }
    )  # fmt: skip
    monkeypatch.setenv("ACME_KEY", sims["api_key"])
    monkeypatch.setenv("ACME_SECRET", store["client_secret"])
    clock = SystemClock()
    with database.transaction() as tx:
        connections.save_connection(tx, config, clock.now() - MONTH)
    return App(Settings(), database, clock)


def test_it_is_made_once_a_month_and_kept_without_a_name(app: App, sims: dict[str, Any]) -> None:
    auditor = Auditor(app)
    assert auditor.is_due("acme")
    assert auditor.audit("acme")
    assert not auditor.is_due("acme")
    with app.db.transaction() as tx:
        done = last_ended_run(tx, "acme", WHAT)
    assert done is not None
    assert done.result is not None
    assert done.result["verdict"] in ("ready", "ready with care", "not ready")
    assert done.result["found"]
    assert "@" not in json.dumps(done.result)
    assert set(done.result) == {"verdict", "found", "unseen", "seconds"}


def test_what_an_audit_finds_is_held_against_the_last_one_that_is_kept(app: App) -> None:
    def audited(**found: int) -> Any:
        return SimpleNamespace(found=[SimpleNamespace(code=code, n=n) for code, n in found.items()])

    assert monthly.new_findings(app.db, "acme", audited(scopes=2)) == ["scopes"]
    with app.db.transaction() as tx:
        tx.execute(
            """INSERT INTO run (connection, what, asked, state, started_at, moved_at, ended_at, result)
               VALUES ('acme', 'audit', '{}', 'done', now(), now(), now(), '{"found": {"scopes": 2, "no_sku": 1}}')"""
        )
    assert monthly.new_findings(app.db, "acme", audited(scopes=2)) == []
    assert monthly.new_findings(app.db, "acme", audited(scopes=3, no_image=1, no_sku=1)) == ["no_image", "scopes"]


def test_who_has_just_connected_waits_a_month(app: App) -> None:
    with app.db.transaction() as tx:
        tx.execute("UPDATE connection SET connected_at = now() - interval '29 days'")
    assert not Auditor(app).is_due("acme")


def test_two_processes_never_make_the_same(app: App) -> None:
    others = []

    def meanwhile() -> bool:
        others.append(Auditor(app).audit("acme"))
        assert not Auditor(app).is_due("acme")
        return True

    assert Auditor(app).audit("acme", meanwhile)
    assert others
    assert not any(others)


def test_one_that_was_stopped_is_begun_again_after_a_while(app: App) -> None:
    auditor = Auditor(app)
    assert not auditor.audit("acme", lambda: False)
    with app.db.transaction() as tx:
        assert last_ended_run(tx, "acme", WHAT) is None
        left = journal.latest_run(tx, "acme", WHAT, state="running")
    assert left is not None
    assert left.leased_until is not None
    assert not auditor.is_due("acme")
    with app.db.transaction() as tx:
        tx.execute("UPDATE run SET leased_until = now() - interval '1 second'")
    assert auditor.is_due("acme")
    assert auditor.audit("acme")


def test_a_neighbour_that_cannot_be_reached_makes_none(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET", "wrong")
    auditor = Auditor(app)
    assert not auditor.audit("acme")
    with app.db.transaction() as tx:
        assert last_ended_run(tx, "acme", WHAT) is None


def test_a_thread_makes_it_while_others_go_on(app: App) -> None:
    auditor = Auditor(app)
    auditor.begin("acme", lambda: True)
    assert not auditor.is_due("acme")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with app.db.transaction() as tx:
            done = last_ended_run(tx, "acme", WHAT)
        if done is not None:
            break
        time.sleep(0.1)
    assert done is not None
