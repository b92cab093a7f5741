"""What a body is rendered from: the event, the store it happened in, and the world around."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sims.shopify.events import Event
from sims.shopify.state import Store, World


@dataclass(frozen=True, slots=True)
class Scene:
    """One event in its place."""

    world: World
    store: Store
    event: Event


Renderer = Callable[[Scene], dict[str, Any]]
