"""A primary and a standby that follows it, from the same programs that the embedded server uses."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from isthmus.db import account as accounts
from isthmus.db import binaries as installations
from isthmus.db.server_location import SHELF

USER = "isthmus"


class Server:
    """One PostgreSQL server on a port of its own."""

    def __init__(self, home: Path, name: str) -> None:
        self.data = home / name
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        us = accounts.current_user()
        self._account = accounts.unprivileged_user() if us.uid == 0 else us
        found = installations.find_installation()
        can_run = self._account.is_us or self._account.can_run(Path(found.program("postgres")))
        self._programs = found if can_run else found.copy_into(SHELF)
        self._home = home
        self._log = home / f"{name}.log"

    def make(self) -> None:
        self._do(
            "initdb", f"--pgdata={self.data}", f"--username={USER}", "--encoding=UTF8", "--locale=C", "--auth=trust"
        )
        self._configure("synchronous_standby_names = '*'")

    def follow(self, primary: "Server") -> None:
        """Become a copy of the primary that follows it."""
        where = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", USER]
        self._do("pg_basebackup", "-D", str(self.data), *where, "--write-recovery-conf", "--checkpoint=fast")
        self._configure("synchronous_standby_names = ''")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._home}"
        self._do("pg_ctl", "-D", str(self.data), "-l", str(self._log), "-o", options, "-w", "start")

    def kill(self) -> None:
        """kill -9 of every process of it, as when its machine dies."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True).stdout.split()
        for pid in (postmaster, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        self._do("pg_ctl", "-D", str(self.data), "-w", "promote")

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._do("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")

    def run(self, statement: str, database: str = "postgres") -> None:
        address = f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = local")  # there may be no standby yet
            connection.execute(statement.encode())

    def _configure(self, *lines: str) -> None:
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(("", *lines, "max_connections = 120", "")))

    def _do(self, program: str, *words: str) -> None:
        done = self._account.run([self._programs.program(program), *words])
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed: {(done.stderr or done.stdout).strip()[-500:]}")


@contextlib.contextmanager
def pair() -> Iterator[tuple[Server, Server, str]]:
    """A primary, its synchronous standby, and the address that names both."""
    with tempfile.TemporaryDirectory(prefix="isthmus-pair-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        us = accounts.current_user()
        (accounts.unprivileged_user() if us.uid == 0 else us).give(home)
        primary, standby = Server(home, "primary"), Server(home, "standby")
        primary.make()
        primary.start()
        try:
            primary.run("CREATE DATABASE isthmus")
            standby.follow(primary)
            standby.start()
            until = time.monotonic() + 30
            while time.monotonic() < until:
                with psycopg.connect(f"postgresql://{USER}@127.0.0.1:{primary.port}/postgres") as connection:
                    if connection.execute("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'").rowcount:
                        break
                time.sleep(0.2)
            yield primary, standby, f"postgresql://{USER}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/isthmus"
        finally:
            primary.stop()
            standby.stop()
