"""One simulated shop with its webhooks, and our client before it, as the contract tests talk to them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from isthmus.kit.clock import FrozenClock
from isthmus.model.consent import Channel
from isthmus.model.reading import found_record
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.consent import Consents
from isthmus.shopify.reads import Reads
from shopify_wire import Wire
from sims.clock import SimClock
from sims.neighbourhood import Neighbourhood, Sizes
from sims.shopify.state import Customer, EmailConsent, SmsConsent
from sims.wire import Request

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SAID_AT = AT - timedelta(days=3)
"""When those who are subscribed said so."""
TOPICS = (
    "customers_email_marketing_consent/update",
    "customers_marketing_consent/update",
    "customers/update",
    "customers/merge",
)


class Shop:
    """One simulated shop with webhooks, our client before it, and clocks that move together."""

    def __init__(self) -> None:
        self.sim_clock = SimClock(AT, rate=0)
        self.clock = FrozenClock(AT, on_wait=self.sim_clock.advance)
        self.town = Neighbourhood(self.sim_clock, 5, Sizes(customers=40, orders=0, products=2))
        self.store = self.town.store("uk")
        self.town.subscribe("uk", "https://hooks.example.com", TOPICS)
        shop = self.store.shop
        client = Shopify(
            f"https://{shop.domain}", "2026-10", Credentials(shop.client_id, shop.client_secret), self.clock,
            transport=Wire(self.town.shopify),
        )  # fmt: skip
        self.consents, self.reads = Consents(client, self.clock), Reads(client)

    def fan(self, channel: Channel = Channel.EMAIL) -> Customer:
        """Somebody who subscribed some days ago."""
        people = self.store.customers.values()
        one = next(each for each in people if (each.email if channel is Channel.EMAIL else each.phone))
        one.email_consent = EmailConsent("SUBSCRIBED", "SINGLE_OPT_IN", SAID_AT)
        one.sms_consent = SmsConsent("SUBSCRIBED", "SINGLE_OPT_IN", SAID_AT, "SHOPIFY")
        return one

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.sim_clock.advance(seconds)

    def state(self, one: Customer, channel: Channel = Channel.EMAIL) -> str | None:
        found = found_record(self.reads.customers([one.id])[one.id])
        assert found is not None
        consent = found.email_consent if channel is Channel.EMAIL else found.sms_consent
        return None if consent is None else consent.state

    def webhooks(self) -> list[tuple[str, bytes]]:
        """Everything the shop told since it was last asked: topic and body."""
        told: list[tuple[str, bytes]] = []

        def keep(_: str, headers: dict[str, str], body: bytes) -> int:
            told.append(({name.lower(): value for name, value in headers.items()}["x-shopify-topic"], body))
            return 200

        self.town.deliver(keep)
        return told

    def ask(self, text: str, **variables: Any) -> dict[str, Any]:
        """One call of GraphQL, as an app with a token of its own makes it."""
        body = json.dumps({"query": text, "variables": variables}).encode()
        headers = {"x-shopify-access-token": self.town.shopify.static_token("uk")}
        answer = self.town.shopify.handle(Request("POST", "/admin/api/2026-10/graphql.json", {}, headers, body))
        assert answer.status == 200
        told: dict[str, Any] = answer.json()
        return told
