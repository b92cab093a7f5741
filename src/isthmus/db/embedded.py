"""A real PostgreSQL server for those who have none, shared by every process that names the same data directory."""

import contextlib
import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from isthmus.db import server_location
from isthmus.db.account import NoAccount
from isthmus.db.binaries import BinariesNotFound
from isthmus.db.cluster import Cluster, ServerFailed, is_alive
from isthmus.db.server_location import PlaceError

# Everything that can stand in the way of a start and is not a bug; the messages are for the person who runs isthmus.
CANNOT_START = (BinariesNotFound, NoAccount, PlaceError, ServerFailed, OSError)

CHECK_EVERY = 0.1
# Survivors of a killed server hold its shared memory for a moment; whoever launches meanwhile is refused.
LAUNCH_FOR = 15.0
# Replaying the log after a crash takes as long as it takes; this is a disk's worth.
RECOVER_FOR = 600.0


class Embedded:
    """The server of one data directory: started by whoever comes first, stopped by whoever leaves last.

    Each process that uses it holds a shared lock on `users.lock`, and acts on the server only under `start.lock`.
    """

    def __init__(self, data_dir: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self._settings = settings or {}
        self._users: int | None = None
        self._watcher: threading.Thread | None = None
        self._leaving = threading.Event()

    def start(self) -> str:
        """Make sure that the server runs, and return its URL. May be called again; raises one of CANNOT_START."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = self.data_dir.resolve()
        if self._users is None:
            self._users = _open(self.data_dir / "users.lock")
            fcntl.flock(self._users, fcntl.LOCK_SH)
        with self._alone() as cluster:
            cluster.make()
            _bring_up(cluster)
            return cluster.url()

    def watch(self) -> None:
        """Keep the server running from now on, in a thread: one that dies is back within a fraction of a second."""
        if self._watcher is None:
            self._leaving.clear()
            self._watcher = threading.Thread(target=self._watch, name="embedded-postgres", daemon=True)
            self._watcher.start()

    def stop(self) -> bool:
        """Leave. The last user out shuts the server down cleanly; True if that was us."""
        self._leaving.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        if self._users is None:
            return False
        try:
            with self._alone() as cluster:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                cluster.shut_down()
                shutil.rmtree(cluster.place.sockets, ignore_errors=True)
                return True
        except BlockingIOError:
            return False
        finally:
            os.close(self._users)
            self._users = None

    def erase(self) -> None:
        """Leave, shut the server down whoever uses it, and remove its data."""
        self.stop()
        if not self.data_dir.exists():
            return
        with self._alone() as cluster:
            cluster.shut_down()
            shutil.rmtree(cluster.place.sockets, ignore_errors=True)
            shutil.rmtree(cluster.place.home)
            shutil.rmtree(self.data_dir)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Cluster]:
        """The cluster, while no other process may start, restart or stop it."""
        lock = _open(self.data_dir / "start.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield Cluster(server_location.resolve_location(self.data_dir), self._settings)
        finally:
            os.close(lock)

    def _watch(self) -> None:
        log = logging.getLogger(__name__)
        seen: psutil.Process | None = None
        while not self._leaving.wait(CHECK_EVERY):
            if seen is not None and is_alive(seen):
                continue
            began = time.monotonic()
            try:
                with self._alone() as cluster:
                    gone = not cluster.answers()
                    _bring_up(cluster)
                    seen = cluster.postmaster()
            except CANNOT_START as error:
                log.error("the embedded database does not come back: %s", error)
                continue
            if gone:
                log.warning("the embedded database was gone; it is back after %.2f s", time.monotonic() - began)


def _bring_up(cluster: Cluster) -> None:
    """Return when the server answers: the one that runs, or one that we launch."""
    refused_at = time.monotonic() + LAUNCH_FOR
    given_up_at = time.monotonic() + RECOVER_FOR
    while not cluster.answers():
        process = cluster.postmaster() or cluster.launch()
        while process is not None and is_alive(process):
            if cluster.is_ready() and cluster.answers():
                return
            if time.monotonic() > given_up_at:
                raise ServerFailed(f"the embedded database does not answer:\n{cluster.last_words()}")
            time.sleep(0.01)
        if time.monotonic() > refused_at:
            raise ServerFailed(f"the embedded database does not start:\n{cluster.last_words()}")
        time.sleep(0.02)


def _open(lock: Path) -> int:
    return os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
