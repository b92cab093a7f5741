"""Every captured answer to a write of consent, given to our own client: what it makes of it."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from test_captured_consent import FOLDER, NAMES, read, steps

from isthmus.kit import ids
from isthmus.kit.clock import FrozenClock
from isthmus.model.consent import Channel
from isthmus.shopify.client import Credentials, Shopify
from isthmus.shopify.consent import Consents, ConsentUpdate, ConsentUpdateOutcome, ConsentUpdateResult

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the captured answers are not on this machine")

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
WRITTEN, REFUSED, GONE, NOTHING = (
    ConsentUpdateOutcome.WRITTEN,
    ConsentUpdateOutcome.REFUSED,
    ConsentUpdateOutcome.GONE,
    ConsentUpdateOutcome.NOTHING,
)
QUERY = "integration.query_refused"

HEARD: dict[str, tuple[ConsentUpdateOutcome, str | None, str]] = {
    "mutation": (WRITTEN, "SUBSCRIBED", ""),
    "unknown customer": (GONE, None, ""),
    "missing level": (REFUSED, None, "MISSING_ARGUMENT"),
    "missing consent payload": (REFUSED, None, QUERY),
    "null consent payload": (REFUSED, None, QUERY),
    "null marketingState": (REFUSED, None, QUERY),
    "invalid marketingOptInLevel": (REFUSED, None, QUERY),
    "invalid consentUpdatedAt": (REFUSED, None, QUERY),
    "unsupported consentCollectedFrom input field": (REFUSED, None, QUERY),
    "future consentUpdatedAt": (REFUSED, None, "INVALID"),
    "customer without email contact method": (NOTHING, None, ""),
    "customer without phone contact method": (NOTHING, None, ""),
    "pending requires confirmed opt-in": (REFUSED, None, "INVALID"),
    "pending confirmed opt-in transition": (WRITTEN, "PENDING", ""),
    "subscribed unknown opt-in transition": (WRITTEN, "SUBSCRIBED", ""),
    "unsubscribed transition": (WRITTEN, "UNSUBSCRIBED", ""),
    "idempotent repeated update": (WRITTEN, "UNSUBSCRIBED", ""),
    "not subscribed input state": (REFUSED, None, QUERY),
    "redacted input state": (REFUSED, None, QUERY),
    "invalid input state": (REFUSED, None, QUERY),
    "subscribed missing opt-in level": (REFUSED, None, "MISSING_ARGUMENT"),
}
"""What each captured write comes to: the outcome, the state it shows, the code."""


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """A captured answer as it comes to a request of ours: under our alias, and text consent in the words of 2026-10."""
    body: dict[str, Any] = json.loads(json.dumps(answer))
    for error in body.get("errors", []):
        if "path" in error:
            error["path"] = ["a0"]
    if isinstance(body.get("data"), dict):
        body["data"] = {f"a{n}": payload for n, payload in enumerate(body["data"].values())}
        for payload in body["data"].values():
            phone = ((payload or {}).get("customer") or {}).get("defaultPhoneNumber")
            if phone is not None:
                state = phone["marketingState"]
                phone["smsMarketingConsent"] = {
                    "state": "NEVER_SUBSCRIBED" if state == "NOT_SUBSCRIBED" else state,
                    "optInLevel": phone["marketingOptInLevel"],
                    "updatedAt": phone["marketingUpdatedAt"],
                }
    return body


def wish(variables: dict[str, Any], channel: Channel) -> ConsentUpdate:
    """The wish that was captured, or where ours could never say it, the nearest."""
    said = next((each for key, each in variables["input"].items() if key.endswith("Consent")), None) or {}
    try:
        at = datetime.fromisoformat(said.get("consentUpdatedAt") or "")
    except ValueError:
        at = NOW
    state = said.get("marketingState")
    return ConsentUpdate(
        ids.numeric_id(variables["input"]["customerId"]),
        channel,
        state if state in ("SUBSCRIBED", "UNSUBSCRIBED") else "UNSUBSCRIBED",
        at,
    )


def hear(answer: dict[str, Any], wanted: ConsentUpdate) -> ConsentUpdateResult:
    def respond(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=told(answer))

    clock = FrozenClock(NOW)
    client = Shopify(
        "https://acme-uk.myshopify.com", "2026-10", Credentials(access_token="shpat_x"), clock,
        transport=httpx2.MockTransport(respond),
    )  # fmt: skip
    (heard,) = Consents(client, clock).write([wanted])
    return heard


@pytest.mark.parametrize("name", NAMES)
def test_every_captured_answer_is_understood(name: str) -> None:
    captured = read(name)
    channel = Channel.EMAIL if "email" in name else Channel.SMS
    people = json.dumps([captured["precondition"], captured["validation"]["matrixPreconditions"]])
    done = steps(captured)
    for step, variables, answer in done:
        wanted = wish(variables, channel)
        heard = hear(answer, wanted)
        outcome, state, code = HEARD[step]
        assert (heard.outcome, heard.state, heard.code) == (outcome, state, code), step
        if heard.outcome is WRITTEN:
            said = variables["input"][f"{channel.value}MarketingConsent"]
            assert heard.updated_at == datetime.fromisoformat(said["consentUpdatedAt"]), step
            assert heard.holds(wanted) == (said["marketingState"] == wanted.state), step
        if heard.outcome is REFUSED:
            assert heard.detail, step
            assert not any(word in people for word in heard.detail.split() if "@" in word or "+" in word), step
    assert len(done) == {Channel.EMAIL: 19, Channel.SMS: 20}[channel]
