"""The simulated Ometria as a far-away server: a process of its own that answers after 50 to 300 ms."""

import argparse
import asyncio
import json
import random
import time
from typing import Any

import uvicorn
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from sims.clock import SimClock
from sims.faults import Faults
from sims.ometria.app import Ometria, Settings
from sims.tape import Tape
from sims.wire import TIMEOUT_HEADER, TIMEOUT_STATUS, Request, Response

KEY = "sim-ometria-key"
FASTEST, SLOWEST = 0.05, 0.3
"""Seconds of an answer."""


class FarAway:
    """The neighbour behind a slow line, and a list of the pushes it took."""

    def __init__(self, per_second: float, faults: dict[str, float]) -> None:
        knobs = Faults()
        self._neighbour = Ometria(SimClock(), knobs, Tape(), Settings(api_key=KEY))
        knobs.set(faults)
        self._neighbour.turn({"push_rps": per_second})
        self._dice = random.Random(1)
        self._pushes: list[dict[str, Any]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = HttpRequest(scope, receive)
        body = await http.body()
        if http.url.path == "/_bench/pushes":
            answer = Response(200, {}, json.dumps(self._pushes).encode())
        else:
            answer = await self._far(
                Request(http.method, http.url.path, dict(http.query_params), dict(http.headers), body)
            )
        await HttpResponse(answer.body, answer.status, dict(answer.headers))(scope, receive, send)

    async def _far(self, request: Request) -> Response:
        line = self._dice.uniform(FASTEST, SLOWEST) / 2
        await asyncio.sleep(line)
        at = time.time()
        answer = self._neighbour.handle(request)
        if request.path.endswith("/push"):
            status = answer.status if answer.status != TIMEOUT_STATUS else 0
            self._pushes.append({"at": at, "status": status, "n": request.body.count(b'"@type"')})
        if answer.status == TIMEOUT_STATUS:
            await asyncio.sleep(float(answer.headers[TIMEOUT_HEADER]))
            answer = Response(504)
        await asyncio.sleep(line)
        return answer


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--per-second", type=float, required=True)
    options.add_argument("--faults", default="{}")
    given = options.parse_args()
    far = FarAway(given.per_second, json.loads(given.faults))
    uvicorn.run(far, port=given.port, log_level="warning", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
