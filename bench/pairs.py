"""Two checkouts of isthmus measured in turn with the same code on the same bodies: ratios that a noisy machine leaves.

Needs the Python of another checkout: `python -m bench pairs --against ../before/.venv/bin/python`. Each pair runs the
benchmark once with each, so that what else the machine does falls on both. A figure is also given as a ratio to a
floor of its own run: how fast the same process decodes the same bodies with `json.loads`.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import bodies

ROOT = Path(__file__).parents[1]
FIGURES = (
    "mapping.new_order_decode_map_encode_per_second",
    "mapping.new_order_decode_map_encode_to_json_loads",
    "mapping.large_order_decode_map_encode_per_second",
    "mapping.large_order_decode_map_encode_to_json_loads",
    "road.orders_per_second",
    "road.orders_per_second_to_json_loads",
)
"""All are better when larger."""


ONE_RUN = (
    "import json; from bench import mapping, road; print(json.dumps(dict(mapping=mapping.run(), road=road.run())))"
)
"""Not `python -m bench`: it knows benchmarks that the other checkout cannot run."""


def run(against: Path, pairs: int) -> dict[str, float]:
    """The median over all pairs of each figure here divided by the figure there."""
    ratios: dict[str, list[float]] = {name: [] for name in FIGURES}
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "bodies"
        bodies.write(kept)
        for turn in range(pairs):
            first, second = (sys.executable, str(against)) if turn % 2 else (str(against), sys.executable)
            figures = {python: _measure(python, kept) for python in (first, second)}
            for name in FIGURES:
                ratios[name].append(figures[sys.executable][name] / figures[str(against)][name])
            print(f"pair {turn + 1} of {pairs}", file=sys.stderr)
    return {f"{name} after/before": round(median(found), 3) for name, found in ratios.items()}


def _measure(python: str, kept: Path) -> dict[str, float]:
    done = subprocess.run(
        [python, "-c", ONE_RUN],
        cwd=ROOT, env={**os.environ, bodies.KEPT: str(kept)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {
        f"{name}.{figure}": value for name, told in json.loads(done.stdout).items() for figure, value in told.items()
    }
