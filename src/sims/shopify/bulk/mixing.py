"""Lines in any order: what `groupObjects: false` leaves to chance, seeded."""

from __future__ import annotations

import random
from collections.abc import Callable


class Mixer:
    """Holds `width` lines and lets any of them go when another comes; a width of 0 keeps the order."""

    def __init__(self, write: Callable[[bytes], None], width: int, rng: random.Random) -> None:
        self._write, self._width, self._random = write, width, rng.random
        self._held: list[bytes] = []

    def add(self, line: bytes) -> None:
        """Take a line in."""
        if not self._width:
            self._write(line)
            return
        held = self._held
        if len(held) < self._width:
            held.append(line)
            return
        at = int(self._random() * self._width)
        held[at], line = line, held[at]
        self._write(line)

    def end(self) -> None:
        """Let every line go."""
        while self._held:
            at = int(self._random() * len(self._held))
            self._held[at], line = self._held[-1], self._held[at]
            self._held.pop()
            self._write(line)
