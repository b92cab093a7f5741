"""Two checkouts of isthmus measured in turn on the same bodies: ratios that a noisy machine leaves.

Needs the Python of another checkout: `python -m bench pairs --against ../before/.venv/bin/python`. Both versions run
all the time and are measured in slices of a second or less, turn about, so that what else the machine does falls on
both. A figure is also given as a ratio to a floor of its own slice: how fast the same process decodes the same bodies
with `json.loads`. A pair is the median of its slices, the result the median of the pairs.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench import bodies

ROOT = Path(__file__).parents[1]
FIGURES = (
    "mapping.new_order_decode_map_encode_per_second",
    "mapping.new_order_decode_map_encode_to_json_loads",
    "mapping.large_order_decode_map_encode_per_second",
    "mapping.large_order_decode_map_encode_to_json_loads",
    "pipeline.orders_per_second",
    "pipeline.orders_per_second_to_json_loads",
)
"""All are better when larger."""


SLICES = {"mapping": 21, "pipeline": 4}
"""How often each version is measured in one pair."""


def run(against: Path, pairs: int) -> dict[str, float]:
    """The median over all pairs of each figure here divided by the figure there."""
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "bodies"
        bodies.write(kept)
        with _version(sys.executable, kept) as here, _version(str(against), kept) as there:
            for turn in range(pairs):
                for name, ratio in _pair(here, there).items():
                    ratios[name].append(ratio)
                print(f"pair {turn + 1} of {pairs}", file=sys.stderr)
    return {f"{name} after/before": round(median(found), 3) for name, found in ratios.items()}


def _pair(here: "subprocess.Popen[str]", there: "subprocess.Popen[str]") -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for what, times in SLICES.items():
        for turn in range(times):
            order = (here, there) if turn % 2 else (there, here)
            figures = {version.pid: _slice(version, what) for version in order}
            for name, value in figures[here.pid].items():
                found.setdefault(name, []).append(value / figures[there.pid][name])
    return {name: median(values) for name, values in found.items()}


@contextmanager
def _version(python: str, kept: Path) -> Iterator["subprocess.Popen[str]"]:
    """A version that waits for slices, measured by its own benchmark where it has this one, else by ours."""
    own = Path(python).absolute().parents[2]
    root = own if (own / "bench" / "slices.py").exists() else ROOT
    with subprocess.Popen(
        [python, "-m", "bench.slices"],
        cwd=root,
        env={**os.environ, bodies.KEPT: str(kept)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as version:
        _answer(version)
        yield version
        assert version.stdin is not None
        version.stdin.close()


def _slice(version: "subprocess.Popen[str]", what: str) -> dict[str, float]:
    assert version.stdin is not None
    version.stdin.write(f"{what}\n")
    version.stdin.flush()
    return _answer(version)


def _answer(version: "subprocess.Popen[str]") -> dict[str, float]:
    assert version.stdout is not None
    line = version.stdout.readline()
    if not line:
        raise RuntimeError("a version that was measured ended")
    # An earlier version calls the pipeline the road.
    figures: dict[str, float] = {name.replace("road.", "pipeline."): one for name, one in json.loads(line).items()}
    return figures
