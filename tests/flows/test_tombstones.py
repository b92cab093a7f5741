"""What is known to be gone: it comes back by a reading that finds it, and by nothing else."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows.process import process_batch
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.replay import replay_case
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Gone, RecordUpsert
from plays import Play
from sims.shopify.deeds import placing
from sims.shopify.rest import order as rest_order
from sims.shopify.state import Order


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def body(play: Play, placed: Order, at: datetime) -> dict[str, Any]:
    """The order's own body, as of then."""
    with play.world.lock:
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(rest_order.order(play.world, play.uk, placed)))
    return told | {"updated_at": at.isoformat()}


def deliver(play: Play, topic: str, told: Any) -> None:
    play.tell(topic, told, webhook_id=f"{topic} {play.now}")
    play.pass_time(2)
    while process_batch(play.db, play.context).n_claimed:
        pass


def deleted(play: Play) -> Order:
    """An order that was known, and that a reading found absent."""
    placed = play.orders(play.person())
    play.come_to_rest()
    play.do(placing.erase(play.uk, placed))
    play.come_to_rest()
    assert tombstone(play, placed) is not None
    return placed


def tombstone(play: Play, placed: Order) -> datetime | None:
    """The version of an order's tombstone; None where it lives."""
    (row,) = play.rows("SELECT body, updated_at FROM record WHERE kind = 'order' AND id = %s", str(placed.id))
    version: datetime = row["updated_at"]
    return version if row["body"] is None else None


def readings(play: Play, since: int) -> int:
    return sum(
        "operationName" in str(entry["body"]) and '"Orders"' in msgspec.json.encode(entry["body"]).decode()
        for entry in play.sims.tape.read(limit=200_000)
        if entry["n"] > since and entry["path"].endswith("/graphql.json")
    )


def come_back(play: Play, placed: Order) -> None:
    with play.world.lock:
        play.uk.orders[placed.id] = play.uk.gone_orders.pop(placed.id)
        play.uk.version += 1


def test_the_version_of_a_tombstone_is_the_newest_that_was_heard(play: Play) -> None:
    placed = deleted(play)
    assert tombstone(play, placed) == placed.updated_at.replace(microsecond=0)


def test_an_older_or_repeated_body_is_not_even_read(play: Play) -> None:
    placed = deleted(play)
    version, mark = tombstone(play, placed), play.mark()
    assert version is not None
    for at in (version, version - timedelta(hours=1)):
        deliver(play, "orders/updated", body(play, placed, at))
    play.come_to_rest()
    assert tombstone(play, placed) == version
    assert readings(play, mark) == 0


def test_a_newer_body_asks_one_reading_and_absent_stays_absent(play: Play) -> None:
    placed = deleted(play)
    mark, at = play.mark(), play.now.replace(microsecond=0)
    for _ in range(3):  # delivered again and again: asked once
        deliver(play, "orders/updated", body(play, placed, at))
    play.come_to_rest()
    assert tombstone(play, placed) == at
    assert readings(play, mark) == 1
    assert play.order(placed)["status"] == "cancelled"


def test_a_newer_body_revives_what_a_reading_finds(play: Play) -> None:
    placed = deleted(play)
    come_back(play, placed)
    deliver(play, "orders/updated", body(play, placed, play.now))
    play.come_to_rest()
    assert tombstone(play, placed) is None
    assert play.order(placed)["is_valid"] is True


def test_a_load_and_a_replay_bring_nobody_back(play: Play) -> None:
    placed = deleted(play)
    with play.db.transaction() as tx:
        tx.execute("UPDATE event SET state = 'waiting', due_at = %s WHERE state <> 'waiting'", (play.now,))
    while process_batch(play.db, play.context).n_claimed:
        pass
    play.load_history()
    play.come_to_rest()
    assert tombstone(play, placed) is not None
    assert play.order(placed)["status"] == "cancelled"


@pytest.mark.parametrize(("seconds", "is_back"), [(301, True), (299, False)])
def test_out_of_sight_only_news_of_five_minutes_later_revives(play: Play, seconds: int, *, is_back: bool) -> None:
    placed = deleted(play)
    (row,) = play.rows("SELECT said_at FROM record WHERE kind = 'order' AND id = %s", str(placed.id))
    with play.world.lock:
        placed.created_at = placed.processed_at = play.now - timedelta(days=70)
    play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    play.pass_time(600)
    read_at: datetime = row["said_at"]
    at = (read_at + timedelta(seconds=seconds)).replace(microsecond=0)
    deliver(play, "orders/updated", body(play, placed, at))
    play.come_to_rest()
    assert (tombstone(play, placed) is None) is is_back
    assert bool(play.cases("storefront.revival_unconfirmed")) is not is_back


def test_news_that_nobody_can_judge_is_taken_when_a_person_says_so(play: Play) -> None:
    placed = deleted(play)
    with play.world.lock:
        placed.created_at = placed.processed_at = play.now - timedelta(days=70)
    play.sims.faults.set({"shopify.dropped_scopes": "read_all_orders"})
    deliver(play, "orders/updated", body(play, placed, play.now))
    play.come_to_rest()
    (case,) = play.cases("storefront.revival_unconfirmed")
    assert tombstone(play, placed) is not None
    replay_case(play.db, case["id"], play.now, "ada")
    play.come_to_rest()
    assert tombstone(play, placed) is None
    assert play.order(placed)["is_valid"] is True
    close_finished_cases(play.db, play.context)
    assert not play.cases("storefront.revival_unconfirmed")


def test_a_tombstone_of_an_erasure_never_comes_back(play: Play) -> None:
    placed = deleted(play)
    key = ("order", "uk", str(placed.id))
    with play.db.transaction() as tx:
        records.tombstone(tx, "acme", [Gone(key, None, play.now, is_erased=True)], play.now)
    come_back(play, placed)
    play.pass_time(600)
    deliver(play, "orders/updated", body(play, placed, play.now))
    play.load_history()
    play.poll()
    play.come_to_rest()
    assert tombstone(play, placed) is not None
    with play.db.transaction() as tx:  # nor by a bug above
        kept = records.load_records(tx, "acme", [("customer", "uk", str(placed.customer_id))], play.context.packer)
        (person,) = kept.values()
        assert person.record is not None
        own = ("customer", "uk", str(placed.customer_id))
        records.tombstone(tx, "acme", [Gone(own, None, play.now, is_erased=True)], play.now)
        records.save_records(tx, "acme", [RecordUpsert("uk", person.record, play.now)], play.now, play.context.packer)
        assert records.load_records(tx, "acme", [own], play.context.packer)[own].record is None


# Equal versions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_first_true", [True, False])
def test_of_two_bodies_of_one_version_neither_wins_and_the_record_is_read(play: Play, *, is_first_true: bool) -> None:
    """Nobody knows which of them is later: only the reading can tell, whichever came first."""
    placed = play.orders(play.person())
    play.come_to_rest()
    play.pass_time(600)
    at, mark = play.now.replace(microsecond=0), play.mark()
    with play.world.lock:
        placed.updated_at, placed.note = at, "as it is"
        play.uk.touched.append(placed)
        play.uk.version += 1
    true = body(play, placed, at)
    other = true | {"tags": "of a copy that was overtaken"}
    for told in (true, other) if is_first_true else (other, true):
        deliver(play, "orders/updated", told)
    play.come_to_rest()
    assert readings(play, mark) == 1
    kept = known(play, placed)
    assert "of a copy that was overtaken" not in kept.tags
    assert list(kept.tags) == list(placed.tags)


def known(play: Play, placed: Order) -> Any:
    key = ("order", "uk", str(placed.id))
    with play.db.transaction() as tx:
        return records.load_records(tx, "acme", [key], play.context.packer)[key].record
