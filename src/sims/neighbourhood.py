"""Both neighbours with one clock, one set of faults and one tape: what a process, a test or a demo starts."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from typing import Any

from sims import truth
from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria import dump
from sims.ometria.app import Ometria, Settings
from sims.shopify import life, world
from sims.tape import Tape
from sims.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the seeded merchant is, over all stores."""

    customers: int = 200
    orders: int = 400
    products: int = 60


class Neighbourhood:
    """The simulated world; `reset` builds it anew from a seed, `live` lets things happen in the shop."""

    def __init__(self, clock: SimClock, seed: int = 1, sizes: Sizes | None = None) -> None:
        self.clock = clock
        self.faults = Faults(seed)
        self.tape = Tape()
        self.life_rate = 0.0
        self.n_steps = 0
        self._busy = threading.RLock()
        self.ometria = Ometria(clock, self.faults, self.tape, Settings(seed=seed))
        self.reset(seed, sizes or Sizes())

    def reset(self, seed: int, sizes: Sizes) -> None:
        """Start again: a new merchant, an empty account, no faults, an empty tape; the clock goes on."""
        with self._busy:
            self.seed, self.sizes = seed, sizes
            self.life_rate, self.n_steps = 0.0, 0
            self._dice = random.Random(seed)
            self.faults.reset(seed)
            self.tape.clear()
            self.ometria.reset(seed)
            self.world = world.build(seed, sizes.customers, sizes.orders, sizes.products, self.clock)

    def handle_shopify(self, _request: Request) -> Response:
        """Answer a request to the shop's side."""
        return Response(503)

    def stores(self) -> list[dict[str, str]]:
        """Return name, domain, credentials, namespace and currency of each store."""
        return [truth.credentials(store) for store in self.world.stores.values()]

    def tick(self) -> None:
        """Do what is due by the clock: apply pushes."""
        self.ometria.tick()

    def live(self, steps: int) -> None:
        """Let `steps` things happen in the shop."""
        with self._busy:
            for _ in range(steps):
                life.step(self.world, self._dice)
            self.n_steps += steps

    def report(self) -> dict[str, Any]:
        """Return counts per kind on both sides, injected faults and what became of deliveries."""
        return {
            "shopify": truth.counts(self.world),
            "ometria": dump.report(self.ometria.account),
            "injected": self.faults.injected,
            "life": {"rate": self.life_rate, "steps": self.n_steps},
            "tape": len(self.tape),
        }
