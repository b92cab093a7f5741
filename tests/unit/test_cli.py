"""The command line without a database: help, wrong use, and what each kind of failure ends with."""

import errno
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from isthmus import cli
from isthmus.app import import_workers
from isthmus.app.exit_codes import NEEDS_ATTENTION, UNREACHABLE, WRONG_USE, exit_message
from isthmus.cli.cases import _outcome
from isthmus.cli.options import parse_number, parse_since
from isthmus.cli.status import _needs_a_look
from isthmus.db.migrate import MigrationBlocked, SchemaTooNew, SchemaTooOld
from isthmus.kit.config_errors import ConfigError
from isthmus.model.basis import Basis, NotJudged, NotJudgedReason
from isthmus.model.failure import BlockedError, RejectedError, TransientError
from scenes import AT

ISTHMUS = [sys.executable, "-c", "from isthmus.cli import main; main()"]
CONNECTION = """
[connection]
name = "acme"
[ometria]
api_key = "env:ACME_OMETRIA_KEY"
[[stores]]
name = "uk"
domain = "acme-uk.myshopify.com"
client_id = "abc"
client_secret = "env:ACME_UK_SECRET"
currency = "GBP"
"""


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("ISTHMUS_")}
    return subprocess.run([*ISTHMUS, *words], cwd=cwd, env=plain, capture_output=True, text=True, check=False)


def test_help_names_every_group(tmp_path: Path) -> None:
    told = run("--help", cwd=tmp_path)
    assert told.returncode == 0
    assert {"status", "cases", "replay", "migrate"} <= set(told.stdout.split())


def test_help_imports_nothing_that_only_commands_need() -> None:
    probe = (
        "import sys, isthmus.cli; isthmus.cli.app();"
        "print(*(m for m in ('psycopg', 'pydantic', 'httpx2', 'uvicorn', 'jinja2', 'msgspec') if m in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


@pytest.mark.parametrize(
    "words",
    [["nonsense"], ["status", "--nonsense"], ["trace", "acme"], ["replay", "acme"], ["cases", "list", "--state", "x"]],
    ids=" ".join,
)
def test_wrong_use_ends_with_2_and_says_so_on_standard_error(words: list[str], tmp_path: Path) -> None:
    told = run(*words, cwd=tmp_path)
    assert told.returncode == WRONG_USE
    assert told.stdout == ""
    assert told.stderr.strip()
    assert "Traceback" not in told.stderr


def test_a_mistake_in_the_settings_is_one_line_that_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "isthmus.toml").write_text('[database]\nurll = "embedded"\n')
    told = run("status", "--json", cwd=tmp_path)
    assert told.returncode == WRONG_USE
    assert told.stdout == ""
    assert told.stderr.strip() == "isthmus: isthmus.toml: database.urll is not a known key; did you mean database.url?"


@pytest.mark.parametrize(
    "words",
    [
        ["status"], ["cases"], ["check", "daily", "acme"], ["reconcile", "acme"], ["backfill", "acme"],
        ["trace", "acme", "--order", "1"], ["pause", "acme"], ["web"], ["work"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_that_needs_an_installation_says_that_there_is_none_and_makes_none(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith("ISTHMUS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == WRONG_USE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert f"no installation here: there is no database in {tmp_path / '.isthmus'}" in told.err
    assert "--config" in told.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x: is wrong"), WRONG_USE),
        (BlockedError("integration.secret_missing", "ometria.api_key: not set"), WRONG_USE),
        (BlockedError("platform.key_refused"), UNREACHABLE),
        (TransientError("platform.unavailable"), UNREACHABLE),
        (RejectedError("platform.refused"), NEEDS_ATTENTION),
        (psycopg.OperationalError("connection refused"), UNREACHABLE),
        (psycopg.errors.DiskFull("could not extend file"), UNREACHABLE),
        (OSError(errno.ENOSPC, "No space left on device", "/var/lib/x"), UNREACHABLE),
        (SchemaTooNew("the database is at schema 9, this isthmus knows 8"), WRONG_USE),
        (SchemaTooOld("the database is at schema 7, this isthmus needs 8"), WRONG_USE),
        (MigrationBlocked("a table is in use"), UNREACHABLE),
        (psycopg.errors.UndefinedTable("relation does not exist"), WRONG_USE),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_failure_has_its_exit_code_and_one_line(error: Exception, code: int) -> None:
    told = exit_message(error)
    assert told is not None
    assert told.code == code
    assert "\n" not in told.line


def test_a_process_that_helps_a_load_ends_without_a_traceback_where_the_disk_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(error: Exception) -> None:
        raise error

    monkeypatch.setattr(
        import_workers, "worker_main", lambda *_: fails(psycopg.errors.DiskFull("could not extend file"))
    )
    with pytest.raises(SystemExit) as ended:
        import_workers.run_worker(BytesIO(), BytesIO())
    assert ended.value.code == UNREACHABLE
    monkeypatch.setattr(import_workers, "worker_main", lambda *_: fails(KeyError("x")))
    with pytest.raises(KeyError):
        import_workers.run_worker(BytesIO(), BytesIO())


def test_a_bug_is_not_explained_away() -> None:
    assert exit_message(KeyError("x")) is None


def test_app_config_prints_a_file_for_the_merchants_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.toml").write_text(CONNECTION)
    with pytest.raises(SystemExit) as ended:
        cli.main(["app-config", "acme.toml", "--url", "https://isthmus.example"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert 'client_id = "abc"' in told
    assert "https://isthmus.example/hooks/shopify" in told


def test_app_config_needs_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme.toml").write_text(CONNECTION)
    with pytest.raises(SystemExit) as ended:
        cli.main(["app-config", "acme.toml"])
    assert ended.value.code == WRONG_USE
    assert "web.public_url" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["5001", "gid://shopify/Order/5001", "uk:5001"])
def test_an_id_is_understood_however_it_was_copied(text: str) -> None:
    assert parse_number(text, "--order") == 5001


def test_a_time_may_be_a_span_or_a_date() -> None:
    assert (AT - parse_since("2h", AT)).total_seconds() == 7200
    assert parse_since("2026-11-23T09:00", AT) == AT
    with pytest.raises(ConfigError, match="--since"):
        parse_since("yesterday", AT)


@pytest.mark.parametrize(
    ("reason", "n", "strict", "code"),
    [
        (NotJudgedReason.COULD_NOT_LOOK, 6, False, True),
        (NotJudgedReason.COULD_NOT_LOOK, None, False, True),
        (NotJudgedReason.NOT_LOADED, None, False, True),
        (NotJudgedReason.NOT_COMPARED, None, False, True),
        (NotJudgedReason.NOT_COMPARED, 6, False, True),
        (NotJudgedReason.WAITING, 1, False, True),
        (NotJudgedReason.IN_FLIGHT, 1, False, True),  # of 55, more than 1 %
        (NotJudgedReason.EXCLUDED, 3, False, False),
        (NotJudgedReason.HORIZON, 3, False, False),
        (NotJudgedReason.EXCLUDED, 3, True, True),
    ],
)
def test_status_wants_a_look_at_whatever_was_not_judged_and_nobody_accepted(
    reason: NotJudgedReason, n: int | None, strict: bool, code: bool
) -> None:
    basis = Basis(at=AT, n_compared=54, n_differ=0, not_judged=(NotJudged(reason, n, "uk orders"),))
    assert _needs_a_look(SimpleNamespace(basis=basis), strict=strict) is code  # type: ignore[arg-type]


def test_a_replay_of_a_case_of_a_task_says_what_closes_it() -> None:
    row = {
        "code": "internal.bug", "subject": "watch", "events": 0, "records": 0, "writes": 0, "withheld": 0,
        "failure": None, "looked": False, "under_way": False, "closed": False, "note": None,
    }  # fmt: skip
    assert _outcome(row) == "nothing to replay: the case closes when watch next goes well"
    assert _outcome(row | {"subject": "order:1"}) == "nothing to replay for this case; follow its runbook"
