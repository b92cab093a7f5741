"""What somebody allowed by text message, for accounts that take an opt-in only with double opt-in.

Such an account ignores opt-ins of ordinary contacts. They count in two collections of its own: in one that asks the
person by a text message first, and in one for those who have confirmed already. There a contact holds nothing but the
address and the permission (https://support.ometria.com/hc/en-gb/articles/20854035651101). No text is sent for an opt-in
older than ten days.
"""

from msgspec import UNSET

from isthmus.kit.email import normalise_email
from isthmus.mapping import fields
from isthmus.mapping.consent_fields import Permission, map_consent, map_ended_consent
from isthmus.mapping.rules import Rules
from isthmus.model.consent import Stance
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.lane import Lane
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire

ASKED = "optin:sms"
"""The collection that sends the confirming text."""

CONFIRMED = "double_optin:sms"
"""The collection of those who have confirmed."""

_CONFIRMED = "CONFIRMED_OPT_IN"
"""Shopify's level of an opt-in that was confirmed
(https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerMarketingOptInLevel)."""

UNCONFIRMED = "not confirmed by text message"


def map_sms_contact(
    customer: Customer,
    rules: Rules,
    lane: Lane,
    *,
    consent: ChannelConsent | None,
    is_there: bool,
    elsewhere: frozenset[str] = frozenset(),
) -> Write | None:
    """The second contact of a customer, in the account's own collections; None where there is none and need not be.

    `consent` is the one that stands, `is_there` says whether this contact was ever to be sent: then it ends with
    whatever ends the permission, also after `rules.sms_double_optin` was switched off. `elsewhere` names identifiers
    that are somebody else's in Ometria. Nobody is asked by a text message because of history: an opt-in that is
    not confirmed is excluded unless it came after going live. RejectedError `storefront.consent_unknown_state`.
    """
    says = map_consent(consent, was_opted_in=is_there, live_since=rules.live_since)
    phone = None if "phone" in elsewhere else fields.map_phone(customer.phone, customer.country_code)
    opts_in = phone is not None and says.stance is Stance.IN
    if not is_there and not (opts_in and rules.sms_double_optin):
        return None
    is_confirmed = consent is not None and consent.level == _CONFIRMED
    if opts_in and not is_confirmed and says.since is None:
        own = sms_contact_id(customer.id, rules)
        return Write(RecordKind.SMS, own, None, lane, excluded=UNCONFIRMED, subject=_subject(customer))
    return _write(customer, rules, lane, says, phone, is_confirmed=is_confirmed, elsewhere=elsewhere)


def map_retired_sms_contact(customer: Customer, rules: Rules, lane: Lane, *, has_heir: bool) -> Write:
    """That contact once its customer is gone from the shop: it opts out, or only stops saying anything where somebody
    else has the address now, whom its word would silence."""
    says = Permission(Stance.UNSAID) if has_heir else map_ended_consent(customer.sms_consent, was_opted_in=True)
    phone = fields.map_phone(customer.phone, customer.country_code)
    return _write(customer, rules, lane, says, phone, is_confirmed=False)


def sms_contact_id(customer_id: int, rules: Rules) -> str:
    """The id of a customer's second contact."""
    return f"{rules.namespace}sms-{customer_id}"


def _write(
    customer: Customer,
    rules: Rules,
    lane: Lane,
    says: Permission,
    phone: str | None,
    *,
    is_confirmed: bool,
    elsewhere: frozenset[str] = frozenset(),
) -> Write:
    opts_in = phone is not None and says.stance is Stance.IN
    is_asked = opts_in and not is_confirmed
    record = wire.ContactBody(
        collection=ASKED if is_asked else CONFIRMED,
        id=sms_contact_id(customer.id, rules),
        email=UNSET if "email" in elsewhere else normalise_email(customer.email) or UNSET,
        phone_number=phone,
        # Without a number Ometria takes no permission, and whoever had one is not reached by it any more.
        channels=UNSET
        if phone is None or says.stance is Stance.UNSAID
        else wire.Channels(wire.Sms(opts_in, says.since)),
    )
    return Write(
        RecordKind.SMS,
        record.id,
        wire.encode_record(record),
        lane,
        opts_in=opts_in and is_confirmed,
        opts_in_sms=opts_in,
        opts_out=says.stance is Stance.OUT,
        subject=_subject(customer),
    )


def _subject(customer: Customer) -> str:
    return f"customer:{customer.id}"
