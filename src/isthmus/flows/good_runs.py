"""Which tasks of this process went well and when, so that a case of one that had failed is closed."""

import threading
from datetime import datetime, timedelta

from isthmus.cases.sql import cases
from isthmus.cases.triage import BUG
from isthmus.db.pool import Database

QUIET = timedelta(minutes=2)
"""So long no process may have met the failure again: one that meets it at every look says so once a minute."""


class GoodRuns:
    """Notes when a task of a connection last went well. Safe to share between threads."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], datetime] = {}
        self._lock = threading.Lock()

    def note(self, task: str, connection: str, now: datetime) -> None:
        with self._lock:
            self._at[task, connection] = now

    def close(self, db: Database, connection: str, now: datetime) -> int:
        """Close the cases of tasks that went well here since they last failed; how many."""
        with self._lock:
            since = {task: at for (task, name), at in self._at.items() if name == connection}
        n = 0
        with db.transaction() as tx:
            failed = {subject for _, store, subject in cases.open_subjects(tx, connection, [BUG]) if not store}
            for task in sorted(failed & since.keys()):
                note = f"{task} went well at {since[task]:%Y-%m-%d %H:%M:%S}"
                until = min(since[task], now - QUIET)
                n += len(
                    cases.resolve_by_code(
                        tx, connection, BUG, now, "worker", subjects=[task], store="", quiet_since=until, note=note
                    )
                )
        return n
