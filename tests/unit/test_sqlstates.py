"""What each error of PostgreSQL means: a row each, and what has no row is a bug of ours."""

import psycopg
import pytest
from psycopg.errors import lookup

from isthmus.db.pool import is_retryable, is_unavailable
from isthmus.db.sqlstates import CLASSES, STATES

PASSING, AWAY, OURS = "passing", "away", "ours"
ROWS = [
    ("08000", AWAY),
    ("08001", AWAY),
    ("08003", AWAY),
    ("08006", AWAY),
    ("0A000", PASSING),
    ("22001", OURS),
    ("22P02", OURS),
    ("23502", OURS),
    ("23505", OURS),
    ("25001", OURS),
    ("25006", AWAY),
    ("25P02", OURS),
    ("25P03", PASSING),
    ("25P04", PASSING),
    ("26000", PASSING),
    ("28000", AWAY),
    ("28P01", AWAY),
    ("3D000", AWAY),
    ("40001", PASSING),
    ("40003", PASSING),
    ("40P01", PASSING),
    ("42501", OURS),
    ("42601", OURS),
    ("42703", OURS),
    ("42P01", OURS),
    ("53000", AWAY),
    ("53100", AWAY),
    ("53200", AWAY),
    ("53300", AWAY),
    ("53400", AWAY),
    ("54000", OURS),
    ("55000", AWAY),
    ("55006", PASSING),
    ("55P03", PASSING),
    ("57014", PASSING),
    ("57P01", AWAY),
    ("57P02", AWAY),
    ("57P03", AWAY),
    ("57P04", AWAY),
    ("57P05", PASSING),
    ("58000", AWAY),
    ("58030", AWAY),
    ("58P01", AWAY),
    ("XX000", OURS),
]


@pytest.mark.parametrize(("sqlstate", "means"), ROWS)
def test_an_error_of_the_database_means_one_thing(sqlstate: str, means: str) -> None:
    error = known(sqlstate)("told")
    assert (is_retryable(error), is_unavailable(error)) == (means == PASSING, means == AWAY)


def known(sqlstate: str) -> type[psycopg.Error]:
    try:
        return lookup(sqlstate)
    except KeyError:
        return type("Unnamed", (psycopg.OperationalError,), {"sqlstate": sqlstate})


def test_every_row_of_the_table_is_tried_here() -> None:
    tried = {sqlstate for sqlstate, _ in ROWS}
    assert set(STATES) <= tried
    assert all(any(one.startswith(prefix) for one in tried) for prefix in CLASSES)


def test_a_lost_connection_has_no_code_and_is_away() -> None:
    assert is_unavailable(psycopg.OperationalError("the connection is lost"))
    assert not is_unavailable(psycopg.ProgrammingError("the query has 1 placeholder but 0 parameters were passed"))


def test_what_is_no_error_of_the_database_is_ours() -> None:
    assert not is_unavailable(KeyError("x"))
    assert not is_retryable(KeyError("x"))
