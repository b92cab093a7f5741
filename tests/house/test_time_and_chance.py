"""Clock, sleep, environment and chance are used only where they belong, each place for a reason."""

import re

import pytest
from house_tree import ROOT, Module, modules, sample, uses

KINDS = {
    "clock": re.compile(
        r"(datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today|time\.(time|time_ns|localtime|gmtime))$"
    ),
    "stopwatch": re.compile(r"time\.(monotonic|monotonic_ns|perf_counter|perf_counter_ns)$"),
    "sleep": re.compile(r"(time\.sleep|asyncio\.sleep)$"),
    "environment": re.compile(r"os\.(environ|getenv|putenv)$"),
    "chance": re.compile(r"(random|secrets)\.\w+$|uuid\.uuid[14]$|os\.urandom$"),
}

REASONS: dict[str, dict[str, str]] = {
    "isthmus/kit/clock.py": {"clock": "the one clock", "sleep": "its wait"},
    "isthmus/kit/ids.py": {"chance": "claim ids must differ between processes; nothing else depends on them"},
    "isthmus/cli/demo_view.py": {"stopwatch": "how long the demonstration has run, beside each line it says"},
    "isthmus/connections/secrets.py": {"environment": "env:NAME is where secrets come from"},
    "isthmus/db/account.py": {"environment": "the embedded server inherits PATH and the like, and none of our secrets"},
    "isthmus/db/cluster.py": {"sleep": "until a server that starts answers", "stopwatch": "and how long that took"},
    "isthmus/db/embedded.py": {"sleep": "between looks at the server", "stopwatch": "how long it is given"},
    "isthmus/db/heartbeat.py": {"stopwatch": "work lasts real seconds, whatever the steered clock says"},
    "isthmus/db/autocommit_connection.py": {"sleep": "until a killed server is back", "stopwatch": "for so long"},
    "isthmus/db/server_location.py": {"chance": "a name for a socket folder that nobody can guess"},
    "isthmus/db/pool.py": {"sleep": "until a killed server is back", "stopwatch": "for so long"},
    "isthmus/outbound/deadline_transport.py": {
        "stopwatch": "a deadline for the whole call, whatever the steered clock says"
    },
    "isthmus/db/migrate.py": {"sleep": "until a table that a migration changes is to be had; tests give another"},
    "isthmus/ops/cost_limited_cache.py": {"stopwatch": "what a look costs, whatever the steered clock says"},
    "isthmus/web/webhooks/endpoint.py": {"chance": "Ometria gives its calls no id, so each gets one"},
    "isthmus/app/": {
        "stopwatch": "how often a stored connection is read again, and how long a process may take",
        "sleep": "until a table that a migration changes is free",
        "environment": "ISTHMUS_<SECTION>_<KEY>, and what children inherit",
    },
    "isthmus/runtime/": {
        "stopwatch": "processes, shifts and sweeps last real seconds, whatever the clock is told",
        "sleep": "a process waits for another",
        "environment": "ISTHMUS_<SECTION>_<KEY>, and what children inherit",
    },
    "isthmus/app/context.py": {"clock": "following a simulator's clock needs our own beside it"},
    "isthmus/runtime/demo.py": {"chance": "which worker dies next in the demonstration, seeded"},
}
"""Who may, and why; a name that ends in / is a room. Everybody else is given a clock, a setting or an id."""

SERVER_CLOCK = re.compile(
    r"\b(now\(\)|current_timestamp|clock_timestamp\(\)|statement_timestamp\(\)|random\(\))", re.IGNORECASE
)


def kinds(module: Module) -> dict[str, int]:
    """What a module uses of these, each with the first line."""
    found: dict[str, int] = {}
    for line, name in uses(module):
        for kind, look in KINDS.items():
            if look.match(name):
                found.setdefault(kind, line)
    return found


def is_explained(path: str, kind: str) -> bool:
    room = path.rpartition("/")[0] + "/"
    return kind in REASONS.get(path, {}) or kind in REASONS.get(room, {})


def test_each_place_has_a_reason() -> None:
    unexplained = [
        f"{module.path}:{line} {kind}"
        for module in modules()
        for kind, line in kinds(module).items()
        if not is_explained(module.path, kind)
    ]
    assert unexplained == []


def test_each_reason_has_a_place() -> None:
    there = {(module.path, kind) for module in modules() for kind in kinds(module)}
    idle = [
        f"{path} {kind}"
        for path, told in REASONS.items()
        for kind in told
        if not any(where.startswith(path) and kind == used for where, used in there)
    ]
    assert idle == []


def test_sql_never_reads_the_servers_clock() -> None:
    found = [
        f"{path.name}:{n}"
        for path in sorted((ROOT / "src" / "isthmus").rglob("*"))
        if path.suffix == ".sql" or (path.suffix == ".py" and "sql" in (path.stem, path.parent.name))
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if SERVER_CLOCK.search(line.partition("--")[0]) and ".now()" not in line
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("from datetime import datetime\nx = datetime.now()", "clock"),
        ("import datetime as dt\nx = dt.datetime.now(dt.UTC)", "clock"),
        ("import time\ntime.sleep(1)", "sleep"),
        ("from time import sleep as pause\npause(1)", "sleep"),
        ("import os\nx = os.environ['A']", "environment"),
        ("from os import environ\nx = environ.get('A')", "environment"),
        ("import random\nx = random.random()", "chance"),
        ("import uuid\nx = uuid.uuid4()", "chance"),
        ("from time import monotonic\nx = monotonic()", "stopwatch"),
    ],
)
def test_a_use_is_seen(code: str, kind: str) -> None:
    assert list(kinds(sample(code))) == [kind]
