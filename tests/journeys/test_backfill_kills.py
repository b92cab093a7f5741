"""kill -9 of a load, twice, in real processes: the same command goes on, and nothing is missing or there twice."""

import contextlib
import signal
import subprocess

import psutil
from machine import COMMANDS_EVERY, ISTHMUS, NAME, Machine, machine, until

from isthmus.db.pool import Database

ORDERS = 1_500


def test_two_kills_at_sixty_percent_lose_nothing_and_ask_shopify_for_nothing_again() -> None:
    with machine(seed=11, customers=400, orders=ORDERS, products=20) as here:
        here.write_settings(processes=2)
        here.write_connection()
        here.post("faults", {"shopify.bulk_rows_per_second": 4_000})
        assert here.run("migrate").returncode == 0
        assert here.run("connect", f"{NAME}.toml").returncode == 0
        # Somebody else keeps the embedded database running, as `isthmus serve` would.
        keeper = here.start("work")
        try:
            until(lambda: here.run("connections").returncode == 0, 20, every=COMMANDS_EVERY)
            with Database(here.cluster().url(), pool_size=1) as db:
                _kill_at(here, db, 0.3)
                _kill_at(here, db, 0.6)
                done = here.told("backfill", NAME)
                _all_is_there(here, db, done)
        finally:
            keeper.send_signal(signal.SIGTERM)


def _kill_at(here: Machine, db: Database, share: float) -> None:
    """Begin the command, and kill it and all it started as soon as this share of all orders is in."""
    started = subprocess.Popen(
        [*ISTHMUS, "backfill", NAME], cwd=here.home, env=here.environment, stdout=here.log, stderr=here.log
    )

    def is_far() -> bool:
        assert started.poll() is None, "it ended before it could be killed"
        with db.transaction() as tx:
            n = tx.fetch_value("SELECT count(*) FROM record WHERE kind = 'order'")
        return bool(n >= share * ORDERS)

    until(is_far, 40, f"{share:.0%} of the orders are in")
    own = psutil.Process(started.pid)
    for process in [own, *own.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            if "postgres" not in process.name():
                process.kill()
    started.wait()


def _all_is_there(here: Machine, db: Database, done: dict[str, list[dict[str, object]]]) -> None:
    report = here.get("report")["shopify"]
    for one in done["loaded"]:
        assert one["done"], one
        assert one["loaded"] == one["total"]
        if one["kind"] != "products":  # counted with their variants there
            assert one["total"] == report[f"acme-{one['store']}.myshopify.com"][one["kind"]]
    with db.transaction() as tx:
        assert tx.fetch_value("SELECT count(*) FROM load") == 6
        assert tx.fetch_value("SELECT count(*) FROM load WHERE n_again > 0 OR state <> 'done'") == 0
        # What the poll found of the minutes before the connection was made is written down as not for sending.
        assert tx.fetch_value("SELECT count(*) FROM outbox WHERE kind = 'moment' AND state <> 'excluded'") == 0
    assert list((here.home / ".isthmus" / "spool").rglob("*.jsonl")) == []
