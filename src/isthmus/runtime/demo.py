"""The demonstration: both simulated APIs, a load, live traffic with faults; then the two sides compared."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct

from isthmus.app import schema
from isthmus.app.context import App
from isthmus.app.settings import PREFIX, load_settings
from isthmus.cases.sql import cases
from isthmus.commands import backfill, connect
from isthmus.connections import file as files
from isthmus.flows import identifiers
from isthmus.flows.backfill.progress import Progress
from isthmus.flows.compare import Comparison, compare_both_sides
from isthmus.flows.consent import audit as consent
from isthmus.flows.consent import poll_profiles, poll_unsubscribes
from isthmus.kit.config_errors import ConfigError
from isthmus.model.consent_comparison import ConsentComparisonResult
from isthmus.model.write import RecordKind
from isthmus.ops import status as numbers
from isthmus.ops.status import StatusReport
from isthmus.runs.sql import watermarks as runs
from isthmus.runtime import roles
from isthmus.shopify.topics import SUBSCRIBED

NAME = "demo"
PORT = 8080
SIZES = {"customers": 200, "orders": 400, "products": 60}
LIFE = 4.0
"""Things that happen in the shops per second; each fires several webhooks."""

FAULTS: Mapping[str, object] = {
    "shopify.p_duplicate": 0.10,
    "shopify.p_reorder": 0.15,
    "shopify.reorder_window": 4.0,
    "shopify.p_drop": 0.05,
    "shopify.p_older_body": 0.5,
    "shopify.retry_speed": 2000.0,
    "shopify.throttle": 0.02,
    "shopify.error": 0.02,
    "shopify.p_young_null": 0.05,
    "shopify.p_late": 0.01,
    "shopify.late_by": 4.0,
    "ometria.p429": 0.05,
    "ometria.p502": 0.04,
    "ometria.p_timeout_after_accept": 0.03,
    "ometria.hang_seconds": 7.0,
    "ometria.p_unsubscribe": 0.03,
    "ometria.p_unlisted": 0.01,
    "ometria.p_resubscribe": 0.01,
    "shopify.p_change_of_mind": 0.03,
    "shopify.p_consent_reverts": 0.05,
}
"""What goes wrong, and what people think again of, while the shops are alive."""

SETTLE_WITHIN = 180.0
"""Seconds after the last event that both sides may take to come to rest before the demonstration calls it a failure."""


class DemoReport(Struct, frozen=True):
    """How it ended."""

    seconds: float
    comparison: Comparison
    accord: ConsentComparisonResult
    status: StatusReport
    injected: dict[str, int]
    deliveries: dict[str, int]
    n_kills: int
    is_at_rest: bool

    @property
    def is_good(self) -> bool:
        return self.is_at_rest and not self.comparison.differences and not self.accord.unexplained


class DemoObserver:
    """Somebody who watches; each method may be left as it is."""

    def say(self, line: str) -> None: ...

    def loaded(self, step: Progress) -> None: ...

    def look(self, phase: str, status: StatusReport, sims: Mapping[str, Any], left: float | None) -> None: ...


class Demo:
    """Everything that runs while the demonstration does."""

    def __init__(
        self, app: App, group: roles.Supervisor, sims: "Sims", view: DemoObserver, *, seed: int, desk: str
    ) -> None:
        self._app = app
        self._group = group
        self._sims = sims
        self._view = view
        self._dice = random.Random(seed)  # noqa: S311 - which worker dies is no secret
        self._desk = desk
        self.n_kills = 0

    def run(self, seconds: float | None) -> DemoReport:
        """Load, live for so many seconds (or until interrupted), come to rest, compare."""
        began = time.monotonic()
        self._view.say(f"the dashboard is on {self._desk}")
        backfill.run_backfill(
            self._app,
            NAME,
            sorted(self._app.context(NAME).shops),
            ["product", "customer", "order"],
            since=None,
            again=False,
            tell=self._view.loaded,
        )
        self._until_at_rest("loading", SETTLE_WITHIN)
        self._sims.set_faults(FAULTS)
        self._sims.set_life(LIFE)
        self._live(seconds)
        self._sims.set_life(0)
        self._sims.set_faults(
            {name: 0.0 for name in FAULTS if name.split(".")[1] in ("throttle", "error", "p429", "p502")}
            | {"ometria.p_timeout_after_accept": 0.0, "shopify.p_drop": 0.0}
        )
        is_at_rest = self._until_at_rest("coming to rest", SETTLE_WITHIN, with_polls=True)
        comparison = compare_both_sides(self._app.db, self._app.context(NAME), self._sims.lookup())
        accord = consent.run_consent_audit(self._app.db, self._app.context(NAME))
        told = self._sims.report()
        return DemoReport(
            seconds=time.monotonic() - began,
            comparison=comparison,
            accord=accord,
            status=numbers.read_status(self._app.db, self._app.clock.now(), NAME),
            injected=told["injected"],
            deliveries=told["deliveries"],
            n_kills=self.n_kills,
            is_at_rest=is_at_rest,
        )

    def _live(self, seconds: float | None) -> None:
        began = time.monotonic()
        next_kill = 15.0
        while seconds is None or time.monotonic() - began < seconds:
            passed = time.monotonic() - began
            if passed >= next_kill:
                self._kill_somebody()
                next_kill += 30.0
            self._look("alive", None if seconds is None else seconds - passed)

    def _kill_somebody(self) -> None:
        """kill -9 one role, as a machine that runs out of memory would; the group starts it again."""
        alive = [child for child in self._group.children if child.process is not None]
        if alive:
            victim = self._dice.choice(alive)
            assert victim.process is not None  # noqa: S101 - only living ones were asked for
            victim.process.kill()
            self.n_kills += 1
            self._view.say(f"kill -9: {victim.name}")

    def _until_at_rest(self, phase: str, within: float, *, with_polls: bool = False) -> bool:
        """Wait until no side has anything to do; with polls, until each has also looked once for what was lost."""
        until = time.monotonic() + within
        began, quiet_since = self._app.clock.now(), None
        while time.monotonic() < until:
            status, sims = self._look(phase, None)
            moving = status.connections[0].is_waiting or sims["deliveries"]["pending"]
            moving = moving or not consent.has_no_pending_updates(self._app.db, NAME)
            has_looked = not with_polls or (
                self._sims.polled(self._app, NAME) > began and not self._sims.withheld(self._app, NAME, began)
            )
            if moving or not has_looked:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > 2.5:
                return True
        return False

    def _look(self, phase: str, left: float | None) -> tuple[StatusReport, dict[str, Any]]:
        self._group.look()
        status = numbers.read_status(self._app.db, self._app.clock.now(), NAME)
        sims = self._sims.report()
        self._view.look(phase, status, sims, left)
        time.sleep(0.5)
        return status, sims


class Sims:
    """The two simulated APIs in a process of their own, and the strings they are steered by."""

    def __init__(self, process: "subprocess.Popen[bytes]", ready: dict[str, Any]) -> None:
        self._process = process
        self.ready = ready
        self._http = httpx2.Client(timeout=10.0)

    @classmethod
    @contextlib.contextmanager
    def started(cls, seed: int) -> Iterator["Sims"]:
        sizes = [part for name, n in SIZES.items() for part in (f"--{name}", str(n))]
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sims", "--with-parent"),
                *("--shopify-port", "0", "--ometria-port", "0", "--seed", str(seed), *sizes),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            sims = cls(process, json.loads(process.stdout.readline()))
            try:
                yield sims
            finally:
                sims._http.close()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()

    def post(self, path: str, body: Mapping[str, object]) -> None:
        self._http.post(f"{self.ready['shopify']}{path}", json=dict(body)).raise_for_status()

    def set_faults(self, faults: Mapping[str, object]) -> None:
        self.post("/_sim/faults", faults)

    def set_life(self, rate: float) -> None:
        self.post("/_sim/life", {"rate": rate})

    def report(self) -> dict[str, Any]:
        told: dict[str, Any] = self._http.get(f"{self.ready['shopify']}/_sim/report").json()
        return told

    def lookup(self) -> Callable[[RecordKind, str], Mapping[str, Any] | None]:
        """Ometria's records, dumped once, by kind and id."""
        kept: dict[tuple[RecordKind, str], Mapping[str, Any]] = {}
        for kind, name in (
            (RecordKind.CONTACT, "contacts"),
            (RecordKind.ORDER, "orders"),
            (RecordKind.PRODUCT, "products"),
        ):
            for item in self._http.get(f"{self.ready['shopify']}/_sim/platform/{name}").json()["items"]:
                if kind is not RecordKind.CONTACT or item.get("@collection", "shopify") == "shopify":
                    kept[kind, str(item["id"])] = item
        return lambda kind, name: kept.get((kind, name))

    @staticmethod
    def withheld(app: App, name: str, began: datetime) -> bool:
        """Whether an identifier of somebody is left out, and nobody has looked since whether it is free by now."""
        with app.db.transaction() as tx:
            if not cases.open_subjects(tx, name, [identifiers.CODE]):
                return False
            mark = runs.load_watermarks(tx, name).get(("", identifiers.MARK))
        return mark is None or mark.at is None or mark.at <= began

    @staticmethod
    def polled(app: App, name: str) -> Any:
        """When the poll that looked longest ago did, of the shops or of Ometria's people."""
        with app.db.transaction() as tx:
            marks = runs.load_watermarks(tx, name)
        looks = (poll_profiles.MARK, poll_unsubscribes.MARK)
        wanted = [mark for (_, what), mark in marks.items() if what.startswith("poll:") or what in looks]
        return min((mark.at for mark in wanted if mark.at), default=None)


@contextlib.contextmanager
def start_demo(view: DemoObserver, *, seed: int, port: int | None = None) -> Iterator[Demo]:
    """Everything set up: simulated APIs, database, connection, roles. Leaves nothing behind but what it printed.

    Alone in the world: no setting of an installation on this machine applies to it or to the processes it starts.
    """
    forget_installation(os.environ)
    port = _free_port(port)
    home = Path(tempfile.mkdtemp(prefix="isthmus-demo-"))
    home.chmod(0o711)  # root's database server runs as another user, who must get in
    try:
        view.say("starting Shopify and Ometria")
        with Sims.started(seed) as sims:
            environment = _environment(sims)
            os.environ.update(environment)
            settings = load_settings(_write_settings(home, port))
            view.say("starting PostgreSQL")
            with App.opened(settings, role="demo", pool_size=3) as app:
                schema.migrate_database(app)
                group = roles.Supervisor(
                    roles.supervised_roles(home / "isthmus.toml", settings.workers.processes, is_silent=True)
                )
                try:
                    group.look()  # they start while we connect
                    _connect(app, home, sims, port)
                    yield Demo(app, group, sims, view, seed=seed, desk=f"http://127.0.0.1:{port}")
                finally:
                    group.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _connect(app: App, home: Path, sims: Sims, port: int) -> None:
    connection = _write_connection(home, sims)
    for store in sims.ready["stores"]:
        sims.post(  # what deploying the merchant's shopify.app.toml does
            "/_sim/subscriptions",
            {
                "shop": store["domain"],
                "uri": f"http://127.0.0.1:{port}/hooks/shopify",
                "topics": list(SUBSCRIBED),
            },
        )
    checked, _, _ = connect.connect_connection(app, files.read_connection_file(connection), dry_run=False)
    if not checked.is_good:
        raise RuntimeError(f"the demonstration could not connect: {checked.findings} {checked.failures}")


def forget_installation(environ: MutableMapping[str, str]) -> None:
    """Remove every setting of an installation, however its name is spelt: settings ignore upper and lower case."""
    for name in [name for name in environ if name.upper().startswith(PREFIX)]:
        del environ[name]


def _free_port(wanted: int | None) -> int:
    """The wanted port, which must be free; without one PORT if it is free, else any that is."""
    for candidate in (PORT, 0) if wanted is None else (wanted,):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", candidate))
            return int(probe.getsockname()[1])
    raise ConfigError(f"--port: {wanted} is in use; choose another, or leave it out to use any free port")


def _environment(sims: Sims) -> dict[str, str]:
    secrets = {"DEMO_OMETRIA_KEY": sims.ready["api_key"]}
    for store in sims.ready["stores"]:
        secrets[f"DEMO_{store['name'].upper()}_SECRET"] = store["client_secret"]
    return secrets


def _write_settings(home: Path, port: int) -> Path:
    path = home / "isthmus.toml"
    path.write_text(
        f"""[database]
url = "embedded"
data_dir = "{home / "data"}"

[web]
host = "127.0.0.1"
port = {port}
public_url = "http://127.0.0.1:{port}"

[workers]
processes = 2

[log]
level = "error"
"""
    )
    return path


def _write_connection(home: Path, sims: Sims) -> Path:
    stores = "".join(
        f"""
[[stores]]
name = "{store["name"]}"
domain = "{store["domain"]}"
admin_url = "{store["admin_url"]}"
client_id = "{store["client_id"]}"
client_secret = "env:DEMO_{store["name"].upper()}_SECRET"
namespace = "{store["namespace"]}"
currency = "{store["currency"]}"
"""
        for store in sims.ready["stores"]
    )
    path = home / f"{NAME}.toml"
    path.write_text(
        f"""[connection]
name = "{NAME}"
mode = "live"

[ometria]
base_url = "{sims.ready["ometria"]}/v2"
api_key = "env:DEMO_OMETRIA_KEY"
push_per_second = 4
read_per_second = 4
reporting_currency = "GBP"
settle_after = "5s"
{stores}
[lanes]
enrichment_every = "5s"
poll_every = "8s"
abandoned_after = "20s"
[consent]
unsubscribes_every = "5s"
profiles_every = "10s"
"""
    )
    return path
