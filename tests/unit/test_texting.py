"""The second contact of accounts with double opt-in by text message: when there is one, and what it says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from isthmus.mapping import contact, sms_contact
from isthmus.mapping.rules import Rules
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.customer_metrics import NOTHING
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write

LIVE = datetime(2026, 11, 1, tzinfo=UTC)
AFTER, BEFORE = LIVE + timedelta(days=20), LIVE - timedelta(days=20)
RULES = Rules(
    store="uk", namespace="uk:", domain="acme-uk.myshopify.com", currency="GBP", live_since=LIVE, sms_double_optin=True
)
PHONE = "+447911123456"


def customer(**changed: Any) -> Customer:
    made = Customer(id=7, created_at=BEFORE, updated_at=AFTER, email="Ada@example.com", phone=PHONE, is_read=True)
    return msgspec.structs.replace(made, **changed)


def says(state: str, at: datetime | None = AFTER, level: str | None = "CONFIRMED_OPT_IN") -> ChannelConsent:
    return ChannelConsent(state, level, at)


def second(
    consent: ChannelConsent | None, *, who: Customer | None = None, rules: Rules = RULES, **given: Any
) -> Write | None:
    told = {"is_there": False, **given}
    return sms_contact.map_sms_contact(who or customer(), rules, Lane.REALTIME, consent=consent, **told)


def body(write: Write | None) -> dict[str, Any]:
    assert write is not None
    assert write.body is not None
    told: dict[str, Any] = msgspec.json.decode(write.body)
    return told


def test_a_confirmed_opt_in_goes_to_the_collection_of_the_confirmed_and_holds_nothing_else() -> None:
    write = second(says("SUBSCRIBED"))
    assert body(write) == {
        "@type": "contact",
        "@collection": "double_optin:sms",
        "id": "uk:sms-7",
        "email": "ada@example.com",
        "phone_number": PHONE,
        "channels": {"sms": {"allow_marketing": True, "dt_updated_marketing": "2026-11-21T00:00:00Z"}},
    }
    assert write is not None
    assert (write.kind, write.opts_in, write.opts_in_sms, write.subject) == (RecordKind.SMS, True, True, "customer:7")


def test_an_opt_in_that_is_not_confirmed_asks_by_text_message() -> None:
    write = second(says("SUBSCRIBED", level="SINGLE_OPT_IN"))
    assert body(write)["@collection"] == "optin:sms"
    assert write is not None
    assert (write.opts_in, write.opts_in_sms) == (False, True)


@pytest.mark.parametrize("at", [BEFORE, LIVE, None])
def test_nobody_is_asked_because_of_history(at: datetime | None) -> None:
    write = second(says("SUBSCRIBED", at, "SINGLE_OPT_IN"))
    assert write is not None
    assert (write.body, write.excluded) == (None, "not confirmed by text message")


def test_a_confirmed_opt_in_of_history_is_taken_along_without_its_time() -> None:
    assert body(second(says("SUBSCRIBED", BEFORE)))["channels"] == {"sms": {"allow_marketing": True}}


@pytest.mark.parametrize("consent", [None, says("NOT_SUBSCRIBED"), says("UNSUBSCRIBED")])
def test_who_never_opted_in_has_no_second_contact(consent: ChannelConsent | None) -> None:
    assert second(consent) is None


@pytest.mark.parametrize("consent", [None, says("NOT_SUBSCRIBED"), says("UNSUBSCRIBED"), says("REDACTED")])
def test_whatever_ends_the_permission_ends_the_second_contact(consent: ChannelConsent | None) -> None:
    write = second(consent, is_there=True)
    assert body(write)["channels"]["sms"]["allow_marketing"] is False
    assert write is not None
    assert (write.opts_in_sms, write.opts_out) == (False, True)


@pytest.mark.parametrize("given", [{"who": customer(phone=None)}, {"elsewhere": frozenset({"phone"})}])
def test_without_a_number_of_their_own_nobody_is_there_and_who_was_there_loses_the_number(given: Any) -> None:
    assert second(says("SUBSCRIBED"), **given) is None
    told = body(second(says("SUBSCRIBED"), is_there=True, **given))
    assert (told["phone_number"], "channels" in told) == (None, False)


def test_switched_off_it_is_kept_in_step_where_it_is() -> None:
    off = msgspec.structs.replace(RULES, sms_double_optin=False)
    assert second(says("SUBSCRIBED"), rules=off) is None
    assert body(second(says("UNSUBSCRIBED"), rules=off, is_there=True))["channels"]["sms"]["allow_marketing"] is False


def test_of_a_customer_who_is_gone_it_opts_out_unless_somebody_else_has_the_address() -> None:
    who = customer(sms_consent=says("SUBSCRIBED"))
    left = sms_contact.map_retired_sms_contact(who, RULES, Lane.REALTIME, has_heir=False)
    assert body(left)["channels"] == {"sms": {"allow_marketing": False}}
    assert "channels" not in body(sms_contact.map_retired_sms_contact(who, RULES, Lane.REALTIME, has_heir=True))


@pytest.mark.parametrize(("state", "channels"), [("SUBSCRIBED", None), ("UNSUBSCRIBED", False)])
def test_the_ordinary_contact_leaves_opt_ins_to_the_second_and_says_every_opt_out(
    state: str, channels: bool | None
) -> None:
    write = contact.map_contact(
        customer(), "uk:7", RULES, Lane.REALTIME, worth=NOTHING, email_consent=None, sms_consent=says(state),
        was_opted_in=False,
    )  # fmt: skip
    told = body(write).get("channels")
    assert (told["sms"]["allow_marketing"] if told else None) is channels
    assert not write.opts_in_sms
