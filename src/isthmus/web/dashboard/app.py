"""The dashboard's pages, rendered on the server: no script, one small style sheet, and they refresh themselves."""

import logging
from collections.abc import Callable
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from isthmus.cases.catalogue import CATALOGUE, row_of
from isthmus.model.basis import as_of_times, verdict_sentence
from isthmus.ops.cost_limited_cache import CostLimitedCache
from isthmus.ops.status import StatusReport
from isthmus.web.dashboard import runbooks, view

REFRESH = 5
"""Seconds after which the page asks again."""

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action"
    " 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

log = logging.getLogger(__name__)


def dashboard(status: Callable[[], StatusReport]) -> ASGIApp:
    """The dashboard over whatever tells how things stand; `status` may block and may fail."""
    ask = CostLimitedCache(status)
    pages = Environment(
        loader=PackageLoader("isthmus.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= view.FILTERS
    pages.globals |= {"sentence": verdict_sentence, "times": as_of_times}
    pages.globals |= {
        "bar": view.bar_segments,
        "ago": view.format_ago,
        "parts": view.PARTS,
        "width": view.WIDTH,
        "row": row_of,
    }
    style = (files("isthmus.web.dashboard") / "static" / "desk.css").read_bytes()

    async def home(request: Request) -> Response:
        refresh = None if request.query_params.get("refresh") == "off" else REFRESH
        try:
            told = await run_in_threadpool(ask)
        except Exception:
            # Whoever looks must be told that the numbers are missing, and not why in detail.
            log.exception("the dashboard has no numbers")
            return _page("unavailable.html", 503, refresh=refresh)
        return _page("dashboard.html", told=told, refresh=refresh)

    async def runbook(request: Request) -> Response:
        code = request.path_params["code"]
        if code not in CATALOGUE:
            return _page("not_found.html", 404, code=code, refresh=None)
        steps = await run_in_threadpool(runbooks.runbook_html, code)
        # Our own file, rendered with raw HTML switched off.
        return _page("runbook.html", case=row_of(code), steps=None if steps is None else Markup(steps), refresh=None)  # noqa: S704

    async def css(_: Request) -> Response:
        return Response(style, media_type="text/css", headers={"cache-control": "max-age=300"})

    def _page(template: str, status_code: int = 200, **told: object) -> Response:
        return HTMLResponse(pages.get_template(template).render(**told), status_code, headers=_HEADERS)

    return Starlette(
        routes=[Route("/", home), Route("/runbooks/{code}", runbook), Route("/static/desk.css", css)],
    )
