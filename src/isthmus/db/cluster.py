"""One PostgreSQL server on a unix socket: make its files, launch it, ask whether it answers, shut it down."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil
from psycopg import pq

from isthmus.db import binaries as installations
from isthmus.db.binaries import Binaries
from isthmus.db.server_location import SHELF, ServerLocation

USER = "isthmus"
DATABASE = "isthmus"

# A small machine's server that loses nothing. An operator's own lines at the end of postgresql.conf win.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_locks_per_transaction": "256",  # a day partition and its indexes are one lock each
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",  # short queries: compiling them costs more than it saves
    "autovacuum_naptime": "15s",  # queue tables die quickly
    "timezone": "'UTC'",
    # One file per weekday, begun afresh when its day comes round.
    "logging_collector": "on",
    "log_directory": "'../log'",
    "log_filename": "'server-%a.log'",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_timezone": "'UTC'",
    "log_line_prefix": "'%m [%p] %a '",
    "log_min_duration_statement": "2s",
    "log_checkpoints": "off",
    # What a statement was given are people's addresses: never logged, nor the details of an error, which quote them,
    # nor the error of a statement itself, whose words quote a value that is not of its type. Whoever sent it logs the
    # SQLSTATE (kit/log.py); what happens to the server is still logged.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}


class ServerFailed(RuntimeError):  # noqa: N818 - says what is the matter
    """The embedded server cannot be made, launched or shut down; the message carries its own words."""


class Cluster:
    """The files and the process of one server; callers see to it that only one of them acts at a time."""

    def __init__(self, place: ServerLocation, settings: Mapping[str, str]) -> None:
        self.place = place
        self.data = place.home / "cluster"
        self.name = place.sockets.name
        self.settings = SETTINGS | dict(settings)

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}@/{quote(database)}?host={quote(str(self.place.sockets), safe='')}"

    def answers(self) -> bool:
        """Whether a server takes connections, found by connecting: a process may be there and dead."""
        answer = pq.PGconn.ping(f"{self.url('postgres')}&connect_timeout=2".encode())
        return pq.Ping(answer) is pq.Ping.OK

    def postmaster(self) -> psutil.Process | None:
        """The living server process that the data directory names."""
        try:
            process = psutil.Process(int(self._written_by_postmaster()[0]))
            # After a restart of the machine or container the number may be anybody's, even another server's.
            return process if str(self.data) in process.cmdline() and is_alive(process) else None
        except (FileNotFoundError, ValueError, IndexError, psutil.Error):
            return None

    def is_ready(self) -> bool:
        """Whether the server says itself that it takes connections; cheaper than asking, and silent in its log."""
        try:
            return self._written_by_postmaster()[7:8] == ["ready"]
        except FileNotFoundError:
            return False

    def make(self) -> None:
        """Create the data directory and the database in it, whole or not at all."""
        if self.data.exists():
            return
        programs = self._programs()
        half = self.data.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        # C collation sorts by code point wherever the data go; 17 brought a C.UTF-8 that knows upper from lower case.
        options = ["--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"]
        if programs.major >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # Nobody gets past the 0700 folder of the socket, so nobody is asked for a password.
        options += ["--auth-local=trust", "--auth-host=reject"]
        self._do([programs.program("initdb"), f"--pgdata={half}", f"--username={USER}", *options])
        with (half / "postgresql.conf").open("a") as configuration:
            configuration.write(
                "\ninclude_if_exists = 'isthmus.conf'  # rewritten at each start; your own lines below\n"
            )
        self._do(
            [programs.program("postgres"), "--single", "-D", str(half), "postgres"],
            stdin=f"CREATE DATABASE {DATABASE};\n",
        )
        half.rename(self.data)

    def launch(self) -> psutil.Process | None:
        """Start the server as nobody's child and in its own session, so that it survives our Ctrl-C and our death.

        Returns at once; None if it is gone already.
        """
        programs = self._programs(int((self.data / "PG_VERSION").read_text()))
        self._bury_the_dead()
        configuration = self.data / "isthmus.conf"
        configuration.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
        self.place.account.give(configuration)
        server = [programs.program("postgres"), "-D", str(self.data), "-k", str(self.place.sockets)]
        with self._last_words.open("wb") as log:
            started = self.place.account.run(
                [
                    "/bin/sh",
                    "-c",
                    '"$@" >&2 & echo $!',
                    "sh",
                    *server,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    f"cluster_name={self.name}",
                ],
                log=log,
                own_session=True,
            )
        try:
            return psutil.Process(int(started.stdout))
        except psutil.NoSuchProcess:
            return None

    def shut_down(self, patience: float = 60.0) -> None:
        """Stop the server cleanly: open transactions are rolled back, everything committed is on disk."""
        process = self.postmaster()
        for how, seconds in ((signal.SIGINT, patience), (signal.SIGQUIT, 5.0)):
            if process is None:
                return
            _send(process, how)
            until = time.monotonic() + seconds
            while is_alive(process) and time.monotonic() < until:
                time.sleep(0.005)
            process = process if is_alive(process) else None
        if process is not None:
            raise ServerFailed(f"the embedded database (process {process.pid}) does not stop")

    def last_words(self) -> str:
        """What the server said last, for an error message."""
        logs = [self._last_words, *(self.place.home / "log").glob("*.log")]
        written = sorted((log for log in logs if log.exists()), key=lambda log: log.stat().st_mtime)
        return "\n".join(log.read_text(errors="replace")[-2000:].strip() for log in written[-2:])

    def _written_by_postmaster(self) -> list[str]:
        """The lines of https://www.postgresql.org/docs/18/storage-file-layout.html: process first, state eighth."""
        return [line.strip() for line in (self.data / "postmaster.pid").read_text().splitlines()]

    @property
    def _last_words(self) -> Path:
        return self.place.home / "launch.log"

    def _bury_the_dead(self) -> None:
        """Clear away what a killed server left: its lock files, and backends that work on without it.

        PostgreSQL believes a lock file that names a zombie or, after a restart of the machine, a stranger; and it
        does not start while an old backend, deep in a long query, still holds the shared memory.
        """
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                # The title of every process of a server carries its cluster_name, which is ours alone.
                if " ".join(process.cmdline()).startswith(f"postgres: {self.name}: "):
                    process.kill()
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for left in self.place.sockets.glob(".s.PGSQL.*"):
            left.unlink(missing_ok=True)

    def _programs(self, major: int | None = None) -> Binaries:
        found = installations.find_installation(major)
        if self.place.account.is_us or self.place.account.can_run(Path(found.program("postgres"))):
            return found
        return found.copy_into(SHELF)

    def _do(self, command: list[str], stdin: str = "") -> None:
        done = self.place.account.run(command, stdin=stdin)
        if done.returncode != 0:
            raise ServerFailed(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def is_alive(process: psutil.Process) -> bool:
    """Whether this very process still runs; one that died but was not yet collected by its parent does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, how)
