"""The cases as a person looks at them: by kind, one by one, or a single one."""

from collections.abc import Sequence

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Case, CaseGroup
from isthmus.db.pool import Database

ALL = 100_000
"""More than anybody tends one by one."""


def case_groups(db: Database, connection: str | None = None) -> list[CaseGroup]:
    """Open cases by what is wrong, the most severe first."""
    with db.transaction() as tx:
        return cases.group_by_code(tx, connection)


def list_cases(
    db: Database,
    connection: str | None = None,
    *,
    state: str = "open",
    code: str | None = None,
    cause: str | None = None,
    assigned: str | None = None,
    subjects: Sequence[str] | None = None,
    limit: int = ALL,
) -> list[Case]:
    """Cases that fit every filter given, the nearest legal date first, then the most severe."""
    with db.transaction() as tx:
        return cases.list_cases(
            tx, connection, state=state, code=code, cause=cause, assigned=assigned, subjects=subjects, limit=limit
        )


def get_case(db: Database, number: int) -> Case | None:
    with db.transaction() as tx:
        return cases.get_case(tx, number)
