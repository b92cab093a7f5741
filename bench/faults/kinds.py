"""The faults, one function each: it makes the fault, holds it, ends it, and gives what it noted."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import psutil
import psycopg
from bench.faults import sockets
from bench.faults.postgres import Server
from bench.faults.stage import Stage
from bench.whole import NAME, until

from isthmus.db import server_location
from isthmus.db.cluster import Cluster

Notes: TypeAlias = Mapping[str, Any] | None
Fault: TypeAlias = Callable[[Stage], Notes]

DISK_MB = 700

_INSIDE = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'isthmus worker' AND state = 'idle in transaction'
"""


class NotRunError(RuntimeError):
    """This machine cannot have the fault; the message says why."""


def drip(stage: Stage) -> Notes:
    return stage.knobs(40, shopify__p_drip=1.0)


def drip_download(stage: Stage) -> Notes:
    """The files of bulk operations come a byte a second while somebody loads history again."""
    stage.here.post("faults", {"shopify.p_drip_download": 1.0})
    program = stage.here.start("backfill", NAME, "--restart", "--kind", "orders")
    stage.hold(30)
    injected = stage.here.get("report")["injected"].get("shopify.p_drip_download", 0)
    stage.here.post("faults", {"shopify.p_drip_download": 0.0})
    began = time.monotonic()
    code = program.wait(300)
    return {
        "p_drip_download": injected,
        "backfill ended with": code,
        "seconds until it ended": round(time.monotonic() - began, 1),
    }


def late(stage: Stage) -> Notes:
    return stage.knobs(45, shopify__p_late=1.0, shopify__late_by=12.5)


def deep_json(stage: Stage) -> Notes:
    return stage.knobs(30, shopify__p_deep_json=0.5, ometria__p_deep_json=0.5)


def stopped_worker(stage: Stage) -> Notes:
    """A worker is paused in the middle of a transaction, as by a machine that sleeps."""
    worker = random.choice(stage.here.role("work"))
    is_inside, tries = False, 0
    for tries in range(1, 400):  # noqa: B007 - how often is told
        worker.send_signal(signal.SIGSTOP)
        with psycopg.connect(stage.dsn, autocommit=True) as connection:
            found = connection.execute(_INSIDE).fetchone()
        is_inside = bool(found and found[0])
        if is_inside:
            break
        worker.send_signal(signal.SIGCONT)
        time.sleep(0.02)
    stage.hold(45)
    worker.send_signal(signal.SIGCONT)
    return {"stopped inside a transaction": is_inside, "tries": tries}


def read_only(stage: Stage) -> Notes:
    """The database refuses to write for a while, as one that is switched over or whose disk is being grown."""
    switch = "ALTER DATABASE isthmus {} default_transaction_read_only{}"
    with psycopg.connect(_beside(stage.dsn), autocommit=True) as outside:
        outside.execute(switch.format("SET", " = on").encode())
        _throw_out(outside)
        health = sockets.Health(stage.here.url)
        time.sleep(3)
        is_ready = health.is_answered("ready")
        stage.hold(30)
        outside.execute(switch.format("RESET", "").encode())
        back = until(lambda: health.is_answered("ready"), 60, "ready again")
    return {"/ready while read-only": 200 if is_ready else 503, "seconds until /ready again": round(back, 1)}


def silent_sockets(stage: Stage) -> Notes:
    """Thousands of connections that say nothing, for as long as it lasts; the shops' own webhooks must be taken."""
    shop = stage.here.sims["stores"][0]["domain"]
    silent = sockets.Silent(stage.here.url, shop, 5_200)
    before = stage.here.get("report")["deliveries"]
    silent.open()
    sockets.Health(stage.here.url).ask(25, stage.health)
    after = stage.here.get("report")["deliveries"]
    silent.close()
    taken, refused = after["ok"] - before["ok"], after["failed"] - before["failed"]
    if not taken or refused:
        stage.complaints.append(f"of {taken + refused} webhooks of the shops {refused} were not taken meanwhile")
    if any(stage.health.values()):
        stage.complaints.append("who asked for health was not always answered")
    return {
        "connections at the least": silent.fewest,
        "closed by us": silent.n_closed,
        "refused": silent.n_refused,
        "deliveries answered": taken,
        "deliveries not answered": refused,
    }


def large_bodies(stage: Stage) -> Notes:
    shop = stage.here.sims["stores"][0]["domain"]
    told: dict[str, Any] = {}
    for _ in range(3):
        for answer, n in sockets.post_large(stage.here.url, shop, 100).items():
            told[answer] = told.get(answer, 0) + n
    return told


def kills(stage: Stage) -> Notes:
    """kill -9, twenty times: mostly one of our own processes, now and then the database's."""
    dice = random.Random(7)
    killed: dict[str, int] = {}
    for n in range(20):
        what = "database" if n % 5 == 4 else dice.choice(("web", "work"))
        until(lambda: _victims(stage, what), 60, f"there is a {what} to kill")  # noqa: B023
        dice.choice(_victims(stage, what)).kill()
        killed[what] = killed.get(what, 0) + 1
        time.sleep(1.0)
    return killed


def _victims(stage: Stage, what: str) -> list[psutil.Process]:
    if what != "database":
        return stage.here.role(what)
    server = Cluster(server_location.resolve_location((stage.here.home / ".isthmus").resolve()), {}).postmaster()
    return [server] if server else []


def failover(primary: Server, standby: Server) -> Fault:
    """The primary dies under load; its synchronous standby takes over."""

    def fault(stage: Stage) -> Notes:
        stage.hold(5)
        primary.kill()
        stage.hold(10)
        standby.promote()
        health = sockets.Health(stage.here.url)
        back = until(lambda: health.is_answered("ready"), 90, "ready on the standby")
        stage.hold(10)
        return {"seconds from the promotion to /ready": round(back, 1)}

    return fault


def disk_full(folder: Path) -> Fault:
    """Nothing more fits onto the disk of the database: a write of our own is refused before the fault counts."""

    def fault(stage: Stage) -> Notes:
        ballast = folder / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"x" * 2**16)
                file.flush()
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"x" * 512)
        health = sockets.Health(stage.here.url)
        before = stage.here.get("report")["deliveries"]
        n_ready, refused = 0, dict[str, int]()
        try:
            for _ in range(30):
                for why in _fill(stage.dsn):
                    refused[why] = refused.get(why, 0) + 1
                n_ready += health.is_answered("ready")
                time.sleep(1.0)
            free = shutil.disk_usage(folder).free
        finally:
            ballast.unlink()
        if not refused:
            raise NotRunError("the database refused no write: the fault did not bite")
        after = stage.here.get("report")["deliveries"]
        back = until(lambda: health.is_answered("ready"), 90, "ready again")
        with psycopg.connect(_beside(stage.dsn), autocommit=True) as outside:
            outside.execute("DROP TABLE IF EXISTS ballast")
        return {
            "bytes free": free,
            "writes refused": ", ".join(f"{why} {n}" for why, n in sorted(refused.items())),
            "webhooks answered 503 or not at all": after["failed"] - before["failed"],
            "/ready answered 200 of 30": n_ready,
            "seconds until /ready again": round(back, 1),
        }

    return fault


def _fill(dsn: str) -> list[str]:
    """Write into a table beside isthmus's own until the database refuses; why it did, nothing if it never does."""
    try:
        with psycopg.connect(_beside(dsn), autocommit=True, connect_timeout=3) as outside:
            outside.execute("CREATE TABLE IF NOT EXISTS ballast (rest bytea)")
            for _ in range(DISK_MB):
                outside.execute("INSERT INTO ballast VALUES (%s)", (os.urandom(2**20),))
    except psycopg.Error as error:
        return [error.sqlstate or "no connection"]
    return []


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of its own with little room; NotRunError where it cannot be mounted."""
    folder = Path(tempfile.mkdtemp(prefix="isthmus-disk-"))
    try:
        if os.geteuid() != 0:
            raise NotRunError("a small file system can be mounted by root alone")
        options = ["-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0711", "isthmus-bench", str(folder)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, text=True)
        except OSError as error:
            raise NotRunError(f"mount cannot be run: {error}") from error
        if done.returncode != 0:
            raise NotRunError(f"a small file system cannot be mounted here: {done.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _beside(dsn: str) -> str:
    return psycopg.conninfo.make_conninfo(dsn, dbname="postgres")


def _throw_out(outside: "psycopg.Connection[Any]") -> None:
    outside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'isthmus'")


TOGETHER: Mapping[str, Fault] = {
    "drip": drip,
    "drip-download": drip_download,
    "late": late,
    "deep-json": deep_json,
    "stopped-worker": stopped_worker,
    "read-only": read_only,
    "silent-sockets": silent_sockets,
    "large-bodies": large_bodies,
    "kills": kills,
}
"""Those that one machine can have after another."""
ALONE = ("failover", "disk-full")
"""Those that need a database of their own."""
