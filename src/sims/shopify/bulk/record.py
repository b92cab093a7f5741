"""What is remembered of a bulk operation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sims.shopify.bulk.output import Output

UNDER_WAY = ("CREATED", "RUNNING", "CANCELING")
"""States in which an operation takes one of the places."""


@dataclass(slots=True)
class Operation:
    """One operation; `faults` are the knobs that struck it when it was started."""

    id: int
    shop: str
    query: str
    is_grouped: bool
    created_at: datetime
    status: str = "CREATED"
    error_code: str | None = None
    completed_at: datetime | None = None
    n_objects: int = 0
    n_roots: int = 0
    output: Output | None = None
    ends_at: datetime | None = None  # of the address
    faults: frozenset[str] = frozenset()
    doom: str | None = None  # the fault that ended its writing
    canceled_at: datetime | None = None
    writing: Iterator[None] | None = None
    is_foreign: bool = False
    type: str = "QUERY"
