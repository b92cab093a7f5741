"""Everything isthmus answers over HTTP: the hooks, how it is doing, and the dashboard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.web.webhooks.bodies import Bodies
from isthmus.web.webhooks.endpoint import OmetriaHook, ShopifyHook
from isthmus.web.webhooks.group_commit import GroupCommit, Persist, WakeWorker
from isthmus.web.webhooks.responses import HookResponse, ResponseCounter
from isthmus.web.webhooks.rotation import Rotation
from isthmus.web.webhooks.verify import WebhookVerifier

SHOPIFY_HOOK = "/hooks/shopify"
HEALTH = ("/live", "/ready")
MOST_CALLS = 3_000
"""Requests under way at once; more are answered 503, except those that ask for health."""
READY_FOR = 1.0
"""Seconds that an answer of /ready holds, so that nobody can make the database write by asking."""


class Server:
    """The ASGI application of the web role. It is given all it needs and knows no settings."""

    def __init__(
        self,
        *,
        doors: Callable[[], WebhookVerifier],
        keep: Persist,
        ring: WakeWorker,
        is_ready: Callable[[], Awaitable[bool]],
        registry: CollectorRegistry,
        desk: ASGIApp | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`doors` answers who may call as of now. `doors` and `ring` may not block. `close` runs when
        everything received is answered."""
        commit = GroupCommit(keep, ring)
        answers = ResponseCounter(registry)
        self.rotation = Rotation()
        bodies = Bodies()
        self._answers = answers
        self._n_calls = 0
        self._shopify = ShopifyHook(doors, commit, answers, self.rotation, bodies)
        readiness = _Readiness(is_ready)

        async def live(_: Request) -> Response:
            return PlainTextResponse("live\n")

        async def ready(_: Request) -> Response:
            is_so = await readiness.ask()
            return PlainTextResponse("ready\n" if is_so else "not ready\n", 200 if is_so else 503)

        async def metrics(_: Request) -> Response:
            return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await commit.close()
            if close is not None:
                await close()

        routes: list[BaseRoute] = [
            Route("/hooks/ometria/{connection}", OmetriaHook(doors, commit, answers, bodies)),
            Route("/live", live),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ]
        if desk is not None:
            routes.append(Mount("/", desk))
        self._rest = Starlette(routes=routes, lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The one path that is called thousands of times a second goes past the router and its middleware.
        is_hook = scope["type"] == "http" and scope["path"] == SHOPIFY_HOOK
        if not is_hook and (scope["type"] != "http" or scope["path"] in HEALTH):
            await self._rest(scope, receive, send)
            return
        if self._n_calls >= MOST_CALLS:
            await self._answers.give(HookResponse.OVERLOADED, send)
            return
        self._n_calls += 1
        try:
            if is_hook:
                await self._shopify(scope, receive, send)
            else:
                await self._rest(scope, receive, send)
        finally:
            self._n_calls -= 1


class _Readiness:
    """Asks once however many want to know, and remembers the answer for a moment."""

    def __init__(self, is_ready: Callable[[], Awaitable[bool]]) -> None:
        self._is_ready = is_ready
        self._asking: asyncio.Task[bool] | None = None
        self._good_until = 0.0

    async def ask(self) -> bool:
        loop = asyncio.get_running_loop()
        if self._asking is None or (self._asking.done() and loop.time() >= self._good_until):
            self._asking = loop.create_task(self._look())
        return await asyncio.shield(self._asking)

    async def _look(self) -> bool:
        try:
            return await self._is_ready()
        finally:
            self._good_until = asyncio.get_running_loop().time() + READY_FOR
