"""kill -9 of workers, of the endpoint and of the database during live traffic: nothing acknowledged is lost, nothing is
done twice that anybody could see, and both sides end equal.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import pytest
from machine import NAME, Machine, machine, stop, until

from isthmus.app.context import App
from isthmus.app.settings import load_settings
from isthmus.db.pool import Database
from isthmus.flows.compare import compare_both_sides
from isthmus.inbox.key import delivery_key
from isthmus.kit.clock import SystemClock
from isthmus.model.write import RecordKind
from isthmus.ops import status
from isthmus.ops.status import ConnectionStatus
from isthmus.runs.sql import watermarks as runs

KILLS = ("work",) * 8 + ("web",) * 6 + ("database",) * 6
AT_REST_WITHIN = 75.0
FAULTS = {
    "shopify.p_duplicate": 0.15,
    "shopify.p_reorder": 0.2,
    "shopify.reorder_window": 3.0,
    "shopify.p_drop": 0.05,
    "shopify.p_older_body": 0.5,
    "shopify.retry_speed": 1500.0,  # eight retries within ten seconds
    "ometria.p502": 0.03,
    "ometria.p_timeout_after_accept": 0.02,
    "ometria.hang_seconds": 6.0,
}


@pytest.fixture
def seed(record_property: Callable[[str, object], None]) -> int:
    made = random.SystemRandom().randrange(10_000)
    record_property("seed", made)
    print(f"seed {made}")  # shown when the test fails
    return made


def test_twenty_kills_lose_nothing_and_repeat_nothing(seed: int) -> None:
    dice = random.Random(seed)
    with machine(seed=seed, customers=12, orders=16, products=4) as here:
        here.write_settings(processes=2)
        here.write_connection()
        here.deploy_app()
        here.post("switches", {"event_idempotency": False})  # so that a custom event sent twice shows
        serve = here.start("serve")
        until(here.is_ready, 30)
        assert here.run("connect", f"{NAME}.toml").returncode == 0
        assert here.run("backfill", NAME).returncode == 0
        here.post("faults", FAULTS)
        here.post("life", {"rate": 5.0})
        with Database(here.cluster().url(), pool_size=1) as db:
            killed = _kill(here, db, dice)
            here.post("life", {"rate": 0})
            here.post("faults", dict.fromkeys((name for name in FAULTS if ".p_" in name or "p502" in name), 0.0))
            _come_to_rest(here, db)
            _nothing_acknowledged_is_lost(here, db)
        _nothing_shows_twice(here)
        _both_sides_agree(here)
        assert killed == Counter(KILLS)
        assert stop(serve) == 0
        until(lambda: not here.processes(), 10, "nothing is left of it")


def _kill(here: Machine, db: Database, dice: random.Random) -> Counter[str]:
    """One after the other at random moments, while others are still coming back."""
    killed: Counter[str] = Counter()
    for victim in dice.sample(KILLS, len(KILLS)):
        time.sleep(dice.uniform(0.2, 2.0))
        process = until_there(here, victim, dice)
        os.kill(process, signal.SIGKILL)
        killed[victim] += 1
        with contextlib.suppress(psycopg.OperationalError):
            _adds_up(status.read_status(db, SystemClock().now(), NAME).connections[0])
    return killed


def until_there(here: Machine, victim: str, dice: random.Random) -> int:
    found: list[int] = []

    def look() -> bool:
        if victim == "database":
            server = here.cluster().postmaster()
            found[:] = [server.pid] if server else []
        else:
            found[:] = [process.pid for process in here.role(victim)]
        return bool(found)

    until(look, 20, f"{victim} is back")
    return dice.choice(found)


def _come_to_rest(here: Machine, db: Database) -> None:
    """Nothing waits, and every poll has looked since the last thing happened."""
    ended_at = SystemClock().now()

    def is_at_rest() -> bool:
        time.sleep(0.3)
        told = status.read_status(db, SystemClock().now(), NAME).connections[0]
        _adds_up(told)
        with db.transaction() as tx:
            marks = runs.load_watermarks(tx, NAME)
        polled = min(mark.at for (_, what), mark in marks.items() if what.startswith("poll:") and mark.at)
        return not (told.is_waiting or here.get("report")["deliveries"]["pending"] or polled <= ended_at)

    until(is_at_rest, AT_REST_WITHIN, "all that happened is applied")


def _adds_up(told: ConnectionStatus) -> None:
    for kind, n in told.accounting.items():
        assert n.known == n.applied + n.excluded + n.waiting + n.case, kind
        assert min(n.applied, n.excluded, n.waiting, n.case) >= 0, kind
    e = told.events
    assert e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed + e.waiting


def _nothing_acknowledged_is_lost(here: Machine, db: Database) -> None:
    names = {store["domain"]: store["name"] for store in here.sims["stores"]}
    acknowledged = here.get("acknowledged")["items"]
    assert len(acknowledged) > 50
    with db.transaction() as tx:
        keys = {bytes(row["key"]) for row in tx.fetch_all("SELECT key FROM event_key")}
        kept = {(row["store"], row["webhook_id"]) for row in tx.fetch_all("SELECT store, webhook_id FROM event")}
    for told in acknowledged:
        store = names[told["shop"]]
        assert delivery_key(store, told["topic"], told["webhook_id"]) in keys, told
        assert (store, told["webhook_id"]) in kept, told


def _nothing_shows_twice(here: Machine) -> None:
    fired = here.get("platform/automations")["items"]
    assert len(here.get("platform/events")["items"]) == len({one["id"] for one in here.get("platform/events")["items"]})
    moments = Counter(one["event_id"] for one in fired if one["kind"] == "custom_event")
    assert moments, "no custom event was fired at all"
    assert [one for one, n in moments.items() if n > 1] == []
    welcomes = Counter((one["channel"], one["email"], one["profile_id"]) for one in fired if one["kind"] == "subscribe")
    assert [one for one, n in welcomes.items() if n > 1] == []


def _both_sides_agree(here: Machine) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in here.environment.items():
            patch.setenv(name, value)
        patch.chdir(here.home)
        with App.opened(load_settings(here.home / "isthmus.toml"), pool_size=2) as app:
            found = compare_both_sides(app.db, app.context(NAME), _lookup(here))
    assert found.differences == ()
    assert all(found.n_equal.values())


def _lookup(here: Machine) -> Callable[[RecordKind, str], Mapping[str, Any] | None]:
    kept: dict[tuple[RecordKind, str], Mapping[str, Any]] = {}
    for kind, name in (
        (RecordKind.CONTACT, "contacts"),
        (RecordKind.ORDER, "orders"),
        (RecordKind.PRODUCT, "products"),
    ):
        for item in here.get(f"platform/{name}")["items"]:
            if kind is not RecordKind.CONTACT or item.get("@collection") == "shopify":
                kept[kind, str(item["id"])] = item
    return lambda kind, name: kept.get((kind, name))
