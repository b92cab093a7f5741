"""A machine as a merchant has it: Shopify and Ometria simulated, two files, isthmus in processes that can be killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil

from isthmus.db import server_location
from isthmus.db.cluster import Cluster
from isthmus.shopify.topics import SUBSCRIBED

NAME = "acme"
ROLES = ("serve", "web", "work", "backfill")
LOOK_EVERY = 0.5


class Machine:
    """A folder with isthmus.toml and acme.toml, an environment with the secrets, and whatever runs there."""

    def __init__(self, home: Path, sims: dict[str, Any], sims_pid: int) -> None:
        self.home, self.sims = home, sims
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        secrets = {_secret(store): store["client_secret"] for store in sims["stores"]}
        self.environment = {**os.environ, "OMETRIA_KEY": sims["api_key"], **secrets}
        self.most: dict[str, float] = {}
        self._sims_pid = sims_pid
        self._log = (home / "log").open("wb")
        self._running: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()

    def write(
        self, *, push_per_second: float, processes: int, enrichment_every: str, lanes: str = "", mapping: str = ""
    ) -> None:
        """Settings and connection as a newcomer writes them; `mapping` is the text of a mapping file."""
        (self.home / f"{NAME}.mapping.toml").write_text(mapping)
        (self.home / "isthmus.toml").write_text(
            f"""[database]
url = "embedded"
[web]
port = {self._port}
public_url = "{self.url}"
[workers]
processes = {processes}
[log]
level = "warning"
"""
        )
        stores = "".join(
            f"""
[[stores]]
name = "{store["name"]}"
domain = "{store["domain"]}"
admin_url = "{store["admin_url"]}"
client_id = "{store["client_id"]}"
client_secret = "env:{_secret(store)}"
namespace = "{store["namespace"]}"
currency = "{store["currency"]}"
"""
            for store in self.sims["stores"]
        )
        (self.home / f"{NAME}.toml").write_text(
            f"""[connection]
name = "{NAME}"
mode = "live"
[ometria]
base_url = "{self.sims["ometria"]}/v2"
api_key = "env:OMETRIA_KEY"
push_per_second = {push_per_second:g}
reporting_currency = "GBP"
{stores}
[lanes]
enrichment_every = "{enrichment_every}"
{lanes}
"""
            + (f'[mapping]\nfile = "{NAME}.mapping.toml"\n' if mapping else "")
        )

    # Programs --------------------------------------------------------------------------------------------------------

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        """Begin a command of isthmus."""
        command = [sys.executable, "-m", "isthmus", *words]
        program = subprocess.Popen(command, cwd=self.home, env=self.environment, stdout=self._log, stderr=self._log)
        self._running.append(program)
        return program

    def run(self, *words: str) -> None:
        """Run a command of isthmus to its end, which must be good."""
        if (code := self.start(*words).wait()) != 0:
            raise RuntimeError(f"isthmus {' '.join(words)} ended with {code}: {self.tail()}")

    def connect(self) -> None:
        """Serve, with the merchant's app deployed and the connection made."""
        self.deploy_app()
        self.start("serve")
        until(self.is_ready, 120, "isthmus serves")
        self.run("connect", f"{NAME}.toml")

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/ready", timeout=2) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def role(self, name: str) -> list[psutil.Process]:
        """The living processes of one role."""
        return [process for process, words in self._processes() if f" {name} " in f"{words} "]

    def kill(self, process: psutil.Process) -> None:
        """kill -9, as the system does when memory runs out."""
        process.send_signal(signal.SIGKILL)

    def database(self, data_dir: Path | None = None) -> str:
        """The address of the embedded database."""
        return Cluster(server_location.resolve_location((data_dir or self.home / ".isthmus").resolve()), {}).url()

    def tail(self) -> str:
        """The end of what the programs said."""
        return (self.home / "log").read_text(errors="replace")[-3000:]

    # Neighbours ------------------------------------------------------------------------------------------------------

    def get(self, path: str) -> Any:
        """Ask the simulators' control."""
        with urlopen(f"{self.sims['shopify']}/_sim/{path}", timeout=600) as answer:  # noqa: S310 - our own
            return json.loads(answer.read())

    def lines(self, path: str) -> Iterator[Any]:
        """Ask for a large dump, one record after another."""
        with urlopen(f"{self.sims['shopify']}/_sim/{path}?format=ndjson", timeout=600) as answer:  # noqa: S310
            yield from map(json.loads, answer)

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Steer the simulators."""
        raw = json.dumps(dict(body)).encode()
        with urlopen(Request(f"{self.sims['shopify']}/_sim/{path}", raw), timeout=600) as answer:  # noqa: S310
            return json.loads(answer.read())

    def deploy_app(self) -> None:
        """What deploying the merchant's shopify.app.toml does."""
        for store in self.sims["stores"]:
            uri = f"{self.url}/hooks/shopify"
            self.post("subscriptions", {"shop": store["domain"], "uri": uri, "topics": list(SUBSCRIBED)})

    def end(self) -> None:
        """Leave nothing running."""
        self._stop.set()
        self._watch.join()
        for program in self._running:
            if program.poll() is None:
                program.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(20)
        for process, _ in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        for program in self._running:
            program.wait()
        self._log.close()

    # Watching --------------------------------------------------------------------------------------------------------

    def _processes(self) -> list[tuple[psutil.Process, str]]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline())
                if process.pid != os.getpid() and (str(self.home) in words or process.cwd() == str(self.home)):
                    found.append((process, words))
        return found

    def _look(self) -> None:
        """Remember the most memory that each role's largest process had, in MB."""
        while not self._stop.wait(LOOK_EVERY):
            seen = [("sims", psutil.Process(self._sims_pid))]
            seen += [(role, one) for one, words in self._processes() for role in ROLES if f" {role} " in f"{words} "]
            for role, process in seen:
                with contextlib.suppress(psutil.Error):
                    self.most[role] = max(self.most.get(role, 0.0), process.memory_info().rss / 2**20)


@contextlib.contextmanager
def machine(*sizes: str) -> Iterator[Machine]:
    """A machine with Shopify and Ometria running and nothing of isthmus yet; at the end nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="isthmus-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o711)  # root's database server runs as another user, who must get in
        with _sims(sizes) as (told, pid):
            made = Machine(home, told, pid)
            try:
                yield made
            finally:
                made.end()


@contextlib.contextmanager
def _sims(sizes: Sequence[str]) -> Iterator[tuple[dict[str, Any], int]]:
    command = [sys.executable, "-m", "sims", "--with-parent", "--shopify-port", "0", "--ometria-port", "0", *sizes]
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdin is not None
    assert program.stdout is not None
    try:
        yield json.loads(program.stdout.readline()), program.pid
    finally:
        program.stdin.close()
        program.wait(30)
        program.stdout.close()


def until(what: Callable[[], object], within: float, why: str, every: float = 0.1) -> float:
    """Wait until something is so; how long that took. Raises `TimeoutError` after `within` seconds."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > within:
            raise TimeoutError(f"not within {within:.0f} s: {why}")
        time.sleep(every)
    return time.monotonic() - began


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _secret(store: Mapping[str, str]) -> str:
    return f"SECRET_{store['name'].upper()}"
