"""Every migration says whether it expands or contracts, and squawk finds nothing in it that would stop a database."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.db.migrate import DECLARED_AFTER, Migration, list_migrations

FOLDER = Path(__file__).parents[2] / "src" / "isthmus" / "db" / "migrations"

EXCLUDED = {
    "require-lock-timeout": "isthmus migrate sets it for every migration, and tries again",
    "require-statement-timeout": "isthmus migrate sets it for every migration",
    "prefer-bigint-over-smallint": "states and ranks have a handful of values",
    "prefer-bigint-over-int": "counts of attempts and parts stay small; ids are bigint",
}
"""Rules of squawk that do not apply here, and why. A single statement may be excepted by `-- squawk-ignore RULE`."""

DECLARED = [file for file in list_migrations() if file.version > DECLARED_AFTER]


@pytest.mark.parametrize("file", DECLARED, ids=lambda file: file.name)
def test_a_migration_declares_its_kind_and_the_oldest_program_it_is_compatible_with(file: Migration) -> None:
    head = "\n".join(file.text.splitlines()[:2])
    why = f"{file.version:04}_{file.name}.sql must begin with `-- kind: expand` and `-- compatible from: NNNN`"
    assert file.kind in ("expand", "contract"), why
    assert "-- compatible from: " in head, why
    if file.kind == "expand":
        assert file.compatible_from < file.version, "an expansion works with the program before it"
    else:
        assert file.compatible_from <= file.version


@pytest.mark.parametrize("file", DECLARED, ids=lambda file: file.name)
def test_what_an_older_program_needs_is_only_taken_away_by_a_contraction(file: Migration) -> None:
    taken = [word for word in ("DROP TABLE", "DROP COLUMN", "RENAME") if word in file.text.upper()]
    assert not taken or file.kind == "contract", f"{file.name}: {taken}"


def test_squawk_finds_nothing_in_any_migration() -> None:
    found = squawk(*(FOLDER / f"{file.version:04}_{file.name}.sql" for file in DECLARED))
    assert [f"{one['file']}:{one['line']}: {one['rule_name']}" for one in found] == []


def test_squawk_would_find_what_stops_a_database(tmp_path: Path) -> None:
    bad = "ALTER TABLE outbox ADD COLUMN n bigint NOT NULL;\nCREATE INDEX i ON outbox (n);\n"
    (tmp_path / "bad.sql").write_text(bad)
    found = {one["rule_name"] for one in squawk(tmp_path / "bad.sql")}
    assert found >= {"adding-required-field", "require-concurrent-index-creation"}


def squawk(*paths: Path) -> list[dict[str, str]]:
    """What squawk finds. https://squawkhq.com/docs/rules"""
    program = shutil.which("squawk", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("squawk-cli is not installed: migrations are not linted")
    options = ["--assume-in-transaction", "--pg-version", "15.0", "--reporter", "json", "--exclude", ",".join(EXCLUDED)]
    done = subprocess.run([program, *options, *paths], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout or "[]")
    return found
