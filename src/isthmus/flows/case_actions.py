"""What a person decides about cases: who has it, that it is fixed, that nobody wants to hear of it."""

from collections.abc import Sequence
from datetime import datetime

from isthmus.cases.sql import cases
from isthmus.db.pool import Database


def assign_cases(db: Database, numbers: Sequence[int], to: str | None) -> list[int]:
    """Give open cases to somebody, or back to nobody; those it was done with."""
    with db.transaction() as tx:
        return [number for number in numbers if cases.assign_case(tx, number, to)]


def resolve_cases(db: Database, numbers: Sequence[int], now: datetime, by: str) -> list[int]:
    """Declare open cases fixed; those it was done with."""
    with db.transaction() as tx:
        return [number for number in numbers if cases.close_case(tx, number, now, by)]


def ignore_cases(db: Database, numbers: Sequence[int], now: datetime, by: str) -> list[int]:
    """Choose not to hear of cases again; those it was done with, urgent ones never among them."""
    with db.transaction() as tx:
        return [number for number in numbers if cases.ignore_case(tx, number, now, by)]
