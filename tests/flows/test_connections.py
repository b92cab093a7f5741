"""Connections as the database keeps them: what is open, what is shut, and who is behind a domain."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from isthmus.app import engine
from isthmus.app.context import App
from isthmus.app.exit_codes import WRONG_USE, exit_message
from isthmus.app.rules import mapping_rules
from isthmus.app.settings import Settings
from isthmus.cases.sql import cases
from isthmus.commands import connect
from isthmus.commands.reconcile import Reconciler
from isthmus.connections import sql as connections
from isthmus.connections.config import ConnectionConfig
from isthmus.connections.sql import StoredConnection
from isthmus.db.pool import Database
from isthmus.kit.clock import SystemClock
from isthmus.model.failure import BlockedError
from isthmus.model.lane import Lane
from isthmus.runtime.scheduler import Scheduler

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


def config(name: str = "acme", mode: str = "shadow", **uk: Any) -> ConnectionConfig:
    stores = [
        {"name": "uk", "domain": "acme-uk.myshopify.com", "client_id": "1", "client_secret": "env:UK",
         "currency": "GBP", "namespace": "uk:"} | uk,
        {"name": "int", "domain": "acme-int.myshopify.com", "client_id": "2", "client_secret": "env:INT",
         "currency": "EUR", "namespace": "int:"},
    ]  # fmt: skip
    return ConnectionConfig.model_validate(
        {
            "connection": {"name": name, "mode": mode},
            "ometria": {"api_key": "env:KEY", "rates": {"EUR": "0.86"}, "reporting_currency": "GBP"},
            "stores": stores,
            "custom_events": {"order_shipped": False},
            "orders": {"discount_sign": "negative", "statuses": {"complete": "done"}},
        }
    )


def saved(database: Database, told: ConnectionConfig, at: datetime = AT) -> StoredConnection:
    with database.transaction() as tx:
        connections.save_connection(tx, told, at)
        found = connections.load_connection(tx, told.name)
    assert found is not None
    return found


def test_a_connection_is_kept_as_it_was_told(database: Database) -> None:
    found = saved(database, config())
    assert found.config == config()
    assert (found.connected_at, found.live_since, found.is_shut) == (AT, None, False)
    assert found.open_lanes() == tuple(Lane)


def test_connecting_again_changes_it_and_tells_that_it_was_there(database: Database) -> None:
    with database.transaction() as tx:
        assert connections.save_connection(tx, config(), AT)
        assert not connections.save_connection(tx, config(domain="acme-gb.myshopify.com"), LATER)
        assert connections.connection_names(tx) == ["acme"]
        assert [door.domain for door in connections.store_secret_refs(tx)] == [
            "acme-gb.myshopify.com",
            "acme-int.myshopify.com",
        ]
        found = connections.load_connection(tx, "acme")
    assert found is not None
    assert found.connected_at == AT


def test_live_since_is_the_first_time_it_went_live_for_ever(database: Database) -> None:
    assert saved(database, config()).live_since is None
    assert saved(database, config(mode="live"), LATER).live_since == LATER
    assert saved(database, config()).live_since == LATER
    assert saved(database, config(mode="live"), LATER + timedelta(days=1)).live_since == LATER


def test_a_person_shuts_and_opens_a_connection(database: Database) -> None:
    saved(database, config())
    with database.transaction() as tx:
        assert connections.pause_connection(tx, "acme", AT)
        assert connections.pause_connection(tx, "acme", LATER)
        found = connections.load_connection(tx, "acme")
        assert found is not None
        assert (found.paused_at, found.open_lanes()) == (AT, ())
        assert connections.resume_connection(tx, "acme")
        found = connections.load_connection(tx, "acme")
        assert found is not None
        assert not found.is_shut


def test_a_lane_is_paused_alone(database: Database) -> None:
    saved(database, config())
    with database.transaction() as tx:
        assert connections.pause_connection(tx, "acme", AT, Lane.BACKFILL)
        assert connections.pause_connection(tx, "acme", AT, Lane.BACKFILL)
        found = connections.load_connection(tx, "acme")
        assert found is not None
        assert found.open_lanes() == (Lane.REALTIME, Lane.ENRICHMENT, Lane.REPAIR)
        assert connections.resume_connection(tx, "acme", Lane.BACKFILL)
        found = connections.load_connection(tx, "acme")
    assert found is not None
    assert not found.paused_lanes


@pytest.mark.parametrize("lane", [None, Lane.BACKFILL])
def test_what_is_not_there_cannot_be_paused_or_resumed(database: Database, lane: Lane | None) -> None:
    with database.transaction() as tx:
        assert not connections.pause_connection(tx, "nobody", AT, lane)
        assert not connections.resume_connection(tx, "nobody", lane)
        assert connections.load_connection(tx, "nobody") is None


def test_a_failure_shuts_a_connection_once_and_keeps_its_first_reason(database: Database) -> None:
    saved(database, config())
    with database.transaction() as tx:
        assert connections.block_connection(tx, "acme", "platform.key_refused", AT)
        assert not connections.block_connection(tx, "acme", "storefront.token_refused", LATER)
        found = connections.load_connection(tx, "acme")
        assert found is not None
        assert (found.blocked_code, found.blocked_at, found.is_shut) == ("platform.key_refused", AT, True)
        assert not connections.unblock_connection(tx, "acme", "storefront.token_refused")
        assert connections.unblock_connection(tx, "acme", "platform.key_refused")
        assert not connections.unblock_connection(tx, "acme")


def test_resuming_lifts_a_block(database: Database) -> None:
    saved(database, config())
    with database.transaction() as tx:
        connections.block_connection(tx, "acme", "platform.key_refused", AT)
        connections.resume_connection(tx, "acme")
        found = connections.load_connection(tx, "acme")
    assert found is not None
    assert not found.is_shut


def test_one_shop_may_feed_two_connections(database: Database) -> None:
    saved(database, config("live"))
    saved(database, config("staging", previous_client_secret="env:UK_OLD"))
    with database.transaction() as tx:
        uk = [door for door in connections.store_secret_refs(tx) if door.domain == "acme-uk.myshopify.com"]
        assert [found.name for found in connections.load_connections(tx)] == ["live", "staging"]
    assert [(door.connection, door.store) for door in uk] == [("live", "uk"), ("staging", "uk")]
    assert [door.previous_client_secret for door in uk] == [None, "env:UK_OLD"]


def test_a_secret_once_known_is_never_forgotten(database: Database) -> None:
    saved(database, config(client_secret="env:UK_2025"))
    saved(database, config(client_secret="env:UK_2026", previous_client_secret="env:UK_2025"))
    saved(database, config(client_secret="env:UK_2027"))
    with database.transaction() as tx:
        assert connections.app_secret_refs(tx) == [
            ("acme", reference) for reference in ("env:INT", "env:UK_2025", "env:UK_2026", "env:UK_2027")
        ]


def test_a_removed_store_has_no_door(database: Database) -> None:
    saved(database, config())
    only = config()
    saved(database, only.model_copy(update={"stores": only.stores[1:]}))
    with database.transaction() as tx:
        assert [door.store for door in connections.store_secret_refs(tx)] == ["int"]
        assert tx.fetch_value("SELECT count(*) FROM store") == 1


def test_the_mapping_obeys_what_the_file_says(database: Database) -> None:
    found = saved(database, config(mode="live"))
    made = mapping_rules(found, found.config.store("int"), b"key")
    assert (made.store, made.namespace, made.currency, made.live_since) == ("int", "int:", "EUR", AT)
    assert made.discount_sign == -1
    assert made.event_names["order_shipped"] is None
    assert made.event_names["order_delivered"] == "order_delivered"
    assert made.statuses["complete"] == "done"
    assert str(made.rates["EUR"]) == "0.86"
    assert made.hash_key == b"key"


def test_a_bell_for_a_connection_that_was_just_made_is_no_bug(database: Database) -> None:
    """Another process has heard of it, and rings, while we still know the list of a moment ago."""
    app = App(Settings(), database, SystemClock())
    assert app.names() == []
    saved(database, config())
    assert app.connected("acme").config == config()
    saved(database, config("other", domain="other.myshopify.com"))
    assert app.trouble("other") == "integration.secret_missing"
    with pytest.raises(KeyError):
        app.connected("nobody")


def test_connecting_says_what_will_no_longer_be_known_of_a_store_that_leaves(database: Database) -> None:
    app = App(Settings(), database, SystemClock())
    engine.migrate_engine(database, AT)
    told = config()
    saved(database, told)
    with database.transaction() as tx:
        tx.execute(
            """INSERT INTO outbox (connection, kind, id, store, lane, state, due_at, since, sent)
               VALUES ('acme', 'contact', 'int:1', 'int', 0, 'applied', %s, %s, 'x')""",
            (AT, AT),
        )
    assert connect.describe_leaving_stores(app, told) == ()
    (notice,) = connect.describe_leaving_stores(app, told.model_copy(update={"stores": told.stores[:1]}))
    assert notice.startswith("store int leaves the connection: its 1 contacts stay in Ometria as they are.")
    assert "a consent audit will not judge them" in notice


def altered(database: Database, name: str, change: str) -> None:
    """Let the stored connection be as another version would store it; `change` is SQL over `config`."""
    with database.transaction() as tx:
        assert tx.execute(f"UPDATE connection SET config = {change} WHERE connection = %s", (name,)) == 1  # noqa: S608


def test_a_connection_is_read_as_an_earlier_or_a_later_version_stored_it(database: Database) -> None:
    told = saved(database, config()).config
    altered(
        database, "acme",
        """jsonb_set(config #- '{reconcile,grace_period}', '{reconcile,grace}', '"3m"')
           || '{"later": {"key": 1}}' #- '{service_hold}'""",
    )  # fmt: skip
    altered(database, "acme", """jsonb_set(config, '{stores,1,later_key}', '"x"')""")
    app = App(Settings(), database, SystemClock())
    found = app.connected("acme").config
    assert found.reconcile.grace_period == timedelta(minutes=3)
    changed = told.reconcile.model_copy(update={"grace_period": timedelta(minutes=3)})
    assert found == told.model_copy(update={"reconcile": changed})
    assert app.unusable("acme") is None
    kept = saved(database, found).config
    assert kept == found, "stored again it has the keys of this version alone"


def test_a_key_that_has_both_names_keeps_the_value_of_the_present_one(database: Database) -> None:
    saved(database, config())
    altered(database, "acme", """jsonb_set(config, '{reconcile,grace}', '"9m"')""")
    with database.transaction() as tx:
        found = connections.load_connection(tx, "acme")
    assert found is not None
    assert found.config == config()


BROKEN = """jsonb_set(config, '{connection,mode}', '"dimmed"')"""


def test_a_stored_connection_that_cannot_be_used_is_out_of_work_alone(database: Database) -> None:
    engine.migrate_engine(database, AT)
    saved(database, config("broken"))
    saved(database, config("sound", domain="sound.myshopify.com"))
    altered(database, "broken", BROKEN)
    app = App(Settings(), database, SystemClock())
    timetable = Scheduler(app, tuple(Lane), Reconciler(app), lambda *_, **__: None, lambda: True)
    assert app.names() == ["broken", "sound"]
    for _ in range(2):
        timetable.sweep()
        timetable.come_round()
    with database.transaction() as tx:
        (case,) = cases.list_cases(tx, "broken")
        assert cases.list_cases(tx, "sound") == []
        assert {door.connection for door in connections.store_secret_refs(tx)} == {"broken", "sound"}, (
            "webhooks are still taken"
        )
    assert (case.code, case.subject, case.n) == ("integration.connection_unusable", "", 1)
    assert case.detail == (
        "connection broken as it is stored: connection.mode: must be 'shadow' or 'live'; put it right in its file and "
        "run `isthmus connect FILE`"
    )
    with pytest.raises(BlockedError) as raised:
        app.context("broken")
    assert exit_message(raised.value) == (WRONG_USE, case.detail)
    assert app.trouble("broken") == "integration.connection_unusable"


@pytest.mark.parametrize("data", ["[]", '"x"', "{}", '{"stores": [3, {"name": "uk"}], "reconcile": 4}'])
def test_nothing_that_is_stored_stops_the_other_connections(database: Database, data: str) -> None:
    saved(database, config("broken"))
    saved(database, config("sound", domain="sound.myshopify.com"))
    altered(database, "broken", f"'{data}'")
    app = App(Settings(), database, SystemClock())
    assert app.unusable("broken") is not None
    assert app.connected("sound").name == "sound"
    app.doors()
    with database.transaction() as tx:
        assert {door.connection for door in connections.store_secret_refs(tx)} == {"sound"}
