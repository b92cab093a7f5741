"""How long random histories are: quick ones in every run, long ones on demand."""

import os

from hypothesis import HealthCheck, Phase, settings

LONG = os.environ.get("ISTHMUS_TEST_LONG") == "1"


def histories(quick: int, long: int, *, steps: tuple[int, int] | None = None) -> settings:
    """So many histories of a whole system, of so many steps each: always the same quick ones, other long ones each
    time, which alone are worth making smaller."""
    return settings(
        max_examples=long if LONG else quick,
        deadline=None,
        derandomize=not LONG,
        database=None,
        print_blob=False,
        phases=(Phase.explicit, Phase.generate, *([Phase.shrink] if LONG else [])),
        suppress_health_check=list(HealthCheck),
        **({} if steps is None else {"stateful_step_count": steps[LONG]}),
    )
