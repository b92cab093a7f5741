"""What a run changed can be put back: in Ometria, and in our own records."""

import json
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from test_blast_radius import confirm_all, n_unlike, obey, rows, truth, wave
from test_commands import CONFIG, Run, run

from isthmus.app.context import App
from isthmus.connections import file as files
from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.flows.reconcile import record_findings
from isthmus.flows.safety.undo import Undone, undo_run
from isthmus.outbox.plan import first_difference
from plays import Play
from scenes import Loaded, Town
from sims.neighbourhood import Sizes
from sims.shopify.state import SmsConsent

assert run  # a fixture


def ours(town: Town) -> dict[str, Any]:
    """Our own records, what is desired of them, and what orders are worth."""
    return deepcopy(
        {
            "record": {
                (r["kind"], r["store"], r["id"]): (r["hash"], r["deleted_at"])
                for r in rows(town, "SELECT kind, store, id, hash, deleted_at FROM record WHERE kind <> 'checkout'")
            },
            "desired": {
                (r["kind"], r["id"]): (r["desired"], r["excluded"])
                for r in rows(town, "SELECT kind, id, desired, excluded FROM outbox WHERE kind <> 'moment'")
            },
            "sale": rows(town, "SELECT * FROM sale ORDER BY store, id"),
        }
    )


def but_for_times_of_consent(said: dict[str, Any]) -> dict[str, Any]:
    """Who was opted out and in again keeps Ometria's own times of that: SEMANTICS 5 lets us send none."""
    for one in said["contacts"].values():
        one.pop("timestamp_subscribed", None)
        one.pop("timestamp_unsubscribed", None)
    return said


def put_back(town: Town, run: int, **more: Any) -> Undone:
    return undo_run(town.db, town.context, run, "reconcile", "ada", **more)


def test_undo_puts_back_200_records_that_a_run_repaired_by_a_wrong_rule(database: Database) -> None:
    town = Town(database, sizes=Sizes(customers=60, orders=240, products=8))
    town.load()
    town.come_to_rest()
    town.pass_time(600)
    before, own = truth(town), ours(town)
    obey(town, statuses=dict.fromkeys(town.context.shops["uk"].rules.statuses, "wrong"))
    done = town.reconcile()
    assert done.is_stopped
    confirm_all(town)
    town.come_to_rest()
    repaired = n_unlike(before, truth(town), "orders")
    assert repaired >= 200

    told = put_back(town, done.run, is_dry_run=True)
    assert (told.n_put_back, told.n_changed_since, told.final) == (repaired, 0, {})
    town.come_to_rest()
    assert n_unlike(before, truth(town), "orders") == repaired  # a dry run changes nothing

    told = put_back(town, done.run)
    assert (told.n_put_back, told.n_changed_since, told.n_withdrawn, told.final) == (repaired, 0, 0, {})
    town.come_to_rest()
    assert truth(town) == before  # what Ometria has
    for row in rows(town, "SELECT id FROM outbox WHERE kind = 'order' AND state = 'applied' ORDER BY id"):
        there = town.context.platform.order(row["id"])  # and what it answers when it is read back
        assert there is not None
        assert there["status"] == before["orders"][row["id"]]["status"]
    assert ours(town) == own
    assert put_back(town, done.run).n_changed == 0  # there is nothing left to put back

    # The next run, by the same rule, changes none of them again by itself.
    town.pass_time(600)
    again = town.reconcile()
    town.come_to_rest()
    assert again.plan is None
    assert truth(town) == before
    assert again.n_findings >= repaired  # and does not call them equal


def test_undo_brings_back_what_a_run_took_for_deleted(town: Town) -> None:
    blind = wave(town)
    before, own = truth(town), ours(town)
    done = town.reconcile()
    confirm_all(town)
    town.come_to_rest()
    after = truth(town)
    assert n_unlike(before, after, "orders") == len(blind.gone["order"])
    out = [own for own, one in after["contacts"].items() if one["marketing_optin"] == "EXPLICITLY_OPTEDOUT"]
    assert len(out) > len([1 for one in before["contacts"].values() if one["marketing_optin"] == "EXPLICITLY_OPTEDOUT"])

    told = put_back(town, done.run)
    assert told.n_put_back == len(blind.gone["order"]) + len(blind.gone["customer"])
    assert told.n_changed_since == 0
    town.come_to_rest()
    now = ours(town)
    assert now["record"] == own["record"]
    assert now["sale"] == own["sale"]
    assert now["desired"] == own["desired"]
    assert but_for_times_of_consent(truth(town)) == but_for_times_of_consent(before)

    # The store still answers null, and the next run leaves them alone.
    town.pass_time(600)
    again = town.reconcile()
    town.come_to_rest()
    assert again.plan is None
    assert but_for_times_of_consent(truth(town)) == but_for_times_of_consent(before)


def test_undo_leaves_what_the_shop_has_stated_since(town: Town) -> None:
    wave(town)
    done = town.reconcile()
    confirm_all(town)
    town.come_to_rest()
    (order, other) = rows(town, "SELECT id FROM record WHERE kind = 'order' AND body IS NULL ORDER BY id LIMIT 2")
    blind: Any = town.context.shops["uk"].reader
    blind.gone["order"].discard(int(order["id"]))
    told_first = truth(town)["orders"][f"uk:{other['id']}"]
    assert told_first["status"] == "cancelled"
    with town.sims.world.lock:
        shop = town.sims.store("uk")
        placed = shop.orders[int(order["id"])]
        placed.updated_at = town.clock.now()
    town.poll()
    town.come_to_rest()
    told = put_back(town, done.run)
    assert told.n_changed_since == 1
    assert told.left == (f"order:{order['id']}",)


@pytest.fixture
def town(database: Database) -> Town:
    return Loaded(database, sizes=Sizes(customers=140, orders=160, products=8), since=600)


# On the command line --------------------------------------------------------------------------------------------------


def test_plans_and_undo_on_the_command_line(run: Run, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    wave(town)
    with town.db.transaction() as tx:
        connections.save_connection(tx, files.parse_connection(CONFIG, "acme.toml"), town.clock.now())
    monkeypatch.setattr(App, "context", lambda app, name: town.context)
    done = town.reconcile()

    code, out, _ = run("plans", "list", "acme", "--json")
    (plan,) = json.loads(out)["plans"]
    assert code == 1
    assert (plan["state"], plan["run"], plan["source"]) == ("stopped", done.run, "reconcile")
    assert {(one["kind"], one["cause"]) for one in plan["changes"]} == {("order", "absence"), ("customer", "absence")}
    orders = next(one for one in plan["changes"] if one["kind"] == "order")
    assert orders["records"] > 5
    assert orders["examples"]
    assert float(orders["net"]) > 0
    number = str(plan["id"])

    code, out, _ = run("plans", "confirm", number, "--dry-run")
    assert (code, "would be confirmed" in out) == (0, True)
    code, out, _ = run("plans", "confirm", number, "--by", "ada", "--json")
    assert (code, json.loads(out)["plan"]["decided_by"]) == (0, "ada")
    code, _, err = run("plans", "refuse", number)
    assert (code, "confirmed" in err) == (2, True)
    assert run("plans", "confirm", "999999")[0] == 2
    code, out, _ = run("plans", "list", "acme")
    assert (code, "No plan waits." in out) == (0, True)
    town.come_to_rest()

    code, out, _ = run("undo", str(done.run), "--dry-run", "--json")
    first = json.loads(out)
    assert (code, first["is_dry_run"], first["n_changed_since"], first["final"]) == (0, True, 0, {})
    code, out, _ = run("undo", str(done.run))
    assert code == 0
    assert f"{first['n_put_back']} put back" in out
    code, _, err = run("undo", "999999")
    assert (code, "there is no run" in err) == (2, True)


def test_undo_puts_back_what_the_platform_had_before_it_was_sent_again(town: Town) -> None:
    own = rows(town, "SELECT id FROM outbox WHERE kind = 'order' AND state = 'applied' ORDER BY id LIMIT 3")
    account = town.sims.ometria.account
    for row in own:
        there = account.orders.get(row["id"])
        assert there is not None
        there.record["status"] = "pending"
    before = truth(town)
    done = town.reconcile()
    town.come_to_rest()
    after = truth(town)
    assert n_unlike(before, after, "orders") == 3
    told = put_back(town, done.run)
    assert (told.n_put_back, told.n_changed_since) == (3, 0)
    town.come_to_rest()
    assert n_unequal(before["orders"], truth(town)["orders"]) == 0
    town.pass_time(600)
    town.reconcile()
    town.come_to_rest()
    assert n_unequal(before["orders"], truth(town)["orders"]) == 0


def n_unequal(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Records that say something else, however numbers and times are written."""
    return sum(
        bool(first_difference(before[own], after[own]) or first_difference(after[own], before[own])) for own in before
    )


def test_undo_withdraws_what_a_run_created_on_both_sides(database: Database) -> None:
    """The webhooks and polls of a new person and their order were lost; the run brought them in."""
    play = Play(database)
    play.come_to_rest()
    play.pass_time(600)
    before, own = truth(play), ours(play)
    sms = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", play.clock.now())
    who = play.person("new@example.com", "SUBSCRIBED", phone="+447911123456", sms_consent=sms, is_told=False)
    placed = play.orders(who, is_told=False)
    play.pass_time(600)
    done = play.reconcile()
    play.come_to_rest()
    after = truth(play)
    assert after["orders"].keys() - before["orders"].keys() == {f"uk:{placed.id}"}
    assert after["contacts"].keys() - before["contacts"].keys() == {f"uk:{who.id}"}
    assert after["orders"][f"uk:{placed.id}"]["is_valid"] is True

    told = put_back(play, done.run, is_dry_run=True)
    assert (told.n_withdrawn, told.n_changed_since, told.final) == (2, 0, {})
    mark = play.mark()
    told = put_back(play, done.run)
    # The stock of what was ordered is put back.
    assert (told.n_withdrawn, told.n_put_back, told.n_changed_since, told.final) == (2, 1, 0, {})
    play.come_to_rest()
    there = play.context.platform.order(f"uk:{placed.id}")
    assert there is not None
    assert (there["status"], there["is_valid"]) == ("cancelled", False)
    said = play.pushed("contact", since=mark)[-1]
    assert said["marketing_optin"] == "NOT_SPECIFIED", "they are still in the shop: nobody opted them out"
    assert said.get("channels") is None, "nor for text messages"
    assert play.mailable("new@example.com") == "NOT_SPECIFIED"
    now = ours(play)
    for key in (("order", "uk", str(placed.id)), ("customer", "uk", str(who.id))):
        assert now["record"][key][1] is not None, "here it is gone"
        assert now["record"].pop(key)
    assert now["record"] == own["record"]

    # The shop still has both, and no run brings them in again by itself.
    play.pass_time(600)
    mark = play.mark()
    play.reconcile()
    play.come_to_rest()
    assert play.pushed("order", since=mark) == []
    assert play.pushed("contact", since=mark) == []


def test_undo_withdraws_in_ometria_too_what_was_excluded_before_the_run(database: Database) -> None:
    """Orders of another writer's time, which a wrong rule let in."""
    town = Town(database, sizes=Sizes(customers=20, orders=30, products=4))
    obey(town, start_at=town.clock.now() - timedelta(days=20))
    town.load()
    town.come_to_rest()
    town.pass_time(600)
    before, own = truth(town), ours(town)
    obey(town, start_at=None)
    done = town.reconcile()
    confirm_all(town)
    town.come_to_rest()
    let_in = truth(town)["orders"].keys() - before["orders"].keys()
    assert len(let_in) > 5

    told = put_back(town, done.run)
    assert (told.n_put_back, told.n_changed_since, told.final) == (len(let_in), 0, {})
    town.come_to_rest()
    for name in sorted(let_in):
        there = town.context.platform.order(name)
        assert there is not None
        assert (there["status"], there["is_valid"]) == ("cancelled", False)
    after = truth(town)
    assert {name: one for name, one in after["orders"].items() if name not in let_in} == before["orders"]
    now = ours(town)
    assert now["record"] == own["record"]
    assert now["sale"] == own["sale"]

    town.pass_time(600)
    town.reconcile()
    town.come_to_rest()
    assert truth(town)["orders"] == after["orders"]


def test_undo_puts_back_more_resent_records_than_are_read_one_by_one(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_findings, "CANDIDATES_AT_ONCE", 3)
    account = town.sims.ometria.account
    own = rows(town, "SELECT id FROM outbox WHERE kind = 'order' AND state = 'applied' ORDER BY id LIMIT 60")
    for row in own:
        there = account.orders.get(row["id"])
        assert there is not None
        there.record["status"] = "pending"
    before = truth(town)
    done = town.reconcile()
    town.come_to_rest()
    n = n_unlike(before, truth(town), "orders")
    assert n > 50
    told = put_back(town, done.run)
    assert (told.n_put_back, told.n_changed_since) == (n, 0)
    town.come_to_rest()
    assert n_unequal(before["orders"], truth(town)["orders"]) == 0
