"""The commands over a real database: what they print, what they change, and how they end."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from isthmus import cli
from isthmus.cases.catalogue import CaseOwner, Severity
from isthmus.cases.sql import cases
from isthmus.commands import checklist
from isthmus.connections import file as files
from isthmus.connections import sql as connections
from isthmus.db.migrate import required_version
from isthmus.db.pool import Database
from isthmus.flows.consent import audit as consent_audit
from isthmus.inbox.sql import events as inbox
from isthmus.kit.compression import Packer
from isthmus.model.basis import Basis, NotJudged, NotJudgedReason
from isthmus.model.consent_comparison import ConsentComparisonResult, ConsentDifference, DifferenceKind
from isthmus.model.event import RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.write import RecordKind, Write
from isthmus.ops import status
from isthmus.ops.checklist import ChecklistLine
from isthmus.ops.checklist_rules import Result
from isthmus.outbox.sql import queue as outbox
from isthmus.outbox.sql.queue import DesiredWrite
from isthmus.records.sql import store as records
from isthmus.records.sql.store import RecordUpsert
from isthmus.shopify.parse import order_webhook
from plays import Play
from scenes import AT

CONFIG = {
    "connection": {"name": "acme", "mode": "live"},
    "ometria": {"api_key": "env:ACME_KEY", "base_url": "http://127.0.0.1:9/v2"},
    "stores": [
        {
            "name": "uk",
            "domain": "acme-uk.myshopify.com",
            "client_id": "abc",
            "client_secret": "env:ACME_SECRET",
            "namespace": "uk:",
            "currency": "GBP",
        }
    ],
}

GOLDEN = Path(__file__).parents[1] / "golden"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    server_url: str, db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Runs a command on this test's database; its exit code, output and errors."""
    name = conninfo_to_dict(db_url)["dbname"]
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", urlsplit(server_url)._replace(path=f"/{name}").geturl())
    monkeypatch.setenv("ACME_KEY", "key")
    monkeypatch.setenv("ACME_SECRET", "secret")
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def running(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(words))
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    yield running
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def db(database: Database) -> Database:
    """A connection with one order that was refused, and the case of it."""
    with database.transaction() as tx:
        connections.save_connection(tx, files.parse_connection(CONFIG, "acme.toml"), AT)
        write = Write(RecordKind.ORDER, "uk:1", b'{"@type":"order","id":"uk:1"}', Lane.REALTIME, subject="order:1")
        outbox.upsert_desired(
            tx,
            "acme",
            [DesiredWrite("uk", write, AT)],
            now=AT,
            coalesce=AT - AT,
            contact_head_start=AT - AT,
            packer=Packer(),
        )
        outbox.dead_letter(tx, "acme", [(RecordKind.ORDER, "uk:1", None)], "platform.refused", AT)
        cases.open_or_count(tx, "acme", [cases.Touch("platform.refused", "order:uk:1", detail="at currency")], AT)
        inbox.enqueue_internal(tx, "acme", "uk", [RefetchRequest("poll/order", "order:9", Lane.REPAIR, AT)], AT)
    return database


def told(out: str) -> Any:
    return json.loads(out)


def test_status_json_is_what_the_numbers_are(run: Run, db: Database) -> None:
    code, out, _ = run("status", "--json")
    assert code == 1  # a case is open
    found = told(out)
    expected = status.status_as_json(status.read_status(db, AT))
    for connection in (*found["connections"], *expected["connections"]):
        connection.pop("lanes")  # ages are of the moment they are asked for
    assert found == expected


def test_status_for_people_shows_cases_and_their_owner(run: Run, db: Database) -> None:
    code, out, _ = run("status", "acme", "--verbose")
    assert code == 1
    assert "platform.refused" in out
    assert "acme" in out


def test_an_unknown_connection_is_wrong_use_that_names_the_near_one(run: Run, db: Database) -> None:
    code, out, err = run("status", "acne")
    assert (code, out) == (2, "")
    assert "did you mean acme?" in err


def test_migrate_says_when_there_is_nothing_to_do(run: Run, db: Database) -> None:
    run("migrate")
    code, out, _ = run("migrate", "--json")
    assert code == 0
    assert told(out)["applied"] == []


def test_pause_and_resume_are_felt_and_seen(run: Run, db: Database) -> None:
    assert run("pause", "acme")[0] == 0
    assert run("pause", "acme", "--lane", "backfill")[0] == 0
    (acme,) = told(run("connections", "--json")[1])["connections"]
    assert (acme["paused"], acme["paused_lanes"]) == (True, ["backfill"])
    run("resume", "acme")
    run("resume", "acme", "--lane", "backfill")
    (acme,) = told(run("connections", "--json")[1])["connections"]
    assert (acme["paused"], acme["paused_lanes"]) == (False, [])


def test_no_output_ever_shows_a_secret(run: Run, db: Database) -> None:
    shown = "".join(run("connections", *more)[1] for more in ([], ["--json"]))
    assert "secret" not in shown
    assert "ACME_KEY" not in shown


def test_cases_are_grouped_and_each_can_be_shown(run: Run, db: Database) -> None:
    code, out, _ = run("cases", "--json")
    assert code == 1
    (group,) = told(out)["groups"]
    assert (group["code"], group["cases"], group["owner"]) == ("platform.refused", 1, group["owner"])
    code, out, _ = run("cases", "show", str(group["sample_id"]))
    assert code == 0
    assert "at currency" in out
    assert "docs/runbooks/platform.refused.md" in out


def test_a_case_is_given_to_somebody_and_resolved(run: Run, db: Database) -> None:
    number = str(told(run("cases", "--json")[1])["groups"][0]["sample_id"])
    assert run("cases", "assign", number, "--to", "ada")[0] == 0
    assert [c["id"] for c in told(run("cases", "list", "--assigned", "ada", "--json")[1])["cases"]] == [int(number)]
    assert run("cases", "resolve", number, "--by", "ada")[0] == 0
    code, out, _ = run("cases", "--json")
    assert (code, told(out)) == (0, {"groups": []})
    assert run("cases", "resolve", number)[0] == 1  # it was not open


def test_replaying_all_cases_of_a_kind_puts_their_writes_back(run: Run, db: Database) -> None:
    code, out, _ = run("cases", "replay", "--code", "platform.refused", "acme", "--json")
    assert code == 0
    assert [row["writes"] for row in told(out)["replayed"]] == [1]
    with db.transaction() as tx:
        assert tx.fetch_value("SELECT state FROM outbox WHERE id = 'uk:1'") == "due"


def test_a_case_that_nobody_knows_is_wrong_use(run: Run, db: Database) -> None:
    code, _, err = run("cases", "show", "4711")
    assert code == 2
    assert "4711" in err


def test_a_plan_names_writes_and_triggers_and_changes_nothing(run: Run, db: Database) -> None:
    code, out, _ = run("replay", "acme", "--order", "1", "--dry-run", "--json")
    assert code == 0
    (write,) = told(out)["writes"]
    assert (write["id"], write["before"], write["after"]) == ("uk:1", "buried", "due")
    assert told(out)["triggers"] == []
    with db.transaction() as tx:
        assert tx.fetch_value("SELECT state FROM outbox WHERE id = 'uk:1'") == "buried"
    assert "No trigger would fire" in run("replay", "acme", "--order", "1", "--dry-run")[1]


def test_replay_puts_the_order_back(run: Run, db: Database) -> None:
    code, out, _ = run("replay", "acme", "--order", "1")
    assert code == 0
    assert "1 dead letter" in out


def test_trace_tells_the_story_of_an_order(run: Run, db: Database) -> None:
    code, out, _ = run("trace", "acme", "--order", "9", "--json")
    assert code == 0
    assert [entry["what"] for entry in told(out)["entries"]] == ["event"]


def test_the_ledger_of_somebody_who_never_said_anything_is_empty(run: Run, db: Database) -> None:
    code, out, _ = run("consent", "show", "acme", "--email", "ada@example.com", "--json")
    assert code == 0
    assert told(out)["claims"] == []
    assert run("consent", "show", "acme", "--email", "ada")[0] == 2


def test_a_database_that_is_not_there_ends_with_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    code, out, err = run("status")
    assert (code, out) == (3, "")
    assert "could not be reached" in err


@pytest.mark.parametrize("word", ["status", "cases", "connections", "web", "work", "migrate"])
def test_a_schema_that_a_newer_program_contracted_is_refused_by_commands_and_roles(
    run: Run, db: Database, word: str
) -> None:
    newer = required_version() + 1
    with db.transaction() as tx:
        tx.execute("INSERT INTO schema_version VALUES (%s, 'newer', '', now(), %s)", (newer, newer))
    code, out, err = run(word)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"isthmus: the database is at schema {newer}, this isthmus knows {required_version()}; install a newer isthmus"
    )


def test_a_newer_schema_that_only_expanded_changes_nothing_for_an_older_program(run: Run, db: Database) -> None:
    with db.transaction() as tx:
        tx.execute(
            "INSERT INTO schema_version VALUES (%s, 'newer', '', now(), %s)",
            (required_version() + 1, required_version()),
        )
    assert run("status", "--json")[0] == 1  # a case is open
    assert run("migrate")[0] == 0


@pytest.mark.parametrize("words", [["status"], ["work"]], ids=" ".join)
def test_a_database_that_lacks_a_migration_is_named_with_the_command_that_brings_it(
    run: Run, db: Database, words: list[str]
) -> None:
    with db.transaction() as tx:
        tx.execute("DELETE FROM schema_version WHERE version = %s", (required_version(),))
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert f"at schema {required_version() - 1}, this isthmus needs {required_version()}; run `isthmus migrate`" in err


def test_the_exit_code_of_status_is_the_verdict_on_what_was_compared(run: Run, database: Database) -> None:
    play = Play(database)
    play.orders(play.person("ada@example.com", "SUBSCRIBED"))
    play.come_to_rest()
    play.pass_time(600)
    code, out, _ = run("status")
    assert code == 1
    assert "Nothing was compared; 39 not judged: 39 not compared yet." in out
    play.reconcile()
    code, out, _ = run("status")
    assert code == 0, out
    assert "Of 39 records compared, all agree." in out
    assert run("status", "--strict")[0] == 0
    play.pass_time(600)
    next(iter(play.sims.ometria.account.orders)).record["status"] = "odd"
    play.reconcile(repair=False)
    with database.transaction() as tx:
        tx.execute("UPDATE cases SET state = 'resolved'")  # the code is that of the difference, not of a case
    code, out, _ = run("status")
    assert code == 1
    assert "Of 39 records compared, 1 differs" in out


def test_a_takeover_without_a_listing_ends_with_1_and_tells_no_figures(run: Run, db: Database) -> None:
    code, out, _ = run("takeover", "acme", "--dry-run")
    assert code == 1
    assert "never listed to its end, so nothing is known" in out
    assert "revenue" not in out
    code, out, _ = run("takeover", "acme", "--dry-run", "--json")
    assert (code, told(out)["months"], told(out)["totals"]) == (1, None, None)


def test_a_day_with_a_line_that_could_not_look_ends_with_1(
    run: Run, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(result: Result) -> ChecklistLine:
        return ChecklistLine(
            key="told", what="Notifications", result=result, said="seen", since=None, severity=Severity.NORMAL,
            owner=CaseOwner.OPERATOR, guide="docs/howto/notifications.md",
        )  # fmt: skip

    for lines, code, says in (
        ([Result.OK, Result.COULD_NOT_LOOK], 1, "1 line could not look, so nothing is known of it."),
        ([Result.OK, Result.OK], 0, "All 2 lines were looked at, and nothing needs a person."),
    ):
        found = checklist.Checklist([judged(one) for one in lines], [])
        monkeypatch.setattr(checklist, "run_checklist", lambda *_, found=found: found)
        ended, out, _ = run("check", "daily", "acme")
        assert ended == code
        assert says in out
        assert ("nothing needs a person" in out.lower()) is (code == 0)


def test_the_lanes_that_are_paused_stand_in_the_status(run: Run, db: Database) -> None:
    for lane in ("enrichment", "backfill"):
        assert run("pause", "acme", "--lane", lane)[0] == 0
    (acme,) = told(run("status", "--json")[1])["connections"]
    assert (acme["paused"], acme["paused_lanes"]) == (False, ["backfill", "enrichment"])


def test_a_record_of_which_nothing_was_ever_told_is_said_to_be_unknown(run: Run, db: Database) -> None:
    for words in (
        ("trace", "acme", "--order", "4711"),
        ("trace", "acme", "--order", "#4711"),
        ("replay", "acme", "--order", "4711"),
        ("replay", "acme", "--order", "4711", "--dry-run"),
        ("replay", "acme", "--order", "#4711", "--dry-run"),
        ("replay", "acme", "--customer", "4711", "--dry-run"),
    ):
        code, out, err = run(*words)
        assert code == 1, words
        assert f"Nothing is known of {words[2].removeprefix('--')} {words[3]}." in out + err
        assert "would be sent" not in out
    code, out, _ = run("trace", "acme", "--email", "eve@example.org")
    assert (code, out.strip()) == (1, "Nothing is known of that address.")


def test_what_cannot_be_replayed_or_compared_since_is_refused_by_its_field(run: Run, db: Database) -> None:
    for words, says in (
        (("replay", "acme", "--event", "4711"), "--event: event 4711 of acme is not known"),
        (("replay", "acme", "--event", "4711", "--dry-run"), "--event: event 4711 of acme is not known"),
        (("replay", "acme", "--since", "2999-01-01"), "--since: '2999-01-01' is in the future"),
        (("reconcile", "acme", "--since", "2999-01-01"), "--since: '2999-01-01' is in the future"),
    ):
        code, out, err = run(*words)
        assert (code, says in err) == (2, True), (words, out, err)


def test_an_order_is_traced_and_replayed_by_the_name_that_people_call_it(run: Run, db: Database) -> None:
    order = order_webhook.parse_order_webhook((GOLDEN / "shopify/order_paid/webhook.json").read_bytes())
    assert isinstance(order, Order)
    with db.transaction() as tx:
        records.save_records(tx, "acme", [RecordUpsert("uk", order, AT)], AT, Packer())
    for name in ("1001", "#1001"):
        code, out, _ = run("trace", "acme", "--order", name, "--json")
        assert (code, told(out)["subjects"]) == (0, [f"order:{order.id}"])
    code, out, _ = run("replay", "acme", "--order", "#1001", "--json")
    assert (code, told(out)["n_records"]) == (0, 1)


def test_what_is_no_number_of_a_case_is_refused_in_a_plain_line(run: Run, db: Database) -> None:
    for words, says in (
        (("show", "abc"), "ID: 'abc' is not the number of a case; `isthmus cases list --all` lists them"),
        (("resolve", "9999"), "ID: there is no case 9999; `isthmus cases list --all` lists them"),
        (("ignore", "9999"), "ID: there is no case 9999; `isthmus cases list --all` lists them"),
        (("replay", "9999"), "ID: there is no case 9999; `isthmus cases list --all` lists them"),
    ):
        code, out, err = run("cases", *words)
        assert (code, out, err.splitlines()) == (2, "", [f"isthmus: {says}"])


def test_a_mapping_file_is_checked_with_the_settings_file_named(run: Run, db: Database, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("")
    (tmp_path / "acme.mapping.toml").write_text("")
    assert run("mapping", "check", "acme.mapping.toml", "--config", "own.toml")[0] == 0


def accord(*customers: int, left: int = 0) -> ConsentComparisonResult:
    """An audit that found these customers opted out in Ometria alone, and did not judge some."""
    differs = tuple(
        ConsentDifference(
            DifferenceKind.SILENCED,
            "uk",
            one,
            "email",
            "SUBSCRIBED",
            AT,
            "opted out",
            AT,
            "in",
            "opt_in",
            "shopify.webhook",
            AT,
        )
        for one in customers
    )
    basis = Basis(
        at=AT,
        n_compared=9,
        n_differ=len(customers),
        not_judged=(NotJudged(NotJudgedReason.WAITING, left),),
        unit="people",
    )
    return ConsentComparisonResult("acme", AT, 9, 5, 4, 0, differs, basis=basis)


@pytest.mark.parametrize(
    ("before", "now", "code", "says"),
    [
        (accord(1, 2), accord(1, 2), 0, "0 of 2 differences are new"),
        (accord(1, 2), accord(1, 3), 1, "1 of 2 differences are new"),
        (accord(1), accord(1, left=2), 1, "0 of 1 differences are new"),
        (None, accord(1), 1, "1 of 1 differences are new"),
    ],
)
def test_a_consent_audit_with_since_last_ends_with_1_for_what_is_new_and_what_was_not_judged(
    run: Run,
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
    before: ConsentComparisonResult | None,
    now: ConsentComparisonResult,
    code: int,
    says: str,
) -> None:
    monkeypatch.setattr(consent_audit, "last_audit", lambda *_: before)
    monkeypatch.setattr(consent_audit, "run_consent_audit", lambda *_, **__: now)
    ended, out, _ = run("consent", "audit", "acme", "--since-last")
    assert (ended, says in out) == (code, True)
    ended, out, _ = run("consent", "audit", "acme", "--since-last", "--json")
    assert (ended, told(out)["n_new"]) == (code, int(says.split()[0]))
    assert run("consent", "audit", "acme")[0] == 1
    assert run("consent", "audit", "acme", "--latest", "--since-last")[0] == 2
