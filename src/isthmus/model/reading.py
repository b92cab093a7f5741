"""What a reading of one record answers: it is there, it is absent, or we cannot see it.

A null is not an answer by itself. Without the scope `read_all_orders` Shopify shows an app the orders of the last 60
days only, and answers null for every older one just as for one that was deleted
(https://shopify.dev/docs/api/usage/access-scopes).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

from isthmus.model.failure import Failure

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

WINDOW = timedelta(days=60)
"""How far back an app sees orders without `read_all_orders`."""

SURE_WITHIN = timedelta(days=58)
"""An order younger than this is in sight whichever of its dates the 60 days count from, which is not documented."""


class Blindness(StrEnum):
    """Why a record cannot be seen.

    horizon: null, and the app sees only the orders of the last 60 days · error: an error stands at its path ·
    changed: null, and there a moment later
    """

    HORIZON = "horizon"
    ERROR = "error"
    CHANGED = "changed"


class Found(Struct, Generic[T_co], frozen=True):
    """The record as the store has it."""

    record: T_co


class Absent(Struct, frozen=True):
    """The store does not have the record, and we could have seen it."""


class CannotSee(Struct, frozen=True):
    """The reading says nothing about the record, and changes nothing. `failure` is the error at its path, if any."""

    reason: Blindness
    failure: Failure | None = None


ReadResult = Found[T] | Absent | CannotSee

ABSENT = Absent()
OUT_OF_SIGHT = CannotSee(Blindness.HORIZON)


def found_record(result: Found[T] | Absent | CannotSee | None) -> T | None:
    """The record where it is there. For callers to whom absent and unseen are alike: neither proves anything."""
    return result.record if isinstance(result, Found) else None


def first_visible_date(now: datetime) -> datetime:
    """From when on an app without `read_all_orders` sees orders."""
    return now - WINDOW


def is_certainly_visible(created_at: datetime | None, processed_at: datetime | None, now: datetime) -> bool:
    """Whether an app without `read_all_orders` sees an order of these dates for certain."""
    return created_at is not None and processed_at is not None and min(created_at, processed_at) > now - SURE_WITHIN


def judge_by_dates(
    result: Found[T] | Absent | CannotSee, created_at: datetime | None, processed_at: datetime | None, now: datetime
) -> Found[T] | Absent | CannotSee:
    """The same answer about an order of which we know these dates: one that must be in sight and is null is absent."""
    if isinstance(result, CannotSee) and result.reason is Blindness.HORIZON:
        return ABSENT if is_certainly_visible(created_at, processed_at, now) else result
    return result
