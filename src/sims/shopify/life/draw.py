"""Drawing one of the newest records: what happens, happens mostly to them."""

from __future__ import annotations

import random
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
T = TypeVar("T")
RECENT = 2000


def recent(found: dict[K, T], rng: random.Random) -> T | None:
    """Draw one of the newest records of a kind; None when there are none."""
    if not found:
        return None
    return next(islice(reversed(found.values()), rng.randrange(min(len(found), RECENT)), None))
