"""The faults an external API can be told to have: named knobs, all off, seeded, and counted when they strike."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any


class Faults:
    """One set of knobs for Shopify and Ometria; each declares its own as `side.knob`, with the value that means off."""

    def __init__(self, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._defaults: dict[str, Any] = {}
        self._values: dict[str, Any] = {}
        self._injected: Counter[str] = Counter()
        self._random = random.Random(seed)

    def declare(self, knobs: Mapping[str, Any]) -> None:
        """Add knobs with their off values; declaring one again keeps the value it has."""
        with self._lock:
            for name, off in knobs.items():
                self._defaults[name] = off
                self._values.setdefault(name, off)

    def get(self, name: str) -> Any:
        """Return the value of a declared knob."""
        return self._values[name]

    def set(self, values: Mapping[str, Any]) -> None:
        """Turn knobs; an unknown name or a value of the wrong kind changes nothing and raises `ValueError`."""
        with self._lock:
            for name, value in values.items():
                self._check(name, value)
            self._values.update(values)

    def clear(self) -> None:
        """Turn every knob off; the counters stay."""
        with self._lock:
            self._values = dict(self._defaults)

    def reset(self, seed: int) -> None:
        """Turn every knob off, forget the counters and start the dice again."""
        with self._lock:
            self._values = dict(self._defaults)
            self._injected.clear()
            self._random.seed(seed)

    def strikes(self, name: str) -> bool:
        """Throw the dice for a knob that is a probability (0 to 1); count it when it strikes."""
        with self._lock:
            chance = self._values[name]
            if not chance or self._random.random() >= chance:
                return False
            self._injected[name] += 1
            return True

    def count(self, name: str, n: int = 1) -> None:
        """Note that a fault was injected by other means than `strikes`."""
        with self._lock:
            self._injected[name] += n

    def uniform(self, low: float, high: float) -> float:
        """Return a seeded number between `low` and `high`, for delays that vary."""
        with self._lock:
            return self._random.uniform(low, high)

    @property
    def injected(self) -> dict[str, int]:
        """How often each knob struck so far."""
        with self._lock:
            return dict(self._injected)

    def as_dict(self) -> dict[str, Any]:
        """Return every knob with its present value."""
        with self._lock:
            return dict(self._values)

    def _check(self, name: str, value: Any) -> None:
        if name not in self._defaults:
            raise ValueError(f"unknown knob {name!r}; known: {', '.join(sorted(self._defaults))}")
        off = self._defaults[name]
        if isinstance(off, bool):
            fits = isinstance(value, bool)
        elif isinstance(off, (int, float)):
            fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            fits = off is None or isinstance(value, type(off))
        if not fits:
            raise ValueError(f"knob {name!r} wants a value like {off!r}, not {value!r}")
