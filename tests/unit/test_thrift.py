"""Looking often does not cost often."""

import pytest

from isthmus.ops.cost_limited_cache import CostLimitedCache


class Slow:
    """Takes a second by its own clock, and counts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.n = 0

    def clock(self) -> float:
        return self.now

    def ask(self) -> int:
        self.now += 1.0
        self.n += 1
        return self.n


def test_an_answer_that_cost_a_second_is_good_for_ten() -> None:
    slow = Slow()
    thrifty = CostLimitedCache(slow.ask, slow.clock)
    assert thrifty() == 1
    slow.now += 9.9
    assert thrifty() == 1
    slow.now += 0.2
    assert thrifty() == 2


def test_a_failure_is_not_kept() -> None:
    slow = Slow()

    def once_away() -> int:
        if slow.ask() == 1:
            raise OSError
        return slow.n

    thrifty = CostLimitedCache(once_away, slow.clock)
    with pytest.raises(OSError):
        thrifty()
    assert thrifty() == 2
