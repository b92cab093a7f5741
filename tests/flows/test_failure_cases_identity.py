"""Failures that others had with who is who, by their numbers in docs/reference/failure-cases.md."""

import msgspec
import pytest

from isthmus.db.pool import Database
from plays import Play
from sims.shopify.deeds import people


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def test_f62_guests_with_one_address_are_one_person_with_all_their_orders(play: Play) -> None:
    """F62: three ids at the shop, one profile, three orders."""
    placed = []
    for n in range(3):
        who = play.person(f"first{n}@example.com")
        play.uk.unindex_customer(who)
        who.email = "ada@example.com"
        play.world.touch(play.uk, who, play.now)
        play.do(people.update(play.world, play.uk, who, play.now))
        placed.append(play.orders(who, email="ada@example.com"))
    placed.append(play.orders(email="ada@example.com"))
    play.come_to_rest()
    profiles = play.context.platform.profiles(email="ada@example.com")
    assert len(profiles) == 1
    assert {play.order(one)["customer"]["email"] for one in placed} == {"ada@example.com"}
    people_ = {play.desired("order", f"uk:{one.id}")["customer"].get("id") for one in placed}
    assert len(people_) == 1


def test_f64_nobody_without_an_address_is_merged_with_another(play: Play) -> None:
    """F64: by their own phone, or counted as excluded; nobody is merged by an empty email."""
    first = play.person(None, phone="+447911123456")
    second = play.person(None, phone="+447911123457")
    orders = [play.orders(first, email=None), play.orders(second, email=None)]
    play.come_to_rest()
    assert [play.contact(one)["phone_number"] for one in (first, second)] == [first.phone, second.phone]
    neither = play.person(None)
    shop = play.context.shops["uk"]
    play.context.shops["uk"] = msgspec.structs.replace(  # type: ignore[index]
        shop, rules=msgspec.structs.replace(shop.rules, phone_only=False)
    )
    by_phone = play.person(None, phone="+447911123458")
    play.come_to_rest()
    rows = play.rows("SELECT id, state, excluded FROM outbox WHERE kind = 'contact' AND state <> 'applied'")
    assert {(row["id"], row["excluded"]) for row in rows} == {
        (f"uk:{neither.id}", "neither email nor phone"),
        (f"uk:{by_phone.id}", "phone only"),
    }
    owners = {play.desired("order", f"uk:{one.id}")["customer"]["id"] for one in orders}
    assert len(owners) == 2


@pytest.mark.parametrize("written", ["Ada.King@Example.com", " ada.king@example.com", "ADA.KING@EXAMPLE.COM"])
def test_f65_one_address_however_it_is_written_is_one_person(play: Play, written: str) -> None:
    """F65: by case and space, not by what stands before a plus."""
    who = play.person("ada.king@example.com")
    guest = play.orders(email=written)
    other = play.orders(email="ada.king+shoes@example.com")
    play.come_to_rest()
    assert play.desired("order", f"uk:{guest.id}")["customer"]["id"] == f"uk:{who.id}"
    assert play.desired("order", f"uk:{other.id}")["customer"].get("id") != f"uk:{who.id}"


def test_f67_after_a_merge_the_orders_follow_and_the_loser_is_silent(play: Play) -> None:
    """F67: what can converge without Ometria's own merge: ids, orders, consent."""
    kept = play.person("kept@example.com", "UNSUBSCRIBED")
    lost = play.person("lost@example.com", "SUBSCRIBED")
    placed = play.orders(lost)
    play.come_to_rest()
    play.do(people.merge(play.world, play.uk, kept, lost, play.now))
    play.come_to_rest()
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{kept.id}"
    assert play.contact(lost)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.contact(kept)["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.compare().differences == ()


def test_one_person_in_two_stores_has_the_oldest_id(play: Play) -> None:
    """SEMANTICS 4: the surviving id is the same on all contacts and orders over all stores."""
    abroad = play.sims.store("int")
    first = play.person("ada@example.com")
    second = play.person("ada@example.com", store=abroad)
    placed = play.orders(second, store=abroad)
    play.come_to_rest()
    assert play.desired("contact", f"int:{second.id}")["customer_id"] == f"uk:{first.id}"
    assert play.desired("order", f"int:{placed.id}")["customer"]["id"] == f"uk:{first.id}"
