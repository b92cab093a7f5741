"""A signed body that is sent again under another topic asks nobody to do anything."""

import pytest

from isthmus.db.pool import Database
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
    play.tell("app/uninstalled", {"id": 1, "myshopify_domain": "acme-uk.myshopify.com"}, webhook_id="gone")
    play.tell("shop/redact", {"shop_id": 1, "shop_domain": "acme-uk.myshopify.com"}, webhook_id="redact")
    play.come_to_rest()
    opened = {row["code"] for row in play.rows("SELECT code FROM cases WHERE state = 'open'")}
    assert {"storefront.app_uninstalled", "privacy.redact_shop"} <= opened
