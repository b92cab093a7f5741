"""A worker that is killed while it holds claims: another takes its rows up by itself."""

import signal
from collections.abc import Callable
from typing import Any
from uuid import UUID

from machine import NAME, machine, until

from isthmus.db.pool import Database

WITHIN = 15.0
"""Seconds after which nobody may still be waiting for a dead worker."""


def test_rows_of_a_killed_worker_are_taken_up_by_another(record_property: Callable[[str, object], None]) -> None:
    with machine(seed=11, customers=6, orders=8, products=2) as here:
        here.write_settings()
        here.write_connection(poll_every="1h")
        here.deploy_app()
        assert here.run("migrate").returncode == 0
        here.start("web")
        until(here.is_ready, 30)
        assert here.run("connect", f"{NAME}.toml").returncode == 0
        with Database(here.cluster().url(), pool_size=1) as db:
            heir = here.start("work", "--processes", "1")
            until(lambda: _is_working(db), 30, "the heir works")
            heir.send_signal(signal.SIGSTOP)  # so that all claims are the victim's, once the heir's own locks have gone
            victim = here.start("work", "--processes", "1")
            # A shop that does not answer, so that the victim surely holds claims when it dies.
            here.post("faults", {"shopify.timeout": 1.0, "shopify.timeout_for": 60.0})
            here.post("life", {"steps": 30})
            until(lambda: _held(db), 150, "the victim holds claims")
            held = _held(db)
            victim.kill()
            victim.wait(5)
            here.post("faults", {"shopify.timeout": 0.0})
            heir.send_signal(signal.SIGCONT)

            def are_taken_up() -> bool:
                now = _held(db)
                return all(now.get(number) != claim for number, claim in held.items())

            took = until(are_taken_up, WITHIN, "no claim of the dead worker is left")
            record_property("taken up after", f"{took:.1f} s")
            print(f"{len(held)} rows taken up after {took:.1f} s")
            until(lambda: _ended(db, list(held)), 40, "and they are done with")


def _is_working(db: Database) -> bool:
    """A worker that has finished a bell has a heartbeat, and its sweep has begun."""
    with db.transaction() as tx:
        return bool(tx.fetch_value("SELECT count(*) FROM procrastinate_workers"))


def _held(db: Database) -> dict[int, UUID]:
    with db.transaction() as tx:
        rows: list[dict[str, Any]] = tx.fetch_all("SELECT id, claim FROM event WHERE claim IS NOT NULL")
    return {row["id"]: row["claim"] for row in rows}


def _ended(db: Database, numbers: list[int]) -> bool:
    with db.transaction() as tx:
        return not tx.fetch_value("SELECT count(*) FROM event WHERE id = ANY(%s) AND state = 'waiting'", (numbers,))
