"""A body that names its record is read for it, whatever else it lacks; nothing of it is lost."""

from typing import Any

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.model.failure import RejectedError
from plays import Play
from sims.shopify import rest
from sims.shopify.deeds import refunding
from sims.shopify.events import Event
from sims.shopify.state import Order

CODE = "storefront.unreadable_body"


@pytest.fixture(scope="module")
def play(module_database: Database) -> Play:
    return Play(module_database)


def open_cases(play: Play) -> list[dict[str, Any]]:
    return play.rows("SELECT subject, detail, state, closed_by, note FROM cases WHERE code = %s ORDER BY id", CODE)


@pytest.mark.parametrize("kind", ["orders/create", "orders/updated"])
def test_a_body_of_an_id_alone_is_read_and_opens_nothing(play: Play, kind: str) -> None:
    placed = play.orders(play.person(f"{kind[7:]}@example.com"), is_told=False)
    play.tell(kind, {"id": placed.id}, webhook_id=f"bare-{placed.id}")
    play.come_to_rest()
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    assert [case for case in open_cases(play) if case["state"] == "open"] == []


def test_a_consent_body_of_an_id_alone_reads_the_customer(play: Play) -> None:
    who = play.person("consent@example.com", "SUBSCRIBED", is_told=False)
    play.tell("customers_email_marketing_consent/update", {"customer_id": who.id}, webhook_id="bare-consent")
    play.come_to_rest()
    assert play.mailable("consent@example.com")


def test_a_record_that_cannot_be_read_either_is_a_case_that_names_the_key_and_closes_by_itself(play: Play) -> None:
    gone = 4_111_222_333
    body = newer(play, play.orders(play.person("late@example.com"))) | {"id": gone}
    del body["total_outstanding"]
    broken = play.context.shops["uk"].reader.orders
    play.come_to_rest()

    def refuse(ids: Any) -> Any:
        raise RejectedError("storefront.query_refused", "as the test wants it")

    play.context.shops["uk"].reader.orders = refuse  # type: ignore[method-assign]
    play.tell("orders/create", body, webhook_id="late")
    play.hear()
    play.context.shops["uk"].reader.orders = broken  # type: ignore[method-assign]
    (case,) = open_cases(play)
    assert (case["subject"], case["detail"]) == (f"order:{gone}", "$.total_outstanding is missing")
    assert case["state"] == "open"
    play.pass_time(5)
    play.tell(
        "orders/updated", body | {"total_outstanding": "0.00", "updated_at": play.now.isoformat()}, webhook_id="whole"
    )
    play.come_to_rest()
    (case,) = open_cases(play)
    assert (case["state"], case["closed_by"]) == ("resolved", "recheck")
    assert case["note"].startswith("the record was taken in as of ")


def test_null_for_refunds_never_erases_those_that_are_known(play: Play) -> None:
    placed = play.orders(play.person("back@example.com"))
    play.come_to_rest()
    line = placed.lines[0]
    play.do(refunding.refund(play.world, play.uk, placed, refunding.Giving({line.id: 1}), play.now))
    play.come_to_rest()
    before = play.order(placed)
    (row,) = play.rows("SELECT body FROM record WHERE kind = 'order' AND id = %s", str(placed.id))
    known = msgspec.json.decode(play.context.packer.unpack(row["body"]))
    assert known["refunds"]
    play.tell("orders/updated", newer(play, placed) | {"refunds": None}, webhook_id=f"null-{placed.id}")
    play.come_to_rest()
    assert play.order(placed) == before


def newer(play: Play, placed: Order) -> dict[str, Any]:
    """The order's own body, newer than all that is known."""
    with play.world.lock:
        body = rest.body(play.world, play.uk, Event(play.uk.shop.domain, "orders/updated", placed.id))
    return body | {"updated_at": play.now.isoformat()}
