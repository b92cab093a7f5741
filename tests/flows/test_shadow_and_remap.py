"""A connection that only looks, that goes live, and whose rules are changed: what is sent then, and what is not."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from test_connections import config, saved

import frozen
from isthmus.commands.connect import _mapped_otherwise
from isthmus.connections.config import ConnectionConfig
from isthmus.db.pool import Database
from isthmus.flows.consent.audit import run_consent_audit
from isthmus.flows.process import process_batch
from isthmus.flows.remap import FELT_AFTER, is_remap_requested, mapping_differs, remap_page, request_remap
from isthmus.flows.safety import decide
from isthmus.model.basis import NotJudgedReason, verdict_outcome
from isthmus.ops import status
from isthmus.ops.trace import About, trace_history
from isthmus.runs.sql import watermarks as runs
from scenes import AT, HASH_KEY, Loaded, Town


def rows(town: Town, query: str, *params: object) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query, params)


def pushed(town: Town) -> list[dict[str, Any]]:
    """Every record that Ometria was ever sent."""
    return [
        record
        for entry in town.sims.tape.read(limit=100_000)
        if entry["path"].endswith("/push") and entry["method"] == "POST"
        for record in entry["body"]
    ]


def obey(town: Town, **changed: Any) -> None:
    """Change the rules of every store."""
    for name, shop in list(town.context.shops.items()):
        town.context.shops[name] = msgspec.structs.replace(  # type: ignore[index]
            shop, rules=msgspec.structs.replace(shop.rules, **changed)
        )


def live(town: Town, steps: int) -> None:
    for _ in range(steps):
        town.sims.live(4)
        town.pass_time(3)
        town.work()


def look_on(town: Town) -> None:
    for _ in range(15):
        town.work()
        town.pass_time(2)


# Shadow --------------------------------------------------------------------------------------------------------------


class Shadow(Town):
    """A loaded town that only looks, after some life in its shops."""

    def __init__(self, database: Database) -> None:
        frozen.begin(self, database, Shadow, lambda: self._begin(database), is_common=True)

    def _begin(self, database: Database) -> None:
        super().__init__(database)
        self.context = msgspec.structs.replace(self.context, is_live=False)
        obey(self, live_since=None)
        self.load()
        look_on(self)
        live(self, 15)
        look_on(self)


@pytest.fixture
def shadow(database: Database) -> Town:
    """A loaded town that only looks, after some life in its shops."""
    return Shadow(database)


def go_live(town: Town) -> None:
    obey(town, live_since=town.clock.now())
    town.context = msgspec.structs.replace(town.context, is_live=True)


def test_in_shadow_everything_is_shown_and_nothing_is_pushed(shadow: Town) -> None:
    assert pushed(shadow) == []
    (told,) = status.read_status(shadow.db, shadow.clock.now()).connections
    waiting = {kind: classes.waiting for kind, classes in told.accounting.items()}
    assert all(waiting[kind] > 0 for kind in ("orders", "customers", "products"))
    assert told.events.waiting == 0
    assert rows(shadow, "SELECT id FROM outbox WHERE state NOT IN ('due', 'excluded', 'buried')") == []


def test_in_shadow_whoever_only_the_shop_may_write_to_is_not_judged_and_nothing_is_about_to_be_sent(
    shadow: Town,
) -> None:
    with shadow.db.transaction() as tx:
        tx.execute("UPDATE connection SET mode = 'shadow'")
        held = [row["subject"] for row in tx.fetch_all("SELECT subject FROM outbox WHERE kind = 'contact' AND opts_in")]
    assert held
    done = run_consent_audit(shadow.db, shadow.context, repair=False)
    assert done.basis is not None
    waiting = sum(one.n or 0 for one in done.basis.not_judged if one.reason is NotJudgedReason.WAITING)
    assert waiting == len(held)
    assert not verdict_outcome(done.basis).is_green
    customer = int(held[0].removeprefix("customer:"))
    (write,) = [
        entry
        for entry in trace_history(shadow.db, "acme", About(customer=customer), HASH_KEY).entries
        if entry.what == "write" and entry.subject == held[0]
    ]
    assert write.said == "kept back: in shadow mode nothing is sent"


def test_f11_going_live_sends_all_of_it_and_welcomes_nobody(shadow: Town) -> None:
    """F11: nobody who opted in before is welcomed, and nothing that happened before sets anything off."""
    assert rows(shadow, "SELECT id FROM outbox WHERE kind = 'moment'")
    go_live(shadow)
    shadow.come_to_rest()
    sent = pushed(shadow)
    assert {"contact", "order", "product"} <= {record["@type"] for record in sent}
    assert "custom_event" not in {record["@type"] for record in sent}
    assert any(record.get("marketing_optin") == "EXPLICITLY_OPTEDIN" for record in sent)
    assert [record["id"] for record in sent if record.get("timestamp_subscribed")] == []
    assert shadow.compare().differences == ()


def test_what_happens_after_going_live_fires(shadow: Town) -> None:
    go_live(shadow)
    shadow.come_to_rest()
    live(shadow, 25)
    shadow.come_to_rest()
    assert [record for record in pushed(shadow) if record["@type"] == "custom_event"]
    assert shadow.compare().differences == ()


def test_f24_a_moment_that_an_outage_made_stale_is_not_fired(database: Database) -> None:
    """F24: a state is late for ever rather than never; a moment only until it is older than its most."""
    town = Loaded(database)
    for _ in range(25):  # Ometria is away: what happens is heard, and nothing is pushed
        town.sims.live(4)
        town.pass_time(3)
        town.sims.deliver(town.post)
        process_batch(town.db, town.context)
    due = rows(town, "SELECT id FROM outbox WHERE kind = 'moment' AND state = 'due'")
    assert due
    town.pass_time(timedelta(hours=25).total_seconds())
    town.come_to_rest()
    ended = rows(town, "SELECT state, excluded FROM outbox WHERE id = ANY(%s)", [row["id"] for row in due])
    assert {(row["state"], row["excluded"]) for row in ended} == {("excluded", "older than 1d")}
    assert town.compare().differences == ()


# Remap ---------------------------------------------------------------------------------------------------------------


def remap_all(town: Town, *stores: str) -> int:
    with town.db.transaction() as tx:
        for store in stores:
            request_remap(tx, "acme", store, town.clock.now())
    assert remap_page(town.db, town.context) == 0  # other processes have not felt it yet
    town.pass_time(FELT_AFTER.total_seconds())
    n = 0
    while remap_page(town.db, town.context):
        n += 1
    return n


def confirm_all(town: Town) -> None:
    """A person lets every stopped plan go."""
    for plan in rows(town, "SELECT id FROM plan WHERE state = 'stopped'"):
        assert decide.confirm_plan(town.db, town.context, plan["id"], "ada").is_done


def test_changed_rules_are_felt_by_what_is_known_already(database: Database) -> None:
    town = Loaded(database)
    live(town, 5)
    town.come_to_rest()
    n_sent, moments = len(pushed(town)), rows(town, "SELECT id FROM outbox WHERE kind = 'moment' ORDER BY id")
    obey(town, statuses=dict.fromkeys(town.context.shops["uk"].rules.statuses, "shown"))
    assert remap_all(town, *town.context.shops) == 3 * len(town.context.shops)
    town.come_to_rest()
    assert pushed(town)[n_sent:] == []  # more than may change without a person
    assert len(rows(town, "SELECT id FROM plan WHERE state = 'stopped'")) == 1
    confirm_all(town)
    town.come_to_rest()
    sent = pushed(town)[n_sent:]
    assert {record["@type"] for record in sent} == {"order"}
    assert {record["status"] for record in sent} == {"shown"}
    assert len(sent) == len(rows(town, "SELECT id FROM outbox WHERE kind = 'order' AND state = 'applied'"))
    assert rows(town, "SELECT id FROM outbox WHERE kind = 'moment' ORDER BY id") == moments
    with town.db.transaction() as tx:
        assert not is_remap_requested(runs.load_watermarks(tx, "acme"), town.clock.now() + timedelta(days=1))
    assert town.compare().differences == ()


def test_mapping_again_by_the_same_rules_sends_nothing(database: Database) -> None:
    town = Loaded(database)
    n_sent = len(pushed(town))
    remap_all(town, "uk")
    town.come_to_rest()
    assert len(pushed(town)) == n_sent


def test_a_deleted_record_is_not_mapped_again(database: Database) -> None:
    """F17, F83: a tombstone has nothing to be mapped, whatever the rules say."""
    town = Loaded(database)
    obey(town, statuses=dict.fromkeys(town.context.shops["uk"].rules.statuses, "shown"))
    (order,) = rows(town, "SELECT id FROM record WHERE kind = 'order' AND store = 'uk' ORDER BY id LIMIT 1")
    with town.db.transaction() as tx:
        tx.execute("UPDATE record SET body = NULL, hash = NULL, deleted_at = now() WHERE id = %s", (order["id"],))
    remap_all(town, "uk")
    confirm_all(town)
    told = {row["subject"] for row in rows(town, "SELECT subject FROM event WHERE topic = 'isthmus/remap'")}
    assert told
    assert f"order:{order['id']}" not in told


@pytest.mark.parametrize(
    ("changed", "stores"),
    [
        ({}, []),
        ({"orders": {"valid_when": "paid"}}, ["uk", "int"]),
        ({"contacts": {"tags": ["vip"]}}, ["uk", "int"]),
        ({"refunds": {"style": "net"}}, ["uk", "int"]),
        ({"custom_events": {"order_shipped": "sent"}}, []),
        ({"lanes": {"poll_every": "1m", "event_max_age": "1h"}}, []),
        ({"connection": {"name": "acme", "mode": "live"}}, []),
    ],
)
def test_only_settings_that_say_records_otherwise_map_everything_again(
    database: Database, changed: dict[str, Any], stores: list[str]
) -> None:
    before = saved(database, config())
    after = saved(database, ConnectionConfig.model_validate(config().model_dump(mode="json") | changed))
    assert _mapped_otherwise(before, after, HASH_KEY) == stores
    assert _mapped_otherwise(None, after, HASH_KEY) == []


def test_one_stores_own_setting_maps_that_store_again(database: Database) -> None:
    before = saved(database, config())
    after = saved(database, config(storefront_url="https://acme.example"), AT + timedelta(hours=1))
    assert _mapped_otherwise(before, after, HASH_KEY) == ["uk"]


def test_rules_differ_from_themselves_in_nothing(database: Database) -> None:
    rules = Town(database).context.shops["uk"].rules
    assert not mapping_differs(rules, rules)
    assert not mapping_differs(rules, msgspec.structs.replace(rules, live_since=None))
    assert mapping_differs(rules, msgspec.structs.replace(rules, namespace="gb:"))
