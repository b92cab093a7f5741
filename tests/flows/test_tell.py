"""Telling whom it concerns: once per change of state, through crashes and refusals, without people's data."""

from datetime import datetime, time, timedelta
from typing import Any

import pytest

from isthmus.cases.catalogue import CATALOGUE, Severity
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.flows import notify
from isthmus.model.failure import TransientError
from isthmus.notifications import sql as notices
from isthmus.ops.notify import Watch, current_alerts
from plays import Play
from scenes import AT, Stage

MINUTE = timedelta(minutes=1)


class Desk:
    """Somebody who is told, and may refuse to listen."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.is_deaf = False

    def __call__(self, message: dict[str, Any]) -> None:
        if self.is_deaf:
            raise TransientError("integration.notify_failed", "https: answered 500")
        self.heard.append(message)

    def take(self) -> list[dict[str, Any]]:
        heard, self.heard = self.heard, []
        return heard


class Watched:
    """A connection of which somebody is told, at a clock of its own."""

    def __init__(self, db: Database, **watch: Any) -> None:
        self.db = db
        self.now = AT
        self.desk = Desk()
        self.channels = {"desk": self.desk}
        self.watch = Watch(enrichment_every=timedelta(minutes=15), **{"digest_at": time(23, 59), **watch})

    def look(self, after: timedelta = timedelta(seconds=15)) -> list[tuple[str, str]]:
        """One round of telling, a while later; what was heard of it."""
        return [(message["key"], message["state"]) for message in self.messages(after)]

    def messages(self, after: timedelta = timedelta(seconds=15)) -> list[dict[str, Any]]:
        """The same in full."""
        self.now += after
        notify.record_alert_changes(self.db, "acme", current_alerts(self.db, "acme", self.now, self.watch), self.now)
        notify.send_due(self.db, "acme", self.channels, lambda: self.now)
        return self.desk.take()

    def touch(self, code: str, *subjects: str, store: str = "uk") -> None:
        with self.db.transaction() as tx:
            cases.open_or_count(
                tx, "acme", [Touch(code, subject, store, "seen") for subject in subjects or ("",)], self.now
            )

    def resolve(self, code: str) -> None:
        with self.db.transaction() as tx:
            cases.resolve_by_code(tx, "acme", code, self.now, "test")

    def rows(self, query: str) -> list[dict[str, Any]]:
        with self.db.transaction() as tx:
            return tx.fetch_all(query)


@pytest.fixture
def watched(database: Database) -> Watched:
    Stage(database)
    return Watched(database)


def test_a_group_of_cases_is_told_once_when_it_opens_and_once_when_it_closes(watched: Watched) -> None:
    assert watched.look() == []
    watched.touch("platform.refused", "order:1")
    assert watched.look() == [("case:platform.refused:uk", "opened")]
    watched.touch("platform.refused", *(f"order:{n}" for n in range(2, 2000)))
    assert watched.look() == []
    watched.resolve("platform.refused")
    assert watched.look(timedelta(minutes=10)) == [("case:platform.refused:uk", "closed")]
    assert watched.look() == []


def test_a_message_has_all_that_its_reader_needs(watched: Watched) -> None:
    watched.watch = Watch(enrichment_every=MINUTE, digest_at=time(23, 59), url="https://isthmus.acme.example")
    watched.touch("platform.key_refused", store="")
    (message,) = watched.messages(MINUTE)
    row = CATALOGUE["platform.key_refused"]
    assert message.pop("id") == "acme-1"
    assert message == {
        "at": "2026-11-23T09:01:00Z", "connection": "acme", "key": "case:platform.key_refused:", "state": "opened",
        "text": f"acme: opened: {row.title} [urgent, platform team]. {row.remedy}", "what": "case",
        "code": "platform.key_refused", "title": row.title, "cause": "platform", "owner": "platform team",
        "severity": "urgent", "n": 1, "detail": "seen", "since": "2026-11-23T09:00:00Z", "remedy": row.remedy,
        "runbook": "docs/runbooks/platform.key_refused.md", "url": "https://isthmus.acme.example",
    }  # fmt: skip


def test_each_store_has_groups_of_its_own(watched: Watched) -> None:
    watched.touch("storefront.throttled", store="uk")
    watched.touch("storefront.throttled", store="int")
    assert watched.look() == [("case:storefront.throttled:int", "opened"), ("case:storefront.throttled:uk", "opened")]


def test_only_what_is_severe_enough_is_told_at_once(database: Database) -> None:
    Stage(database)
    watched = Watched(database, least=Severity.HIGH)
    watched.touch("integration.missed_webhook")
    assert watched.look() == []
    watched.touch("platform.key_refused")
    assert watched.look() == [("case:platform.key_refused:uk", "opened")]


def test_what_was_not_taken_is_sent_again_under_the_same_id_and_is_a_case_by_then(watched: Watched) -> None:
    watched.desk.is_deaf = True
    watched.touch("platform.refused", "order:1")
    for _ in range(20):
        assert watched.look() == []
    assert [row["code"] for row in watched.rows("SELECT code FROM cases WHERE state = 'open' ORDER BY code")] == [
        "integration.notify_failed",
        "platform.refused",
    ]
    watched.desk.is_deaf = False
    first = watched.look(timedelta(hours=1))
    assert first == [("case:platform.refused:uk", "opened"), ("case:integration.notify_failed:", "opened")]
    assert watched.look(timedelta(minutes=10)) == [("case:integration.notify_failed:", "closed")]
    assert watched.look(timedelta(hours=1)) == []


def test_who_has_a_message_is_not_sent_it_again_for_another_who_has_not(watched: Watched) -> None:
    other = Desk()
    other.is_deaf = True
    watched.channels["other"] = other
    watched.touch("platform.refused", "order:1")
    assert watched.look() == [("case:platform.refused:uk", "opened")]
    other.is_deaf = False
    assert watched.look(MINUTE) == []
    assert [message["id"] for message in other.take()] == ["acme-1"]


def test_a_killed_process_loses_nothing_and_another_sends_it_after_a_while(watched: Watched) -> None:
    watched.touch("platform.refused", "order:1")
    notify.record_alert_changes(
        watched.db, "acme", current_alerts(watched.db, "acme", watched.now, watched.watch), watched.now
    )
    with watched.db.transaction() as tx:
        notices.claim_due(tx, "acme", watched.now, 10)  # and then it is killed
    assert watched.look(timedelta(seconds=30)) == []
    assert watched.look(notices.LEASE) == [("case:platform.refused:uk", "opened")]


def test_two_who_look_at_once_note_a_change_once(watched: Watched) -> None:
    watched.touch("platform.refused", "order:1")
    seen = current_alerts(watched.db, "acme", watched.now, watched.watch)
    assert notify.record_alert_changes(watched.db, "acme", seen, watched.now) == 1
    assert notify.record_alert_changes(watched.db, "acme", seen, watched.now) == 0


def test_a_storm_is_one_message(watched: Watched) -> None:
    for code in list(CATALOGUE)[:30]:
        watched.touch(code)
    assert watched.look() == [("many", "changed")]
    assert watched.look() == []


def test_a_late_lane_is_told_once_and_again_when_it_has_caught_up(database: Database) -> None:
    play = Play(database)
    watched = Watched(database)
    watched.now = play.now
    watched.look()  # of the load that the play began with
    play.person("ada@example.com")
    play.sims.deliver(play.post)
    received = play.now
    assert watched.look(timedelta(seconds=30)) == []
    assert watched.look(timedelta(seconds=60)) == [("lane:realtime", "late")]
    assert watched.look(MINUTE) == []
    play.pass_time((watched.now - received).total_seconds())
    play.come_to_rest()
    assert watched.look(timedelta(minutes=10)) == [("lane:realtime", "recovered")]


def test_a_shut_connection_is_told_instead_of_its_late_lanes(database: Database) -> None:
    play = Play(database)
    watched = Watched(database)
    watched.now = play.now
    watched.look()  # of the load that the play began with
    play.person("ada@example.com")
    play.sims.deliver(play.post)
    with database.transaction() as tx:
        connections.block_connection(tx, "acme", "platform.key_refused", play.now)
    assert watched.look(timedelta(hours=1)) == [("connection", "blocked")]
    with database.transaction() as tx:
        connections.pause_connection(tx, "acme", watched.now)
        connections.unblock_connection(tx, "acme")
    assert watched.look() == [("connection", "paused")]
    with database.transaction() as tx:
        connections.resume_connection(tx, "acme")
    assert watched.look(timedelta(minutes=6)) == [("lane:realtime", "late"), ("connection", "resumed")]


def test_a_connection_that_cannot_begin_to_work_is_told(database: Database) -> None:
    Stage(database)
    watched = Watched(database, trouble="integration.secret_missing")
    assert watched.look() == [("connection", "blocked")]


def ran(db: Database, what: str, asked: str, state: str, result: str, at: datetime) -> None:
    with db.transaction() as tx:
        tx.execute(
            """INSERT INTO run (connection, what, asked, state, started_at, moved_at, ended_at, result)
               VALUES ('acme', %s, %s, %s, %s, %s, %s, %s)""",
            (what, asked, state, at, at, at, result),
        )


def test_a_finished_run_is_told_and_an_hourly_look_that_found_nothing_is_not(watched: Watched) -> None:
    nothing = '{"n_findings": 0, "blind": [{"side": "store", "why": "its history is not loaded yet"}]}'
    ran(watched.db, "reconcile", '{"since": "2026-11-23T08:00:00Z"}', "done", nothing, AT)
    assert watched.look() == []
    ran(watched.db, "reconcile", '{"since": "2026-11-23T08:00:00Z"}', "done", '{"n_findings": 3}', AT)
    ran(watched.db, "reconcile", '{"since": null}', "done", '{"n_findings": 0}', AT)
    ran(watched.db, "reconcile", '{"since": null}', "failed", '{"why": "another"}', AT)
    assert watched.look() == [("run:2", "finished"), ("run:3", "finished"), ("run:4", "failed")]
    assert watched.look() == []


def test_a_load_is_told_when_its_last_part_is_done(watched: Watched) -> None:
    with watched.db.transaction() as tx:
        for kind, state in (("customer", "done"), ("order", "ready")):
            tx.execute(
                """INSERT INTO load (connection, store, kind, state, wanted_at, moved_at)
                   VALUES ('acme', 'uk', %s, %s, %s, %s)""",
                (kind, state, AT, AT),
            )
        tx.execute("INSERT INTO load_part SELECT 'acme', id, 0, 50, 0, %s FROM load", (AT,))
    assert watched.look() == []
    with watched.db.transaction() as tx:
        tx.execute("UPDATE load SET state = 'done'")
    (message,) = watched.messages()
    assert message["key"].startswith("load:uk:")
    assert (message["state"], message["text"]) == ("finished", "acme, uk: finished: The load of history: 100 records")


def test_the_digest_comes_once_a_day_and_says_who_must_do_what(database: Database) -> None:
    Stage(database)
    watched = Watched(database, digest_at=time(9, 30))
    watched.touch("platform.refused", "order:1", "order:2")
    watched.touch("privacy.redact_customer", "customer:1")
    assert len(watched.look()) == 2
    ran(database, "reconcile", '{"since": null}', "done", '{"n_findings": 2}', AT)
    watched.look()
    (digest,) = watched.messages(timedelta(minutes=31))
    assert (digest["key"], digest["what"], digest["n"]) == ("digest:2026-11-23", "digest", 3)
    assert (digest["n_new"], digest["new"]["platform.refused uk"]) == (3, 2)
    assert digest["text"].splitlines()[0] == "acme: 3 open cases, 3 of them new since yesterday"
    assert digest["says"].startswith("Nothing was compared")
    assert digest["basis"]["is_green"] is False
    assert list(digest["owners"]) == ["privacy officer", "integration operator"]
    assert digest["owners"]["privacy officer"][0]["due_on"] == "2026-12-23"
    assert digest["last_reconciliation"]["n_findings"] == 2
    assert (
        "- normal: 2 × Ometria refused a record in uk (0 days old) docs/runbooks/platform.refused.md" in digest["text"]
    )
    assert watched.look(timedelta(hours=10)) == []
    assert watched.look(timedelta(hours=14)) == [("digest:2026-11-24", "digest")]


def test_no_message_names_a_person(database: Database) -> None:
    play = Play(database)
    who = play.person("ada.lovelace@example.com", "SUBSCRIBED")
    play.orders(who)
    play.tell("orders/create", b"{not json ada.lovelace@example.com", webhook_id="bad")
    play.come_to_rest()
    watched = Watched(database, digest_at=time(0, 0))
    watched.now = play.now
    told = str(watched.messages(MINUTE))
    assert "storefront.unreadable_body" in told
    assert not [part for part in ("lovelace", who.first_name, who.last_name) if part and part.lower() in told.lower()]


def test_old_notices_are_forgotten_and_what_stands_is_not(watched: Watched) -> None:
    watched.touch("platform.refused", "order:1")
    watched.touch("platform.backlog")
    watched.look()
    watched.resolve("platform.backlog")
    watched.look(timedelta(minutes=10))
    watched.look(timedelta(days=100))
    with watched.db.transaction() as tx:
        assert notices.prune_notifications(tx, watched.now - timedelta(days=90), 1000) == 2
    assert [row["key"] for row in watched.rows("SELECT key FROM notice")] == ["case:platform.refused:uk"]
    assert watched.look() == []
