"""Keep those who look often from costing much: an answer is given again while it is young for what it cost."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

SHARE = 0.1
"""The part of one core that all lookers together may take: a count of a million records costs about a second."""


class CostLimitedCache(Generic[Answer]):
    """Calls `ask` at most so often that it takes SHARE of the time; whoever comes meanwhile gets the last answer.

    Safe to share between threads: those who come while it is being asked wait for that one answer. A failure is not
    kept.
    """

    def __init__(self, ask: Callable[[], Answer], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: tuple[Answer, float] | None = None

    def __call__(self) -> Answer:
        with self._lock:
            began = self._clock()
            if self._kept is not None and began < self._kept[1]:
                return self._kept[0]
            answer = self._ask()
            ended = self._clock()
            self._kept = (answer, ended + (ended - began) / SHARE)
            return answer
