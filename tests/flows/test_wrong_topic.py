"""A signed body that is sent again under another topic asks nobody to do anything."""

import pytest

from isthmus.db.pool import Database
from isthmus.db.sql import read_counters
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
        assert read_counters(tx, "acme")["uninstall.refuted"] == 1


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customers/redact", {"shop_id": 2, "customer": {"id": 5}, "orders_to_redact": []}),
        ("customers/data_request", {"shop_id": 2, "customer": {"id": 5}, "orders_requested": []}),
        ("shop/redact", {"shop_id": 2}),
        ("app/uninstalled", {"id": 2}),
    ],
)
def test_what_another_shop_asks_is_not_counted_for_the_shop_of_the_header(
    play: Play, topic: str, body: dict[str, object]
) -> None:
    name = "myshopify_domain" if topic == "app/uninstalled" else "shop_domain"
    who = play.person("ada@example.com", "SUBSCRIBED")
    play.come_to_rest()
    if "customer" in body:
        body = {**body, "customer": {"id": who.id}}
    play.tell(topic, {**body, name: "acme-int.myshopify.com"}, webhook_id="again", store="uk")
    play.come_to_rest()
    assert play.rows("SELECT code, severity FROM cases") == [
        {"code": "storefront.body_of_another_topic", "severity": "normal"}
    ]
    assert play.contact(who)["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    # Under its own name it is the duty that it says, unless the shop itself refutes it.
    play.tell(topic, {**body, name: "ACME-uk.myshopify.com"}, webhook_id="own", store="uk")
    play.come_to_rest()
    opened = {row["code"].partition(".")[0] for row in play.rows("SELECT code FROM cases WHERE state = 'open'")}
    assert opened == ({"storefront"} if topic == "app/uninstalled" else {"storefront", "privacy"})


@pytest.mark.parametrize("body", [{}, []])
def test_an_uninstall_without_its_fields_is_not_urgent_where_the_shop_answers(play: Play, body: object) -> None:
    play.tell("app/uninstalled", body, webhook_id="again")
    play.come_to_rest()
    assert play.rows("SELECT code FROM cases WHERE severity = 'urgent'") == []


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

    monkeypatch.setattr(type(play.context.shops["uk"].reader), "newest", fails)
    play.tell("app/uninstalled", SHOP, webhook_id="s2")
    play.hear()
    opened = play.rows("SELECT severity, detail FROM cases WHERE code = 'storefront.app_uninstalled'")
    assert opened == [{"severity": "urgent", "detail": says}]
