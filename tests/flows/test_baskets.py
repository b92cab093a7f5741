"""One basket, however many bodies tell of it, is one event, and only for somebody who left it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from isthmus.db.pool import Database
from isthmus.flows.abandoned_checkouts import send_abandoned_checkouts
from isthmus.flows.poll import poll_checkouts
from plays import Play
from sims.shopify import chance
from sims.shopify.baskets import Checkout, CheckoutLine
from sims.shopify.deeds import browsing, paying, placing
from sims.shopify.deeds.placing import Basket
from sims.shopify.state import Customer, MoneyBag

QUIET = 31 * 60
NOWHERE = {"shipping_address": None, "billing_address": None}


class Left(Play):
    """A town in which people leave baskets behind."""

    case = since = 0

    def one(self, name: str = "ada") -> str:
        return f"{name}.{self.case}@example.com"

    def basket(self, who: Customer | None, *, cart: str = "c1-830e", email: str | None = None) -> Basket:
        made = chance.basket(self.uk, self.dice, self.now, who, self.shelf())
        made.source_name, made.test = "web", False
        made.checkout_token, made.cart_token = chance.token(self.dice), f"{cart}-{self.case}"
        made.email = email or (who.email if who else None)
        return made

    def leave(self, basket: Basket, *, is_told: bool = True, **changed: Any) -> Checkout:
        left = chance.checkout(self.world, self.uk, self.dice, basket)
        key = chance.token(self.dice)
        left.abandoned_checkout_url = (
            f"https://acme-uk.myshopify.com/1/checkouts/ac/{basket.cart_token}/recover?key={key}"
        )
        chance.identify(left, basket)
        for name, value in changed.items():
            setattr(left, name, value)
        self.do(browsing.start(self.uk, left), is_told=is_told)
        self.hear()
        return left

    def poll(self) -> None:
        poll_checkouts(self.db, self.context, "uk")

    def fire(self) -> int:
        self.hear()
        send_abandoned_checkouts(self.db, self.context)
        self.come_to_rest()
        return len(self.fired)

    @property
    def fired(self) -> list[Any]:
        sent = self.pushed("custom_event", self.since)
        mine = [one for one in sent if one["identity_email"].endswith(f".{self.case}@example.com")]
        return [one for one in mine if one["event_type"] == "checkout_abandoned"]


@pytest.fixture(scope="module")
def town(module_database: Database) -> Left:
    return Left(module_database)


@pytest.fixture
def play(town: Left) -> Left:
    """The one town of these tests, with other people and carts for each."""
    town.case += 1
    town.since = town.mark()
    town.poll()
    return town


def test_a_checkout_that_a_webhook_and_the_poll_tell_of_is_one_event(play: Left) -> None:
    left = play.leave(play.basket(play.person(play.one())))
    play.pass_time(60)
    play.poll()
    play.hear()
    play.pass_time(QUIET)
    play.poll()
    assert play.fire() == 1
    assert left.token != left.cart_token
    play.pass_time(60)
    assert play.fire() == 1


def test_a_poll_that_comes_before_the_webhook_is_the_same_basket(play: Left) -> None:
    left = play.leave(play.basket(play.person(play.one())), is_told=False)
    play.poll()
    play.hear()
    play.pass_time(60)
    play.do(browsing.update(play.world, play.uk, left, play.now))
    play.hear()
    play.poll()
    play.pass_time(QUIET)
    assert play.fire() == 1


def test_two_checkouts_of_one_cart_are_one_event(play: Left) -> None:
    who = play.person(play.one())
    first, second = play.leave(play.basket(who)), play.leave(play.basket(who))
    assert (first.cart_token, first.token) != (second.cart_token, second.token)
    play.pass_time(QUIET)
    assert play.fire() == 1


def test_a_cart_that_is_gone_on_with_is_not_left(play: Left) -> None:
    who = play.person(play.one())
    play.leave(play.basket(who))
    play.pass_time(QUIET)
    play.leave(play.basket(who))
    assert play.fire() == 0


def test_an_address_that_hides_the_cart_is_matched_by_customer_and_minute(play: Left) -> None:
    left = play.leave(play.basket(play.person(play.one())))
    left.abandoned_checkout_url = f"https://acme-uk.myshopify.com/1/checkouts/{left.token}/recover?key=1"
    play.pass_time(QUIET)
    play.world.touch(play.uk, left, play.now - timedelta(seconds=QUIET - 5))
    play.poll()
    assert play.fire() == 1


def test_a_basket_that_only_the_poll_knows_waits_until_webhooks_of_checkouts_are_silent(play: Left) -> None:
    play.leave(play.basket(play.person(play.one("other")), cart="c1-other"))
    play.pass_time(QUIET)
    assert play.fire() == 1
    missed = play.leave(play.basket(play.person(play.one())), is_told=False)
    play.poll()
    play.pass_time(QUIET)
    assert play.fire() == 1
    play.pass_time(timedelta(hours=24).total_seconds() - QUIET)
    play.world.touch(play.uk, missed, play.now)
    play.poll()
    play.hear()
    play.pass_time(QUIET)
    assert play.fire() == 2


def test_an_order_of_the_cart_ends_the_basket_whoever_placed_it(play: Left) -> None:
    play.leave(play.basket(play.person(play.one())))
    other = play.basket(None, email=play.one("another"))
    other.checkout_token = chance.token(play.dice)
    play.do(placing.place(play.world, play.uk, other)[1])
    play.hear()
    play.pass_time(QUIET)
    assert play.fire() == 0


def test_an_order_of_the_cart_calls_back_the_event_that_waits(play: Left) -> None:
    play.leave(play.basket(play.person(play.one())))
    play.pass_time(QUIET)
    send_abandoned_checkouts(play.db, play.context)
    other = play.basket(None, email=play.one("another"))
    play.do(placing.place(play.world, play.uk, other)[1])
    play.come_to_rest()
    assert play.fired == []


def test_an_older_order_of_the_person_that_changes_calls_nothing_back(play: Left) -> None:
    who = play.person(play.one())
    placed = play.orders(who, is_paid=False)
    play.hear()
    play.pass_time(600)
    play.leave(play.basket(who))
    play.pass_time(QUIET)
    send_abandoned_checkouts(play.db, play.context)
    play.do(paying.pay(play.world, play.uk, placed, play.now))
    play.come_to_rest()
    assert len(play.fired) == 1


@pytest.mark.parametrize("shape", ["list", "object", "nulls", "null", "absent"])
def test_a_basket_left_before_an_address_was_typed_is_known_and_fires(play: Left, shape: str) -> None:
    play.leave(play.basket(None, email=play.one("guest")), **NOWHERE, no_address=shape)
    play.pass_time(QUIET)
    assert play.fire() == 1
    assert [one["identity_email"] for one in play.fired] == [play.one("guest")]
    assert play.rows("SELECT code FROM cases") == []


def test_a_basket_without_lines_fires_nothing(play: Left) -> None:
    play.leave(play.basket(play.person(play.one())), lines=[])
    play.pass_time(QUIET)
    assert play.fire() == 0


def test_lines_of_quantity_zero_are_nothing_in_a_basket(play: Left) -> None:
    line = CheckoutLine(1, 2, 3, "Tea", None, None, "Acme", 0, MoneyBag(Decimal(4), Decimal(4)))
    play.leave(play.basket(play.person(play.one())), lines=[line])
    play.pass_time(QUIET)
    assert play.fire() == 0


def test_a_line_without_a_title_is_a_line(play: Left) -> None:
    line = CheckoutLine(1, 2, 3, None, None, None, "Acme", 2, MoneyBag(Decimal(4), Decimal(4)))  # type: ignore[arg-type]
    play.leave(play.basket(play.person(play.one())), lines=[line])
    play.pass_time(QUIET)
    assert play.fire() == 1
    assert play.fired[0]["properties"]["items"][0]["quantity"] == 2


def test_as_many_completed_checkouts_as_there_may_be_hide_none_that_was_left(play: Left) -> None:
    done = {"completed_at": play.now.isoformat(), "created_at": play.now.isoformat(), "total_price": "0.00"}
    for n in range(250):
        body = {"token": f"done{n}", "updated_at": play.now.isoformat(), "currency": "GBP", "email": "a@b.c", **done}
        play.tell("checkouts/update", body, webhook_id=f"w{n}")
    play.pass_time(5)
    play.leave(play.basket(play.person(play.one())))
    play.pass_time(QUIET)
    assert play.fire() == 1
