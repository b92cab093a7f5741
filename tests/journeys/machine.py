"""A machine as a new user has it: the simulators, two files written by the documents, and isthmus in real processes."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import forked
import httpx2
import psutil

from isthmus.db import server_location
from isthmus.db.cluster import Cluster, is_alive
from isthmus.shopify.topics import SUBSCRIBED

KEY = "ACME_OMETRIA_KEY"
NAME = "acme"
ISTHMUS = (sys.executable, "-m", "isthmus")
STOP_WITHIN = 20.0


class Machine:
    """A folder with isthmus.toml and acme.toml, an environment with the secrets, and whatever runs there."""

    def __init__(self, home: Path, sims: dict[str, Any]) -> None:
        self.home = home
        self.sims = sims
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, KEY: sims["api_key"], "PYTHONWARNINGS": "default"}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling all we import costs each command a second
        for store in sims["stores"]:
            self.environment[_secret(store)] = store["client_secret"]
        self._http = httpx2.Client(timeout=30.0)
        self._running: list[subprocess.Popen[bytes]] = []
        self.log = (home / "log").open("wb")

    # Files -----------------------------------------------------------------------------------------------------------

    def write_settings(self, processes: int = 2) -> None:
        (self.home / "isthmus.toml").write_text(
            f"""[database]
url = "embedded"

[web]
port = {self.port}
public_url = "{self.url}"

[workers]
processes = {processes}

[log]
level = "warning"
"""
        )

    def write_connection(self, *, mode: str = "live", subscriptions: str = "app", **lanes: str) -> None:
        lanes = {"enrichment_every": "2s", "poll_every": "4s", "abandoned_after": "20s", **lanes}
        stores = "".join(
            f"""
[[stores]]
name = "{store["name"]}"
domain = "{store["domain"]}"
admin_url = "{store["admin_url"]}"
client_id = "{store["client_id"]}"
client_secret = "env:{_secret(store)}"
subscriptions = "{subscriptions}"
namespace = "{store["namespace"]}"
currency = "{store["currency"]}"
"""
            for store in self.sims["stores"]
        )
        (self.home / f"{NAME}.toml").write_text(
            f"""[connection]
name = "{NAME}"
mode = "{mode}"

[ometria]
base_url = "{self.sims["ometria"]}/v2"
api_key = "env:{KEY}"
reporting_currency = "GBP"
settle_after = "4s"
{stores}
[lanes]
{"".join(f'{key} = "{value}"{chr(10)}' for key, value in lanes.items())}"""
        )

    # Programs --------------------------------------------------------------------------------------------------------

    def run(self, *words: str, within: float = 60.0) -> subprocess.CompletedProcess[str]:
        """One command, as typed, in a process of its own."""
        return forked.run(words, cwd=self.home, environment=self.environment, within=within)

    def told(self, *words: str) -> Any:
        """What a command says with --json; it may have found something to look at, and nothing worse."""
        done = self.run(*words, "--json")
        assert done.returncode in (0, 1), done.stderr
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Begin a command that stays."""
        started = subprocess.Popen(
            [*ISTHMUS, *words], cwd=self.home, env=self.environment, stdout=self.log, stderr=self.log
        )
        self._running.append(started)
        return started

    def log_lines(self, part: str) -> list[str]:
        """The lines with this in them of what those that stay have printed so far."""
        return [line for line in (self.home / "log").read_text(errors="replace").splitlines() if part in line]

    def is_ready(self) -> bool:
        try:
            return self._http.get(f"{self.url}/ready", timeout=2.0).status_code == 200
        except httpx2.HTTPError:
            return False

    def processes(self) -> list[psutil.Process]:
        """Every process that has to do with this machine: isthmus, its children, the database server."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                is_ours = str(self.home) in words or process.cwd() == str(self.home)
                if is_ours and process.pid != os.getpid() and is_alive(process):
                    found.append(process)
        return found

    def role(self, name: str) -> list[psutil.Process]:
        """The living processes of one role: web or work."""
        return [process for process in self.processes() if f"isthmus {name} " in f"{' '.join(_words(process))} "]

    def cluster(self) -> Cluster:
        return Cluster(server_location.resolve_location((self.home / ".isthmus").resolve()), {})

    # Neighbours ------------------------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        return self._http.get(f"{self.sims['shopify']}/_sim/{path}").raise_for_status().json()

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        return self._http.post(f"{self.sims['shopify']}/_sim/{path}", json=dict(body)).raise_for_status().json()

    def deploy_app(self) -> None:
        """What deploying the merchant's shopify.app.toml does."""
        for store in self.sims["stores"]:
            uri = f"{self.url}/hooks/shopify"
            self.post("subscriptions", {"shop": store["domain"], "uri": uri, "topics": list(SUBSCRIBED)})

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        self.log.close()
        self._http.close()


@contextlib.contextmanager
def machine(
    *, seed: int, customers: int = 20, orders: int = 30, products: int = 6, is_untouched: bool = False
) -> Iterator[Machine]:
    """A machine with Shopify and Ometria running and nothing of isthmus yet; at the end nothing is left of it.

    Unless it is untouched, the files of an empty database server are there: to make them takes half a second.
    """
    home = Path(tempfile.mkdtemp(prefix="machine-", dir=os.environ.get("ISTHMUS_TEST_DIR")))
    home.chmod(0o711)  # root's database server runs as another user, who must get in
    if not is_untouched:
        _make_cluster(home)
    sizes = ("--customers", str(customers), "--orders", str(orders), "--products", str(products))
    sims = subprocess.Popen(
        [*ISTHMUS, "sims", "--with-parent", "--shopify-port", "0", "--ometria-port", "0", "--seed", str(seed), *sizes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert sims.stdin is not None
    assert sims.stdout is not None
    try:
        made = Machine(home, json.loads(sims.stdout.readline()))
        try:
            yield made
        except BaseException:
            print((home / "log").read_text()[-6000:], file=sys.stderr)
            raise
        finally:
            made.end()
    finally:
        sims.stdin.close()
        sims.wait(10)
        sims.stdout.close()
        shutil.rmtree(home, ignore_errors=True)


def _make_cluster(home: Path) -> None:
    """The files of an empty database server, as `isthmus` makes them: a copy of those that this run made first."""
    pattern = home.parent / "cluster-pattern"
    pattern.mkdir(mode=0o711, exist_ok=True)
    data_dir = home / ".isthmus"
    data_dir.mkdir()
    with (pattern / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = Cluster(server_location.resolve_location(pattern.resolve()), {})
        made.make()
        shutil.rmtree(made.place.sockets)
    own = Cluster(server_location.resolve_location(data_dir.resolve()), {})
    subprocess.run(["cp", "-a", str(made.data), str(own.data)], check=True)  # owner and permissions as well


COMMANDS_EVERY = 0.4
"""Seconds between two looks that are a command each."""


def until(what: Callable[[], object], within: float, why: str = "", *, every: float = 0.05) -> float:
    """Wait until something is so, looking every so many seconds; how long that took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < within, f"not within {within} s: {why or what}"
        time.sleep(every)
    return time.monotonic() - began


def stop(process: "subprocess.Popen[bytes]", how: signal.Signals = signal.SIGTERM) -> int:
    """Ask a process to end, and its exit code."""
    process.send_signal(how)
    return process.wait(STOP_WITHIN)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _secret(store: Mapping[str, str]) -> str:
    return f"ACME_{store['name'].upper()}_SECRET"


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
