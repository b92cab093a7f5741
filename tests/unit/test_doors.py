"""Which connections a delivery is for: by its domain, and by the secret that signed it."""

import base64

from isthmus.shopify import webhooks
from isthmus.web.webhooks.verify import StoreSecret, VerifiedStore, WebhookVerifier

SHOP = "acme.myshopify.com"
BODY = b"{}"


def signature(secret: str) -> str:
    return base64.b64encode(webhooks.sign_body(BODY, secret)).decode()


def test_domains_are_known_however_they_are_spelt() -> None:
    doors = WebhookVerifier([StoreSecret("acme", "uk", "Acme.MyShopify.com", "a")])
    assert doors.knows(SHOP)
    assert not doors.knows("other.myshopify.com")


def test_a_secret_that_is_old_for_one_connection_may_be_new_for_another() -> None:
    doors = WebhookVerifier([StoreSecret("live", "uk", SHOP, "new", "old"), StoreSecret("staging", "uk", SHOP, "old")])
    assert doors.open(SHOP, BODY, signature("new")) == [VerifiedStore("live", "uk", is_previous=False)]
    assert sorted(match.connection for match in doors.open(SHOP, BODY, signature("old"))) == ["live", "staging"]
    assert {match.connection: match.is_previous for match in doors.open(SHOP, BODY, signature("old"))} == {
        "live": True,
        "staging": False,
    }


def test_an_empty_secret_opens_nothing() -> None:
    doors = WebhookVerifier([StoreSecret("acme", "uk", SHOP, "", "")], hook_secrets={"acme": ""})
    assert doors.open(SHOP, BODY, signature("")) == []
    assert doors.open_for_compliance(SHOP, BODY, signature("")) == []
    assert not doors.opens_hook("acme", b"")


def test_a_past_secret_opens_for_privacy_requests_alone() -> None:
    doors = WebhookVerifier([StoreSecret("acme", "uk", SHOP, "now")], past=[("acme", "then"), ("gone", "long ago")])
    assert doors.open(SHOP, BODY, signature("then")) == []
    assert doors.open_for_compliance(SHOP, BODY, signature("then")) == [VerifiedStore("acme", "uk", is_previous=True)]
    assert doors.open_for_compliance("x.myshopify.com", BODY, signature("then")) == [
        VerifiedStore("acme", "", is_previous=True)
    ]
    assert doors.open_for_compliance(SHOP, BODY, signature("long ago")) == [VerifiedStore("gone", "", is_previous=True)]
