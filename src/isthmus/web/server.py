"""Everything isthmus answers over HTTP: the hooks, how it is doing, and the desk."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from isthmus.web.hooks.answer import Answers
from isthmus.web.hooks.commit import GroupCommit, Keep, Ring
from isthmus.web.hooks.receive import OmetriaHook, ShopifyHook
from isthmus.web.hooks.rotation import Rotation
from isthmus.web.hooks.verify import Doors

SHOPIFY_HOOK = "/hooks/shopify"


class Server:
    """The ASGI application of the web role. It is given all it needs and knows no settings."""

    def __init__(
        self,
        *,
        doors: Callable[[], Doors],
        keep: Keep,
        ring: Ring,
        is_ready: Callable[[], bool],
        registry: CollectorRegistry,
        desk: ASGIApp | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`doors` answers who may call as of now. `is_ready` may block; `doors` and `ring` may not. `close` runs
        when everything received is answered."""
        commit = GroupCommit(keep, ring)
        answers = Answers(registry)
        self.rotation = Rotation()
        self._shopify = ShopifyHook(doors, commit, answers, self.rotation)

        async def live(_: Request) -> Response:
            return PlainTextResponse("live\n")

        async def ready(_: Request) -> Response:
            is_so = await run_in_threadpool(is_ready)
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
            Route("/hooks/ometria/{connection}", OmetriaHook(doors, commit, answers)),
            Route("/live", live),
            Route("/ready", ready),
            Route("/metrics", metrics),
        ]
        if desk is not None:
            routes.append(Mount("/", desk))
        self._rest = Starlette(routes=routes, lifespan=lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The one path that is called thousands of times a second goes past the router and its middleware.
        if scope["type"] == "http" and scope["path"] == SHOPIFY_HOOK:
            await self._shopify(scope, receive, send)
        else:
            await self._rest(scope, receive, send)
