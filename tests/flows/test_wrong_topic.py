"""A signed body that is sent again under another topic asks nobody to do anything."""

import pytest

from isthmus.db.pool import Database
from isthmus.db.sql import tallies
from isthmus.model.failure import BlockedError, TransientError
from plays import Play


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def test_captured_bodies_under_topics_that_ask_for_action_are_quarantined(play: Play) -> None:
    play.sims.faults.set({"shopify.p_wrong_topic": 1.0})
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.orders(who)
    play.sims.faults.set({"shopify.p_wrong_topic": 0.0})
    play.come_to_rest()
    asked = ["app/uninstalled", "customers/redact", "customers/data_request", "shop/redact"]
    (told,) = play.rows(
        "SELECT count(*) AS n, array_agg(DISTINCT state) AS states FROM event WHERE topic = ANY(%s)", asked
    )
    assert told["n"] > 3
    assert told["states"] == ["parked"]
    opened = play.rows("SELECT DISTINCT code, severity FROM cases WHERE state = 'open'")
    assert opened == [{"code": "storefront.body_of_another_topic", "severity": "normal"}]
    assert play.mailable("ada@example.com") is not None
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    # The real ones are duties all the same.
    play.sims.happen("uk", {"deed": "uninstall"})
    play.tell("shop/redact", {"shop_id": 1, "shop_domain": "acme-uk.myshopify.com"}, webhook_id="redact")
    play.come_to_rest()
    opened = {row["code"] for row in play.rows("SELECT code FROM cases WHERE state = 'open'")}
    assert {"storefront.app_uninstalled", "privacy.redact_shop"} <= opened


SHOP = {
    "id": 6000000032768,
    "name": "Acme UK",
    "domain": "acme-uk.example",
    "myshopify_domain": "acme-uk.myshopify.com",
}


def test_a_captured_body_of_the_shop_is_no_uninstall_where_the_shop_answers(play: Play) -> None:
    play.tell("shop/update", SHOP, webhook_id="s1")
    play.tell("app/uninstalled", SHOP, webhook_id="s2")
    play.come_to_rest()
    assert play.rows("SELECT code FROM cases") == []
    assert play.rows("SELECT state FROM event WHERE topic = 'app/uninstalled'") == [{"state": "skipped"}]
    with play.db.transaction() as tx:
        assert tallies(tx, "acme")["uninstall.refuted"] == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("storefront.token_refused", "confirmed: the shop refuses our credentials"),
        ("storefront.unavailable", "not confirmed: the shop could not be asked (storefront.unavailable)"),
    ],
)
def test_an_uninstall_is_urgent_where_the_shop_refuses_us_or_cannot_be_asked(
    play: Play, monkeypatch: pytest.MonkeyPatch, code: str, says: str
) -> None:
    def fails(_: object) -> None:
        raise (BlockedError if code == "storefront.token_refused" else TransientError)(code)

    monkeypatch.setattr(type(play.road.shops["uk"].reader), "newest", fails)
    play.tell("app/uninstalled", SHOP, webhook_id="s2")
    play.hear()
    opened = play.rows("SELECT severity, detail FROM cases WHERE code = 'storefront.app_uninstalled'")
    assert opened == [{"severity": "urgent", "detail": says}]
