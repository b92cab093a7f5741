"""Which record of another writer is a record of ours under another id.

How Ometria's own importer makes ids is not documented (https://support.ometria.com/hc/en-gb/articles/17315331725085
tells of its namespaces only), so an order is known by what every writer copies: its number, its buyer and its total.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

PENNY = 10
"""Thousandths by which totals may differ: each writer rounds for itself."""

AT_ONCE = timedelta(minutes=1)
"""Orders of one number within this long are one order, whatever else differs."""

_DIGITS = re.compile(r"(?<!\d)\d{1,18}(?!\d)")


class ForeignVerdict(StrEnum):
    """ours: there under the very id that we would give · matched: there under another id · conflicting: it seems to be
    there, and says something else · unknown: not there.
    """

    OURS = "ours"
    MATCHED = "matched"
    CONFLICTING = "conflicting"
    UNKNOWN = "unknown"


class Ours(Struct, frozen=True, kw_only=True):
    """An order of a store. `id` is the one we would give, `who` names the buyer's address, `totals` are the sums, in
    thousandths, that somebody may have copied as its total: the first, the present, with and without refunds.
    """

    id: str
    number: int
    name: str
    who: bytes | None
    customer: int | None
    currency: str
    totals: tuple[int, ...]
    placed_at: datetime


class Theirs(Struct, frozen=True, kw_only=True):
    """An order, or a product, as Ometria has it; the columns are told of in the migration."""

    id: str
    number: int | None = None
    name: str | None = None
    who: bytes | None = None
    customer: int | None = None
    currency: str | None = None
    gross_mills: int = 0
    net_mills: int = 0
    is_valid: bool = False
    is_variant: bool = False
    placed_at: datetime | None = None


class ForeignMatch(Struct, frozen=True):
    """What was found; `theirs` are the ids it is about, `why` says where a conflict lies and names no person."""

    verdict: ForeignVerdict
    theirs: tuple[str, ...] = ()
    why: str = ""


def normalise_order_name(number: str | None) -> str | None:
    """An order's number as it is compared: "#1001 " and "1001" are one."""
    return (number.strip().lstrip("#").strip().casefold() or None) if number else None


def last_number_in(id_: str | None) -> int | None:
    """The last run of digits in an id: Shopify's number in `uk:shopify_123`, the variant's in `uk:12_345`."""
    found = _DIGITS.findall(id_ or "")
    return int(found[-1]) if found else None


def match_order(ours: Ours, theirs: Sequence[Theirs]) -> ForeignMatch:
    """Find an order of ours among the records that carry its number.

    It is matched by one record alone that has its number, its buyer and its total. What has its number and only one
    of the two, or was placed in the same minute, may be the same order, and nobody can be sure.
    """
    same = [
        one
        for one in theirs
        if normalise_order_name(one.name) == normalise_order_name(ours.name) and _is_about(ours, one)
    ]
    if not same:
        return ForeignMatch(ForeignVerdict.UNKNOWN)
    if any(one.id == ours.id for one in same):
        return ForeignMatch(ForeignVerdict.OURS, (ours.id,))
    fitting = [one for one in same if _is_buyer(ours, one) and _is_total(ours, one)]
    for sort in (fitting, [one for one in fitting if one.is_valid], [one for one in fitting if _is_number(ours, one)]):
        if len(sort) == 1:
            return ForeignMatch(ForeignVerdict.MATCHED, (sort[0].id,))
    ids = tuple(sorted(one.id for one in same))
    if fitting:
        return ForeignMatch(ForeignVerdict.CONFLICTING, ids, "several records are the same order")
    buyer = any(_is_buyer(ours, one) for one in same)
    total = any(_is_total(ours, one) for one in same)
    why = "the total differs" if buyer else "the buyer differs" if total else "buyer and total differ"
    return ForeignMatch(ForeignVerdict.CONFLICTING, ids, why)


def match_product(number: int, is_variant: bool, theirs: Sequence[Theirs]) -> str | None:
    """The id of the one product, or variant, of theirs that carries a Shopify number of ours; None when not sure."""
    same = [one.id for one in theirs if one.number == number and one.is_variant == is_variant]
    return same[0] if len(same) == 1 else None


def _is_about(ours: Ours, theirs: Theirs) -> bool:
    """Whether it may be this order at all: two stores number their orders alike."""
    if theirs.currency is not None and theirs.currency != ours.currency:
        return False
    is_at_once = theirs.placed_at is not None and abs(theirs.placed_at - ours.placed_at) <= AT_ONCE
    return _is_number(ours, theirs) or _is_buyer(ours, theirs) or _is_total(ours, theirs) or is_at_once


def _is_number(ours: Ours, theirs: Theirs) -> bool:
    return theirs.number == ours.number


def _is_buyer(ours: Ours, theirs: Theirs) -> bool:
    """By address or by Shopify's number; an order that names nobody on either side was placed at the same time."""
    if ours.who is not None and ours.who == theirs.who:
        return True
    if ours.customer is not None and ours.customer == theirs.customer:
        return True
    is_nobody = ours.who is None and theirs.who is None and ours.customer is None and theirs.customer is None
    return is_nobody and theirs.placed_at is not None and abs(theirs.placed_at - ours.placed_at) <= AT_ONCE


def _is_total(ours: Ours, theirs: Theirs) -> bool:
    return any(abs(a - b) <= PENNY for a in ours.totals for b in (theirs.gross_mills, theirs.net_mills))
