"""A database of an earlier version, with data and with work under way, is brought to this version and worked off.

tests/golden/database/schema-11.json.gz holds the rows of one, by table, as that version left them when it was stopped:
a live connection with a key that has another name now, people, orders and products that are applied, a write that is
accepted and not settled, others that are due, webhooks that nobody has looked at, two open cases and a finished run.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import sql

from isthmus.app import engine
from isthmus.app.context import App
from isthmus.app.settings import Settings
from isthmus.cases.sql import cases
from isthmus.db.migrate import list_migrations, migrate
from isthmus.db.pool import Database
from isthmus.kit.clock import SystemClock
from isthmus.model.write import RecordKind
from isthmus.ops import status
from scenes import Town
from sims.neighbourhood import Sizes
from sims.shopify import chance
from sims.shopify.deeds import people

ROWS = Path(__file__).resolve().parents[1] / "golden" / "database" / "schema-11.json.gz"

DUE, WAITING = 6000007372800, 6000007602176
"""The customers whose contact is due, and whose webhooks nobody has looked at."""
INSERT = "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM jsonb_populate_recordset(NULL::public.{0}, %s)"


class Old(msgspec.Struct):
    now: datetime
    tables: dict[str, list[Any]]


@pytest.fixture(scope="module")
def old() -> Old:
    return msgspec.json.decode(gzip.decompress(ROWS.read_bytes()), type=Old)


@pytest.fixture
def upgraded(db_url: str, old: Old, tmp_path: Path) -> Iterator[Database]:
    """The old database, migrated."""
    with psycopg.connect(db_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    for one in list_migrations()[:11]:
        (tmp_path / f"{one.version:04}_{one.name.removeprefix(f'{one.version:04}_')}.sql").write_text(one.text)
    with Database(db_url, pool_size=4) as db:
        assert migrate(db, tmp_path)[-1].startswith("0011_")
        with db.transaction() as tx:
            for table, rows in old.tables.items():
                name = sql.Identifier(table)
                tx.execute(sql.SQL("DELETE FROM {}").format(name))
                tx.execute(sql.SQL(INSERT).format(name), (msgspec.json.encode(rows).decode(),))
            tx.fetch_all("SELECT setval(c.oid, 1000000) FROM pg_class c WHERE relkind = 'S'")
        migrate(db)
        engine.migrate_engine(db, old.now)
        yield db


def test_all_that_waited_goes_on_after_the_upgrade(
    upgraded: Database, old: Old, fresh_database: Callable[[], AbstractContextManager[Database]]
) -> None:
    connected = App(Settings(), upgraded, SystemClock()).connected("acme")
    assert connected.config.reconcile.grace_period == timedelta(minutes=3)
    assert connected.live_since is not None
    (before,) = status.read_status(upgraded, old.now).connections
    assert before.events.waiting == 9
    assert {kind: n.waiting for kind, n in before.accounting.items() if n.waiting} == {"customers": 2, "orders": 1}
    with fresh_database() as elsewhere:
        town = Town(elsewhere, sizes=Sizes(customers=0, orders=0, products=0))
        town.db = upgraded
        town.pass_time((old.now - town.clock.now()).total_seconds() + 60)
        # A customer is read, as no webhook shows all of one; the shop of today has the one who waits.
        waiting = chance.customer(town.sims.world, town.sims.store("uk"), Random(1), town.clock.now(), "di@example.com")
        waiting.id = WAITING
        people.appear(town.sims.store("uk"), waiting)
        town.come_to_rest()
        (after,) = status.read_status(upgraded, town.clock.now()).connections
        assert town.lookup(RecordKind.CONTACT, f"uk:{WAITING}") is not None
        assert town.lookup(RecordKind.CONTACT, f"uk:{DUE}") is not None
    assert after.events.waiting == 0
    assert after.events.failed == before.events.failed == 1
    assert after.events.processed > before.events.processed
    e = after.events
    assert e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed
    for kind, n in after.accounting.items():
        assert (n.waiting, n.case) == (0, 0), kind
        assert n.applied == n.known, kind
    assert after.pushes.refused == 0
    with upgraded.transaction() as tx:
        codes = {one.code for one in cases.list_cases(tx, "acme")}
    assert codes == {"integration.unknown_topic", "storefront.unreadable_body"}
