"""The simulators' fault knobs."""

from typing import Any

import pytest

from sims.faults import Faults

KNOBS = {"a.p": 0.0, "a.down": False, "a.ids": [], "a.name": "", "a.maybe": None}


def faults(seed: int = 1) -> Faults:
    made = Faults(seed)
    made.declare(KNOBS)
    return made


def test_every_knob_starts_off_and_strikes_never() -> None:
    made = faults()
    assert made.as_dict() == KNOBS
    assert not any(made.strikes("a.p") for _ in range(100))
    assert made.injected == {}


def test_the_same_seed_throws_the_same_dice_and_counts_what_struck() -> None:
    runs = []
    for _ in range(2):
        made = faults(seed=5)
        made.set({"a.p": 0.3})
        runs.append([made.strikes("a.p") for _ in range(200)])
    assert runs[0] == runs[1]
    assert made.injected == {"a.p": sum(runs[1])}
    assert 30 < sum(runs[1]) < 90


@pytest.mark.parametrize("wrong", [{"a.q": 1}, {"a.p": "much"}, {"a.p": True}, {"a.down": 1}, {"a.ids": "x"}])
def test_a_wrong_knob_or_value_changes_nothing(wrong: dict[str, Any]) -> None:
    made = faults()
    with pytest.raises(ValueError, match="knob"):
        made.set({"a.name": "x", **wrong})
    assert made.as_dict() == KNOBS


def test_declaring_again_keeps_what_was_turned_and_clear_turns_all_off() -> None:
    made = faults()
    made.set({"a.p": 1.0})
    made.declare(KNOBS)
    assert made.strikes("a.p")
    made.clear()
    assert made.as_dict() == KNOBS
    assert made.injected == {"a.p": 1}
    made.reset(seed=1)
    assert made.injected == {}
