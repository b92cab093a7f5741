"""Work that goes back into the pipeline by a person's hand, and the rehearsal of it."""

from typing import Any

import msgspec
import pytest

from isthmus.cases.sql import cases
from isthmus.db.pool import Database
from isthmus.db.sql import increment
from isthmus.flows.replay import Selection, replay_case, replay_selection
from isthmus.flows.replay_dry_run import dry_run_replay
from isthmus.model.event import EventState
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind
from isthmus.ops import status as numbers
from isthmus.ops.trace import About, trace_history
from isthmus.outbox.sql import queue as outbox
from scenes import AT, HASH_KEY, Town


@pytest.fixture
def town(database: Database) -> Town:
    """Everything loaded and at rest."""
    town = Town(database)
    town.load()
    town.come_to_rest()
    return town


def rows(town: Town, query: str, *params: object) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all(query, params)


def an_order(town: Town) -> dict[str, Any]:
    return rows(town, "SELECT * FROM outbox WHERE kind = 'order' AND state = 'applied' ORDER BY id LIMIT 1")[0]


def books(town: Town) -> list[dict[str, Any]]:
    """Everything that a rehearsal must leave as it was."""
    return [
        *rows(town, "SELECT * FROM outbox ORDER BY kind, id"),
        *rows(town, "SELECT * FROM event ORDER BY id"),
        *rows(town, "SELECT * FROM record ORDER BY kind, store, id"),
        *rows(town, "SELECT * FROM consent_claim ORDER BY id"),
        *rows(town, "SELECT * FROM cases ORDER BY id"),
        *rows(town, "SELECT name, sum(n) AS n FROM tally GROUP BY name ORDER BY name"),
    ]


def bury(town: Town, order: dict[str, Any]) -> int:
    """Let Ometria have refused an order; the number of its case."""
    now = town.clock.now()
    with town.db.transaction() as tx:
        outbox.dead_letter(tx, "acme", [(RecordKind.ORDER, order["id"], None)], "platform.refused", now)
        (case,) = cases.open_or_count(tx, "acme", [cases.Touch("platform.refused", f"order:{order['id']}")], now)
    return case


def rename(town: Town, status: str) -> None:
    """Change a rule of the mapping in every store."""
    for name, shop in list(town.context.shops.items()):
        rules = msgspec.structs.replace(
            shop.rules, statuses=dict.fromkeys(shop.rules.statuses, status), order_properties=()
        )
        town.context.shops[name] = msgspec.structs.replace(shop, rules=rules)  # type: ignore[index]


def test_a_rehearsal_changes_nothing(town: Town) -> None:
    order = an_order(town)
    rename(town, "shown")
    before = books(town)
    dry_run_replay(town.db, town.context, Selection(subjects=(order["subject"],), store=order["store"], is_read=True))
    assert books(town) == before


def test_a_rehearsal_shows_which_writes_would_differ_and_where(town: Town) -> None:
    order = an_order(town)
    rename(town, "shown")
    found = dry_run_replay(town.db, town.context, Selection(subjects=(order["subject"],), store=order["store"]))
    (write,) = found.writes
    assert (write.id, write.before, write.after) == (order["id"], "applied", "due")
    assert "status" in write.fields
    assert write.is_sent
    assert found.triggers == ()


def test_replaying_a_record_maps_it_by_todays_rules(town: Town) -> None:
    order = an_order(town)
    rename(town, "shown")
    back = replay_selection(town.db, town.context, Selection(subjects=(order["subject"],), store=order["store"]))
    assert back.n_records == 1
    town.come_to_rest()
    found = town.context.platform.order(order["id"])
    assert found is not None
    assert found["status"] == "shown"


def test_an_unchanged_record_would_send_nothing(town: Town) -> None:
    order = an_order(town)
    found = dry_run_replay(town.db, town.context, Selection(subjects=(order["subject"],), store=order["store"]))
    assert found.writes == ()


def events_of(town: Town, topic: str) -> list[dict[str, Any]]:
    return rows(town, "SELECT * FROM event WHERE topic = %s AND state = 'applied' ORDER BY id", topic)


def lived(town: Town) -> None:
    for _ in range(12):
        town.sims.live(5)
        town.pass_time(3)
        town.work()
    town.come_to_rest()


def forget_writes(town: Town) -> None:
    """As if the deliveries had never been understood: their records and writes are gone, their moments too."""
    with town.db.transaction() as tx:
        tx.execute("DELETE FROM record WHERE kind = 'order'")
        tx.execute("DELETE FROM outbox WHERE kind IN ('order', 'moment')")


def test_state_mode_fires_no_moment_and_moment_mode_names_what_it_would_fire(town: Town) -> None:
    lived(town)
    told = events_of(town, "orders/cancelled") + events_of(town, "orders/updated")
    ids = tuple(event["id"] for event in told)
    assert ids
    forget_writes(town)
    quiet = dry_run_replay(town.db, town.context, Selection(events=ids, states=(EventState.APPLIED,)))
    assert quiet.n_events == len(ids)
    assert {write.kind for write in quiet.writes} == {"order"}
    assert quiet.triggers == ()
    loud = dry_run_replay(town.db, town.context, Selection(events=ids, states=(EventState.APPLIED,), with_moments=True))
    fired = {trigger.id for trigger in loud.triggers if trigger.kind == "moment"}
    assert fired
    assert fired == {write.id for write in loud.writes if write.kind == "moment" and write.is_sent}

    replay_selection(town.db, town.context, Selection(events=ids, states=(EventState.APPLIED,)))
    lanes = {row["lane"] for row in rows(town, "SELECT lane FROM event WHERE replay_of = ANY(%s)", list(ids))}
    assert lanes == {Lane.REPAIR.rank}
    town.come_to_rest()
    assert rows(town, "SELECT id FROM outbox WHERE kind = 'moment'") == []


def test_the_books_add_up_after_a_replay(town: Town) -> None:
    lived(town)
    ids = tuple(event["id"] for event in events_of(town, "orders/updated"))
    replay_selection(town.db, town.context, Selection(events=ids, states=(EventState.APPLIED,)))
    town.come_to_rest()
    (told,) = numbers.read_status(town.db, town.clock.now()).connections
    e = told.events
    assert e.received == e.duplicate + e.stale + e.processed + e.skipped + e.quarantined + e.failed
    assert town.compare().differences == ()


def test_a_replay_is_a_line_of_its_own_and_the_first_outcome_stays(town: Town) -> None:
    lived(town)
    ids = [event["id"] for event in events_of(town, "orders/updated")]
    (before,) = numbers.read_status(town.db, town.clock.now()).connections
    history = rows(town, "SELECT * FROM event WHERE id = ANY(%s) ORDER BY id", ids)
    for _ in range(2):
        chosen = Selection(subjects=tuple({event["subject"] for event in history}), states=(EventState.APPLIED,))
        replay_selection(town.db, town.context, chosen)
        town.come_to_rest()
    assert rows(town, "SELECT * FROM event WHERE id = ANY(%s) ORDER BY id", ids) == history
    again = rows(town, "SELECT replay_of, state FROM event WHERE replay_of = ANY(%s)", ids)
    assert sorted(row["replay_of"] for row in again) == sorted(2 * ids)
    (after,) = numbers.read_status(town.db, town.clock.now()).connections
    assert after.events.processed >= before.events.processed
    about = About(order=int(history[0]["subject"].partition(":")[2]))
    told = trace_history(town.db, "acme", about, HASH_KEY).entries
    lines = [entry.said for entry in told if entry.what == "event"]
    assert [line for line in lines if line.startswith("orders/updated: applied")]
    assert len([line for line in lines if line.startswith(f"replay of event {ids[0]}, orders/updated: ")]) == 2


def test_replaying_a_case_sends_its_dead_letter_again_and_settlement_closes_it(town: Town) -> None:
    order = an_order(town)
    number = bury(town, order)
    case, back = replay_case(town.db, number, town.clock.now(), by="ada")
    assert case is not None
    assert back.n_writes == 1
    with town.db.transaction() as tx:
        replayed = cases.get_case(tx, number)
    assert replayed is not None
    assert (replayed.state, replayed.replayed_by) == ("open", "ada")
    (row,) = rows(town, "SELECT state, lane FROM outbox WHERE kind = 'order' AND id = %s", order["id"])
    assert row == {"state": "due", "lane": Lane.REPAIR.rank}
    town.come_to_rest()
    (row,) = rows(town, "SELECT state FROM outbox WHERE kind = 'order' AND id = %s", order["id"])
    assert row["state"] == "applied"
    with town.db.transaction() as tx:
        closed = cases.get_case(tx, number)
    assert closed is not None
    assert (closed.state, closed.closed_by) == ("resolved", "settle")


def test_replaying_a_parked_topic_hears_its_events_again(town: Town) -> None:
    now = town.clock.now()
    with town.db.transaction() as tx:
        tx.execute(
            """INSERT INTO event (connection, id, store, topic, lane, state, due_at, received_at, reason)
               VALUES ('acme', 1, 'uk', 'planets/align', 0, 'parked', %(now)s, %(now)s, 'integration.unknown_topic')""",
            {"now": now},
        )
        tx.execute("INSERT INTO event_body VALUES ('acme', %s, 1, %s)", (now.date(), town.context.packer.pack(b"{}")))
        increment(tx, "acme", {"event.received": 1, "event.parked": 1})
        (number,) = cases.open_or_count(
            tx, "acme", [cases.Touch("integration.unknown_topic", "planets/align", "uk")], now
        )
    _, back = replay_case(town.db, number, now, by="ada")
    assert back.n_events == 1
    town.come_to_rest()
    assert [row["state"] for row in rows(town, "SELECT state FROM event WHERE id = 1")] == ["parked"]
    # It failed again, so the case is still open and counts it.
    opened = rows(town, "SELECT id, n FROM cases WHERE state = 'open' AND code = 'integration.unknown_topic'")
    assert opened == [{"id": number, "n": 2}]


def test_a_duty_is_not_done_by_a_replay(town: Town) -> None:
    with town.db.transaction() as tx:
        (number,) = cases.open_or_count(tx, "acme", [cases.Touch("privacy.data_request", "customer:5", "uk")], AT)
    case, back = replay_case(town.db, number, AT, by="ada")
    assert case is not None
    assert back.is_nothing
    assert [row["state"] for row in rows(town, "SELECT state FROM cases WHERE id = %s", number)] == ["open"]


def test_an_event_without_its_body_is_replaced_by_a_reading(town: Town) -> None:
    lived(town)
    event = next(e for e in events_of(town, "orders/updated") if e["subject"])
    with town.db.transaction() as tx:
        tx.execute("DELETE FROM event_body WHERE event_id = %s", (event["id"],))
        tx.execute("UPDATE event SET state = 'buried' WHERE id = %s", (event["id"],))
    back = replay_selection(town.db, town.context, Selection(events=(event["id"],)))
    assert (back.n_events, back.n_records, back.n_lost) == (0, 1, 0)


def test_there_is_no_case_of_a_number_that_nobody_gave(town: Town) -> None:
    case, back = replay_case(town.db, 999, AT, by="ada")
    assert case is None
    assert back.is_nothing


def test_an_order_that_a_comparison_found_missing_or_different_is_planned_and_sent_again(town: Town) -> None:
    gone, odd, right = rows(
        town, "SELECT * FROM outbox WHERE kind = 'order' AND state = 'applied' AND store = 'uk' ORDER BY id LIMIT 3"
    )
    orders = town.sims.ometria.account.orders
    was = orders.get(odd["id"]).record["grand_total"]  # type: ignore[union-attr]
    orders.drop(gone["id"])
    orders.get(odd["id"]).record["grand_total"] = 1.25  # type: ignore[union-attr]
    town.pass_time(600)
    chosen = Selection(subjects=tuple(one["subject"] for one in (gone, odd, right)), store="uk")
    assert dry_run_replay(town.db, town.context, chosen).writes == ()  # nobody has compared yet
    town.reconcile(repair=False)

    # The cases say where, both values, the store, what people call the order, and the push that sent it.
    told = {row["subject"]: row for row in rows(town, "SELECT * FROM cases WHERE code LIKE 'platform.%%'")}
    names = {own: town.sims.store("uk").orders[int(own.removeprefix("uk:"))].name for own in (gone["id"], odd["id"])}
    push = str(gone["request_id"])
    missing, differs = told[f"order:{gone['id']}"], told[f"order:{odd['id']}"]
    assert missing["detail"] == f"Ometria has no such record; order {names[gone['id']]}; store uk; request {push}"
    assert differs["detail"] == (
        f"at grand_total: sent {was}, Ometria has 1.25; order {names[odd['id']]}; store uk; request {odd['request_id']}"
    )

    # A later comparison of everything that could not judge one of them is no proof that it agrees.
    with town.db.transaction() as tx:
        tx.execute(
            """INSERT INTO run (connection, what, asked, state, started_at, moved_at, ended_at)
               SELECT connection, what, asked, state, started_at, moved_at, ended_at FROM run
               WHERE what = 'reconcile' ORDER BY id DESC LIMIT 1"""
        )

    before = books(town)
    found = dry_run_replay(town.db, town.context, chosen)
    assert {(one.id, one.before, one.after, one.fields, one.is_lacking) for one in found.writes} == {
        (gone["id"], "applied", "due", (), True),
        (odd["id"], "applied", "due", (), True),
    }
    assert found.triggers == ()
    assert books(town) == before
    back = replay_selection(town.db, town.context, chosen)
    assert (back.n_again, back.n_withheld) == (2, 0)
    town.come_to_rest()
    assert town.context.platform.order(gone["id"]) is not None
    assert float(town.context.platform.order(odd["id"])["grand_total"]) == was  # type: ignore[index]
    assert dry_run_replay(town.db, town.context, chosen).writes == ()  # sent since the comparison


def test_a_contact_that_is_gone_at_the_platform_is_not_sent_again_as_opted_in(town: Town) -> None:
    (who,) = rows(town, "SELECT * FROM outbox WHERE kind = 'contact' AND opts_in AND state = 'applied' LIMIT 1")
    town.sims.ometria.account.collections["shopify"].drop(who["id"])
    town.pass_time(600)
    town.reconcile(repair=False)
    chosen = Selection(subjects=(who["subject"],), store=who["store"])
    assert dry_run_replay(town.db, town.context, chosen).writes == ()
    back = replay_selection(town.db, town.context, chosen)
    assert (back.n_again, back.n_withheld) == (0, 1)
