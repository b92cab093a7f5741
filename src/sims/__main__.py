"""`python -m sims`: both simulated APIs on two ports of this machine until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields

import msgspec

from sims.clock import SimClock
from sims.neighbourhood import Neighbourhood, Sizes
from sims.server import open_doors, ready_line, serve


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted; one JSON line on standard output says when and where."""
    chosen = _parser().parse_args(argv)
    sizes = Sizes(chosen.customers, chosen.orders, chosen.products, chosen.metafields)
    doors = open_doors(chosen.shopify_port, chosen.ometria_port)
    town = Neighbourhood(SimClock(), chosen.seed, sizes)
    town.life_rate = chosen.life
    gc.freeze()  # a large world lives on: to walk it again and again for garbage would stop everybody for seconds
    if chosen.with_parent:
        threading.Thread(target=_end_with_parent, name="sims-parent", daemon=True).start()

    def ready() -> None:
        sys.stdout.write(msgspec.json.encode(ready_line(town, doors)).decode() + "\n")
        sys.stdout.flush()

    try:
        asyncio.run(serve(town, doors, ready))
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sims", description=__doc__)
    parser.add_argument("--shopify-port", type=int, default=9101, help="0 lets the system choose")
    parser.add_argument("--ometria-port", type=int, default=9102, help="0 lets the system choose")
    parser.add_argument("--seed", type=int, default=1)
    for size in fields(Sizes):
        parser.add_argument(f"--{size.name}", type=int, default=size.default)
    parser.add_argument(
        "--life", type=float, default=0.0, metavar="RATE", help="things that happen in the shop per second"
    )
    parser.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    return parser


def _end_with_parent() -> None:
    """End at once when whoever started us is gone, however it ended: nothing here outlives a run anyway."""
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
