"""What a person is worth is said of all their contacts, behind everything urgent and never because of itself alone."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from isthmus.customer_metrics.sql import order_totals as sales
from isthmus.db.pool import Database
from isthmus.flows import refresh_metrics
from isthmus.flows.backfill.progress import Progress
from isthmus.model.lane import Lane
from plays import Play
from sims.shopify.deeds import people, refunding, sending
from sims.shopify.deeds.refunding import Giving
from sims.shopify.state import Customer


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def says(play: Play, who: Customer, namespace: str = "uk:") -> Mapping[str, Any]:
    found: Mapping[str, Any] = play.contact(who, namespace)["properties"]
    return found


def asked(play: Play) -> list[dict[str, Any]]:
    """Every remap that was asked for, in order."""
    return play.rows("SELECT lane, subject, state FROM event WHERE topic = 'isthmus/remap' ORDER BY id")


def test_every_change_of_money_is_said_of_the_person(play: Play) -> None:
    ada = play.person()
    first, second = play.orders(ada), play.orders(ada)
    play.come_to_rest()
    told = says(play, ada)
    gross = sum(Decimal(play.order(one)["grand_total"]) for one in (first, second))
    assert (told["n_orders"], told["gross_gbp"], told["net_gbp"]) == (2, gross, gross)
    assert told["average_order_gbp"] == gross / 2
    assert told["last_order_at"] > told["first_order_at"]

    line = first.lines[0]
    play.do(refunding.refund(play.world, play.uk, first, Giving({line.id: 1}), play.now))
    play.come_to_rest()
    told = says(play, ada)
    assert told["net_gbp"] == gross - told["refunded_gbp"] < told["gross_gbp"] == gross
    assert told["return_rate"] == (Decimal(1) / 6).quantize(Decimal("0.0001"))

    play.do(refunding.cancel(play.world, play.uk, second, "CUSTOMER", play.now))
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 1
    assert says(play, ada)["last_order_at"] == told["first_order_at"]


def test_an_order_as_a_guest_counts_for_who_has_the_address(play: Play) -> None:
    play.orders(None, email="Ada@example.com")
    play.come_to_rest()
    ada = play.person("ada@example.com")
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 1
    play.orders(None, email="ada@example.com")
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 2


def test_all_stores_count_and_each_currency_for_itself(play: Play) -> None:
    there = play.sims.store("int")
    here, abroad = play.person("ada@example.com"), play.person("ada@example.com", store=there)
    play.orders(here)
    play.orders(abroad, store=there)
    play.come_to_rest()
    for told in (says(play, here), says(play, abroad, "int:")):
        assert told["n_orders"] == 2
        assert told["net_gbp"] > 0
        assert told["net_eur"] > 0


def test_who_leaves_a_person_takes_their_orders_along(play: Play) -> None:
    """The survivor is the same before and after: only the company has changed."""
    there = play.sims.store("int")
    elder, younger = play.person("ada@example.com"), play.person("ada@example.com", store=there)
    play.orders(elder)
    play.orders(younger, store=there)
    play.come_to_rest()
    play.do(people.change_address(play.world, there, younger, "grace@example.com", None, play.now))
    play.come_to_rest()
    assert (says(play, elder)["n_orders"], says(play, elder)["net_gbp"] > 0) == (1, True)
    assert not says(play, elder).get("net_eur")
    assert says(play, younger, "int:")["n_orders"] == 1

    play.do(people.change_address(play.world, there, younger, "ada@example.com", None, play.now))
    play.come_to_rest()
    assert says(play, elder)["n_orders"] == says(play, younger, "int:")["n_orders"] == 2


def test_metrics_alone_are_never_urgent(play: Play) -> None:
    ada = play.person(state="SUBSCRIBED")
    play.come_to_rest()
    mark = play.mark()
    fired = len(play.sims.ometria.account.automations)
    for _ in range(3):
        play.orders(ada)
        play.hear()
    (told,) = play.rows("SELECT lane, state FROM outbox WHERE kind = 'contact' AND id = %s", f"uk:{ada.id}")
    assert (told["lane"], told["state"]) == (Lane.ENRICHMENT.rank, "due")
    assert {event["lane"] for event in asked(play)} <= {Lane.ENRICHMENT.rank}
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 3
    assert play.pushed("contact", since=mark)
    since = play.sims.ometria.account.automations[fired:]
    assert not [one for one in since if one["kind"] in ("subscribe", "custom_event")]


def test_what_changes_no_worth_asks_for_nothing(play: Play) -> None:
    ada = play.person()
    placed = play.orders(ada)
    play.come_to_rest()
    n = len(asked(play))
    play.do(sending.send(play.world, play.uk, placed, sending.everything(placed), play.now))
    play.come_to_rest()
    assert play.order(placed)["status"] == "complete"
    assert len(asked(play)) == n


def test_a_load_asks_for_each_person_once(play: Play) -> None:
    """The customers come first, without an order to their name; each is mapped again once all orders are in."""
    there = play.sims.store("int")
    ada, abroad = play.person(is_told=False), play.person(store=there, is_told=False)
    grace = play.person("grace@example.com", is_told=False)
    for _ in range(3):
        play.orders(ada, is_told=False)
        play.orders(abroad, store=there, is_told=False)
        play.orders(None, email="ada@example.com", is_told=False)
    play.load_history()
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == says(play, abroad, "int:")["n_orders"] == 9
    assert says(play, grace)["n_orders"] == 0
    assert {event["lane"] for event in asked(play)} == {Lane.BACKFILL.rank}
    remapped = sorted(event["subject"] for event in asked(play))
    assert remapped == sorted({f"customer:{one.id}" for one in (ada, abroad)})
    with play.db.transaction() as tx:
        assert not sales.is_remap_due(tx, "acme", play.now)
    assert refresh_metrics.remap_changed_metrics(play.db, play.context) == 0


def test_a_load_that_was_killed_and_never_taken_up_again_holds_nobody_back_for_long(play: Play) -> None:
    ada = play.person(is_told=False)
    for _ in range(3):
        play.orders(ada, is_told=False)

    def killed(step: Progress) -> None:
        if step.kind == "order" and step.n:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play.backfill(again=True, tell=killed)
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 0
    play.pass_time(3600)
    play.come_to_rest()
    assert says(play, ada)["n_orders"] == 3


def test_who_is_gone_is_worth_nothing_and_their_heir_everything(play: Play) -> None:
    lost, kept = play.person("ada@example.com"), play.person("countess@example.com")
    play.orders(lost)
    play.orders(kept)
    play.come_to_rest()
    winner, loser = people.winner(lost, kept)
    play.do(people.merge(play.world, play.uk, winner, loser, play.now))
    play.come_to_rest()
    assert says(play, winner)["n_orders"] == 2
    assert says(play, loser)["n_orders"] == 0


def test_a_sale_is_kept_as_its_order_is_sent(play: Play) -> None:
    placed = play.orders(play.person())
    play.do(refunding.refund(play.world, play.uk, placed, Giving({placed.lines[0].id: 1}), play.now))
    play.come_to_rest()
    (sale,) = play.rows("SELECT * FROM sale")
    sent = play.order(placed)
    back = sum(Decimal(line.get("refunded") or 0) for line in sent["lineitems"])
    assert sale["gross_mills"] == Decimal(sent["grand_total"]) * 1000
    assert sale["refunded_mills"] == back * 1000 > 0
    assert sale["net_mills"] == sale["gross_mills"] - sale["refunded_mills"]
    assert (sale["status"], sale["is_valid"]) == (sent["status"], sent["is_valid"])
    assert (sale["n_units"], sale["n_returned"], sale["name"]) == (3, 1, placed.name)


def test_a_test_order_is_no_sale(play: Play) -> None:
    ada = play.person()
    play.orders(ada, test=True)
    play.come_to_rest()
    assert play.rows("SELECT * FROM sale") == []
    assert says(play, ada)["n_orders"] == 0
