"""The body of a consent webhook: one claim about one address, with its own time.

https://shopify.dev/docs/api/webhooks/2026-10?reference=toml#list-of-topics-customers_email_marketing_consent/update
"""

from collections.abc import Callable

from msgspec import Struct

from isthmus.model.consent import Channel, Claim
from isthmus.model.failure import RejectedError
from isthmus.shopify.parse.json import UNREADABLE, Id, NeedsFetch, When, json_reader, to_utc_or_none

SOURCE = "shopify.webhook"


class _Statement(Struct, gc=False):
    state: str | None = None
    opt_in_level: str | None = None
    consent_updated_at: When | None = None
    consent_collected_from: str | None = None


class _Email(Struct, gc=False):
    customer_id: Id
    email_marketing_consent: _Statement
    email_address: str | None = None


class _Sms(Struct, gc=False):
    id: Id
    sms_marketing_consent: _Statement
    phone: str | None = None


_read_email = json_reader(_Email)
_read_sms = json_reader(_Sms)


def parse_email_claim(body: bytes) -> Claim | NeedsFetch:
    """The claim of customers_email_marketing_consent/update; a Hint when it names no address or no state."""
    raw = _read_email(body)
    return _claim(Channel.EMAIL, raw.email_address, raw.customer_id, raw.email_marketing_consent)


def parse_sms_claim(body: bytes) -> Claim | NeedsFetch:
    """The claim of customers_marketing_consent/update; a Hint when it names no number or no state."""
    raw = _read_sms(body)
    return _claim(Channel.SMS, raw.phone, raw.id, raw.sms_marketing_consent)


_BY_TOPIC: dict[str, Callable[[bytes], Claim | NeedsFetch]] = {
    "customers_email_marketing_consent/update": parse_email_claim,
    "customers_marketing_consent/update": parse_sms_claim,
}


def parse_consent_claim(topic: str, body: bytes) -> Claim | NeedsFetch:
    """The claim of either consent topic; words upper case, times UTC. RejectedError for any other topic."""
    if topic not in _BY_TOPIC:
        raise RejectedError(UNREADABLE, "not a consent topic")
    return _BY_TOPIC[topic](body)


def _claim(channel: Channel, address: str | None, customer_id: int, said: _Statement) -> Claim | NeedsFetch:
    if not address or not said.state:
        return NeedsFetch(
            customer_id, to_utc_or_none(said.consent_updated_at), "a consent statement without address or state"
        )
    return Claim(
        channel=channel,
        address=address,
        state=said.state.upper(),
        source=SOURCE,
        customer_id=customer_id,
        at=to_utc_or_none(said.consent_updated_at),
        level=said.opt_in_level.upper() if said.opt_in_level else None,
        collected_from=said.consent_collected_from.upper() if said.consent_collected_from else None,
    )
