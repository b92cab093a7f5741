"""A customer as Ometria should say it: one complete listing of a person, with what that person allowed."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from isthmus.kit.email import normalise_email
from isthmus.mapping import custom, fields
from isthmus.mapping.consent_fields import Permission, map_consent, map_ended_consent
from isthmus.mapping.rules import METRICS, Rules
from isthmus.model.consent import Stance
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.customer_metrics import NOTHING, CustomerMetrics
from isthmus.model.lane import Lane
from isthmus.model.service_hold import ServiceHoldState
from isthmus.model.shared_property import UNHELD, SharedProperty
from isthmus.model.write import RecordKind, Write
from isthmus.ometria import wire

_OPTIN: dict[Stance, wire.Optin] = {
    Stance.IN: "EXPLICITLY_OPTEDIN",
    Stance.OUT: "EXPLICITLY_OPTEDOUT",
    Stance.UNSAID: "NOT_SPECIFIED",
}

_CLEARED: dict[str, str | UnsetType | None] = {"null": None, "empty": "", "omit": UNSET}
_V = TypeVar("_V")


def map_contact(
    customer: Customer,
    person: str,
    rules: Rules,
    lane: Lane,
    *,
    worth: CustomerMetrics,
    hold: ServiceHoldState | None = None,
    email_consent: ChannelConsent | None,
    sms_consent: ChannelConsent | None,
    was_opted_in: bool,
    was_opted_in_sms: bool = False,
    must_force: bool = False,
    was_forced: bool = False,
    elsewhere: frozenset[str] = frozenset(),
    held: SharedProperty = UNHELD,
) -> Write:
    """The desired state of one customer's contact, once the customer has been read.

    `person` is the surviving id of the person, `worth` what all their orders come to, `hold` why they are to be left
    alone now; the two consents are those that stand. `was_opted_in` says whether this contact was ever sent as opted in
    by email, `was_opted_in_sms` by text message, `must_force` that its opt-out has no effect unforced, `was_forced`
    that it was ever sent forced.
    `elsewhere` names the identifiers (email, phone) that are somebody else's in Ometria: they are not said, nor is
    an opt-in for them. `held` is what Ometria holds in properties that are not ours alone. Someone without a
    usable email or phone is excluded. RejectedError `storefront.consent_unknown_state` for a consent state that the
    table does not know.
    """
    email_says = map_consent(email_consent, was_opted_in=was_opted_in, live_since=rules.live_since)
    sms_says = map_consent(sms_consent, was_opted_in=was_opted_in_sms, live_since=rules.live_since)
    if "email" in elsewhere and email_says.stance is Stance.IN:
        email_says = Permission(Stance.UNSAID)
    is_forced = _is_forced(email_says.stance, rules, must_force=must_force, was_forced=was_forced)
    return _write(
        customer,
        person,
        rules,
        lane,
        email_says,
        sms_says,
        worth,
        hold,
        held,
        is_forced=is_forced,
        elsewhere=elsewhere,
    )


def map_retired_contact(
    customer: Customer,
    person: str,
    rules: Rules,
    lane: Lane,
    *,
    was_opted_in: bool,
    has_heir: bool,
    has_heir_of_phone: bool = False,
    was_opted_in_sms: bool = False,
    was_forced: bool = False,
    held: SharedProperty = UNHELD,
) -> Write:
    """The contact of a customer who is gone from the shop, or has no address there any more, with the address that it
    was sent with.

    Nobody may be written to because of a customer who is gone: an opt-in ends, an opt-out stays. But one opted-out
    contact silences its whole person (https://support.ometria.com/hc/en-gb/articles/9881943263389): where another
    customer has the address now (`has_heir`, as after a merge; `has_heir_of_phone` for the number), this contact only
    stops saying anything of it. Orders count for whoever has them now, so this contact's metrics and hold are those of
    nobody.
    """
    email = sms = Permission(Stance.UNSAID)
    if not has_heir:
        email = map_ended_consent(customer.email_consent, was_opted_in=was_opted_in)
    if not has_heir_of_phone:
        sms = map_ended_consent(customer.sms_consent, was_opted_in=was_opted_in_sms)
    # A contact that was forced once heeds nothing else.
    is_forced = was_forced and email.stance is not Stance.UNSAID and rules.force != "never"
    return replace(
        _write(customer, person, rules, lane, email, sms, NOTHING, None, held, is_forced=is_forced), is_retired=True
    )


def _write(
    customer: Customer,
    person: str,
    rules: Rules,
    lane: Lane,
    email: Permission,
    sms: Permission,
    worth: CustomerMetrics,
    hold: ServiceHoldState | None,
    held: SharedProperty,
    *,
    is_forced: bool,
    elsewhere: frozenset[str] = frozenset(),
) -> Write:
    id_ = f"{rules.namespace}{customer.id}"
    subject = f"customer:{customer.id}"
    address = normalise_email(customer.email)
    phone = fields.map_phone(customer.phone, customer.country_code)
    if address is None and not (phone and rules.phone_only):
        reason = "phone only" if phone else "neither email nor phone"
        return Write(RecordKind.CONTACT, id_, None, lane, excluded=reason, subject=subject)
    if "email" in elsewhere:
        address = None
    if "phone" in elsewhere:
        phone = None
    own = custom.map_properties(customer.metafields, "customer", rules, held)
    properties = fields.fit_properties(_properties(customer, worth, hold, own, rules), "tags")
    record = wire.ContactBody(
        collection=rules.collection,
        id=id_,
        customer_id=rules.customer_id(person, customer.id),
        email=_or_clear(address, rules),
        phone_number=_or_clear(phone, rules),
        firstname=_or_clear(fields.clean_text(customer.firstname), rules),
        lastname=_or_clear(fields.clean_text(customer.lastname), rules),
        country_id=_or_clear(fields.map_country(customer.country_code), rules),
        store_ids=(rules.store_id,),
        marketing_optin=_OPTIN[email.stance],
        timestamp_acquired=fields.to_utc(customer.created_at),
        timestamp_subscribed=_since(email, Stance.IN),
        timestamp_unsubscribed=_since(email, Stance.OUT),
        force_optin=True if is_forced else UNSET,
        channels=_channels(phone, sms, rules),
        properties=properties.properties or UNSET,
    )
    return Write(
        RecordKind.CONTACT,
        id_,
        wire.encode_record(record),
        lane,
        opts_in=email.stance is Stance.IN,
        opts_out=email.stance is Stance.OUT,
        opts_in_sms=phone is not None and sms.stance is Stance.IN and not rules.sms_double_optin,
        forces=is_forced,
        subject=subject,
        n_cut=properties.n_cut + own.n_cut,
        ours=custom.own_values(held, own, properties.properties),
    )


def _since(says: Permission, stance: Stance) -> datetime | UnsetType:
    return says.since if says.stance is stance and says.since is not None else UNSET


def _is_forced(stance: Stance, rules: Rules, *, must_force: bool, was_forced: bool) -> bool:
    """Whether this stance must win over every other contact of the person; never just to opt someone in by default.

    Once a contact was forced it heeds only what is forced (https://support.ometria.com/hc/en-gb/articles/9881943263389):
    then an opt-in, which stands only where it is proven and later than every opt-out, lifts our own opt-out by force.
    """
    if rules.force == "never" or stance is Stance.UNSAID:
        return False
    if was_forced or rules.force == "both":
        return True
    if stance is Stance.IN:
        return False
    return rules.force == "opt_out" or must_force


def _channels(phone: str | None, says: Permission, rules: Rules) -> wire.Channels | UnsetType:
    """SMS permission, which Ometria takes only together with a number; unsaid is left out, and so is an opt-in
    that counts only elsewhere (mapping/sms_contact.py). An opt-out counts anywhere."""
    if phone is None or says.stance is Stance.UNSAID or (says.stance is Stance.IN and rules.sms_double_optin):
        return UNSET
    return wire.Channels(wire.Sms(says.stance is Stance.IN, says.since))


def _properties(
    customer: Customer, worth: CustomerMetrics, hold: ServiceHoldState | None, own: custom.Custom, rules: Rules
) -> wire.Properties:
    """The custom properties this store wants, most precious first; one without a value is cleared like a field.

    The service hold comes first, since it is cut last of all, then metrics, then the custom fields of the mapping file,
    whose last is cut first; tags come last, and go before anything else. What starts with `shop_` is the shop's own
    count.
    """
    known: dict[str, object] = {
        "account_state": customer.state.lower() if customer.state else None,
        "locale": customer.locale,
        "city": fields.clean_text(customer.city),
        "shop_n_orders": customer.n_orders,
        "shop_amount_spent": customer.amount_spent,
    }
    asked = [
        (name, value)
        for wanted, name, value in (*_metrics(worth, rules), *((name, name, value) for name, value in known.items()))
        if wanted in rules.contact_properties
    ]
    asked += own.properties.items()
    if "tags" in rules.contact_properties:
        asked.append(("tags", ",".join(fields.map_tags(customer.tags or (), rules.allowed_tags)) or None))
    properties: wire.Properties = {}
    for name, value in (*_hold(hold, rules), *asked):
        written = _or_clear(value, rules)
        if written is not UNSET:
            properties[name] = written
    return properties


def _hold(hold: ServiceHoldState | None, rules: Rules) -> Iterator[tuple[str, object]]:
    """Why and until when; both are cleared as soon as nobody is held, so that a campaign need ask for one alone."""
    if rules.hold_for:
        yield rules.hold_property, hold.reason if hold else None
        yield rules.hold_until_property, fields.to_utc(hold.until) if hold else None


def _metrics(worth: CustomerMetrics, rules: Rules) -> Iterator[tuple[str, str, object]]:
    """Metrics by the name that asks for them, the name they are sent under, and their value.

    Money goes by currency: every currency of the connection's stores, so that what was said once is taken back, and
    any other that the person has paid in.
    """
    if not rules.contact_properties & METRICS:
        return
    yield "n_orders", "n_orders", worth.n_orders
    yield "last_order_at", "last_order_at", fields.to_utc(worth.last_order_at) if worth.last_order_at else None
    yield "first_order_at", "first_order_at", fields.to_utc(worth.first_order_at) if worth.first_order_at else None
    yield "return_rate", "return_rate", worth.return_rate
    own = rules.currency
    others = sorted({*rules.currencies, *(taken.currency for taken in worth.takings)} - {own})
    for currency in (own, *others):
        taken = worth.taken(currency)
        for name in ("net", "gross", "refunded", "average_order"):
            yield name, f"{name}_{currency.lower()}", getattr(taken, name)


def _or_clear(value: _V | None, rules: Rules) -> _V | str | UnsetType | None:
    """The value, or what clears it on this platform (undocumented there, so a setting)."""
    return value if value is not None else _CLEARED[rules.clear]
