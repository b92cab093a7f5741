"""What Shopify tells the outside when something happens: one event per topic, rendered when it is delivered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Event:
    """One topic that fires for one record; render it before the world changes again.

    `id` is the record's number and `parent` the order's where the record lives on one. `detail` carries what the
    numbers do not find: which tags came, the checkout itself.
    """

    shop: str
    topic: str
    id: int = 0
    parent: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
