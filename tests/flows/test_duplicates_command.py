"""The commands for duplicates and merges over a real database: what they show, what they queue, how they end."""

import json
from pathlib import Path

import pytest
from test_commands import CONFIG, Run, run  # noqa: F401 - the fixture

from isthmus.connections import file as files
from isthmus.db.pool import Database
from isthmus.identity.match import Link
from isthmus.identity.sql import links as identity
from isthmus.kit.compression import Packer
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql import store as records
from isthmus.records.sql.store import RecordUpsert
from isthmus.runs.sql import watermarks as runs
from scenes import AT


@pytest.fixture
def known(database: Database) -> Database:
    """Two spellings of one mailbox, both opted in, and somebody of the same number who is opted out."""
    with database.transaction() as tx:
        from isthmus.connections import sql as connections

        connections.save_connection(tx, files.parse_connection(CONFIG, "acme.toml"), AT)
        for number, email, name, optin in (
            (1, "ada.king@example.com", "Ada", "EXPLICITLY_OPTEDIN"),
            (2, "ada.king+shop@example.com", "Ada", "EXPLICITLY_OPTEDIN"),
            (3, "eva@example.com", "A", "EXPLICITLY_OPTEDOUT"),
        ):
            phone = "+447911123456" if number != 2 else None
            one = Customer(number, AT, AT, email=email, phone=phone, firstname=name, lastname="King", is_read=True)
            records.save_records(tx, "acme", [RecordUpsert("uk", one, AT)], AT, Packer())
            identity.save_links(tx, "acme", [Link("uk", number, f"uk:{number}", email)])
            body = wire.encode_record(
                wire.ContactBody(collection="shopify", id=f"uk:{number}", email=email, marketing_optin=optin)  # type: ignore[arg-type]
            )
            write = Write(RecordKind.CONTACT, f"uk:{number}", body, Lane.REALTIME, subject=f"customer:{number}")
            outbox.upsert_desired(
                tx, "acme", [DesiredWrite("uk", write, AT)], now=AT, coalesce=AT - AT, contact_head_start=AT - AT,
                packer=Packer(),
            )  # fmt: skip
    return database


def test_the_report_ranks_tells_why_and_names_nobody(known: Database, run: Run, tmp_path: Path) -> None:  # noqa: F811
    code, out, _ = run("duplicates", "acme", "--json", "--out", "people.html")
    told = json.loads(out)
    assert code == 1, "there is somebody to judge"
    first, second = told["candidates"]
    assert (first["verdict"], first["rule"], first["may_be_merged"]) == ("sure", "mailbox_and_name", True)
    assert first["survivor"]["contact"] == "uk:1"
    assert first["loser"]["contact"] == "uk:2"
    assert first["consent"] == {"email": "in", "sms": "unsaid"}
    assert second["may_be_merged"] is False
    assert second["against"] == ["one may be written to by email and the other not"]
    page = (tmp_path / "people.html").read_text()
    for text in (out, page):
        assert not any(word in text.lower() for word in ("king", "ada", "eva", "79111"))
    assert "one mailbox, spelt in two ways" in page
    code, out, _ = run("duplicates", "acme")
    assert "uk:2" in out
    assert "may be" in out


def test_people_of_a_store_that_is_not_loaded_were_not_looked_at(known: Database, run: Run) -> None:  # noqa: F811
    """Nobody to judge among nobody is no clean result."""
    with known.transaction() as tx:
        tx.execute("DELETE FROM record")
    code, out, _ = run("duplicates", "acme")
    assert code == 1
    assert "not judged: uk customers: history not loaded" in out


def test_a_merge_is_planned_queued_once_and_refused_where_it_would_flip(
    known: Database, run: Run  # noqa: F811
) -> None:  # fmt: skip
    _, out, _ = run("duplicates", "acme", "--json")
    sure, likely = (one["candidate"] for one in json.loads(out)["candidates"])
    code, out, _ = run("merge", "acme", str(sure), "--dry-run")
    assert code == 0
    assert "uk:2 would become uk:1" in out
    with known.transaction() as tx:
        assert tx.fetch_all("SELECT FROM merge") == []
    assert run("merge", "acme", str(sure), "--yes")[0] == 0
    code, out, _ = run("merge", "acme", str(sure), "--yes", "--json")
    assert json.loads(out)["why"] == "it waits already"
    code, out, _ = run("merge", "acme", str(likely), "--yes")
    assert code == 1
    assert "Not merged: one may be written to by email and the other not." in out
    with known.transaction() as tx:
        (merge,) = tx.fetch_all("SELECT survivor_id, loser_id, state FROM merge")
    assert merge == {"survivor_id": 1, "loser_id": 2, "state": "wanted"}


def test_different_people_are_said_once_and_never_offered_for_merging(known: Database, run: Run) -> None:  # noqa: F811
    _, out, _ = run("duplicates", "acme", "--json")
    sure = json.loads(out)["candidates"][0]["candidate"]
    assert run("merge", "acme", str(sure), "--not-duplicate")[0] == 0
    _, out, _ = run("duplicates", "acme", "--json")
    found = {one["candidate"]: one for one in json.loads(out)["candidates"]}
    assert found[sure]["against"] == ["somebody said that they are different people"]
    assert [one["what"] for one in json.loads(out)["book"]] == ["apart"]


def test_a_candidate_that_there_is_not_is_said_in_one_line(known: Database, run: Run) -> None:  # noqa: F811
    code, _, err = run("merge", "acme", "99", "--dry-run")
    assert code == 2
    assert "CANDIDATE: there is no candidate 99" in err


def test_a_trace_tells_whose_each_record_is_and_what_was_merged(known: Database, run: Run) -> None:  # noqa: F811
    _, out, _ = run("duplicates", "acme", "--json")
    sure = json.loads(out)["candidates"][0]["candidate"]
    run("merge", "acme", str(sure), "--yes")
    _, out, _ = run("trace", "acme", "--customer", "2", "--json")
    said = {entry["what"]: entry["said"] for entry in json.loads(out)["entries"]}
    assert said["owner"] == "new by own_address: uk:2"
    assert said["merge"].startswith("uk:2 into uk:1: wanted by ")


def test_with_since_last_only_candidates_that_were_not_there_before_are_a_reason_for_1(
    known: Database,
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "history_coverage", lambda *_: runs.HistoryCoverage(True, None, None))
    code, out, _ = run("duplicates", "acme", "--since-last", "--json")
    first = json.loads(out)
    assert (code, first["n_new"]) == (1, len(first["candidates"]))
    assert first["n_new"] > 0
    code, out, _ = run("duplicates", "acme", "--since-last")
    assert code == 0, out
    assert f"0 of {first['n_new']} candidates are new since the last look." in out
    assert run("duplicates", "acme")[0] == 1
