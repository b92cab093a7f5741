"""What customers' contacts are to say, from everything that a unit of work knows of them."""

from collections.abc import Mapping, Set
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from isthmus.consent import shop_statement
from isthmus.flows.change import RecordTransition
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext, ShopContext
from isthmus.flows.retire import Retired
from isthmus.flows.shared_properties import Helds
from isthmus.identity.conflict import IdentifierConflict as Elsewhere
from isthmus.identity.match import Account, People
from isthmus.kit.email import normalise_email
from isthmus.mapping import contact, fields, sms_contact
from isthmus.model.consent import OUT, Channel
from isthmus.model.customer import ChannelConsent, Customer
from isthmus.model.customer_metrics import NOTHING, CustomerMetrics
from isthmus.model.failure import RejectedError
from isthmus.model.lane import Lane
from isthmus.model.service_hold import ServiceHoldState
from isthmus.model.shared_property import UNHELD
from isthmus.model.write import RecordKind, Write
from isthmus.outbox.sql.contact_consent import NEVER_SENT, NO_BASIS, ConsentBasis, SentConsent


class ContactMappingInput(Struct, frozen=True):
    """What contacts are mapped from, beside the customers themselves."""

    was: People
    who: People
    standings: ConsentStatuses
    spoken: Mapping[str, SentConsent]
    worths: Mapping[Account, CustomerMetrics]
    has_importer: bool
    holds: Mapping[Account, ServiceHoldState | None]
    moved: Set[Account]
    """Whose hold has just changed."""
    elsewhere: Mapping[Account, tuple[Elsewhere, ...]]
    """The identifiers that are somebody else's in Ometria."""
    helds: Helds
    retired: Mapping[str, Retired]
    """Contacts of customers who are gone, or have no address any more."""
    left: Mapping[str, str]
    """The numbers that contacts were sent with whose customers have none any more."""
    silent: Set[str]
    """Contacts whose customer has no email any more, where somebody else has it: they say nothing of it."""


def account_of(change: RecordTransition) -> Account:
    return change.key[1], int(change.key[2])


def contact_id(context: ConnectionContext, change: RecordTransition) -> str:
    return f"{context.shops[change.key[1]].rules.namespace}{change.key[2]}"


def contact_ids(context: ConnectionContext, change: RecordTransition) -> tuple[str, str]:
    """The ids of both contacts that a customer may have."""
    return contact_id(context, change), sms_contact.sms_contact_id(
        int(change.key[2]), context.shops[change.key[1]].rules
    )


def map_contacts(shop: ShopContext, change: RecordTransition, known: ContactMappingInput) -> list[Write]:
    """The contact of a customer, and the second one that an account with double opt-in by text message asks for; none
    before the first reading, since consent is unknown until then."""
    customer = change.last
    if not isinstance(customer, Customer) or not customer.is_read:
        return []
    ended = known.retired.get(f"{shop.rules.namespace}{customer.id}")
    if ended is not None:
        first, second = _retired(shop, change, ended, known), _retired_second(shop, ended, known)
    else:
        first, second = _contact(shop, change, customer, known), _second(shop, change, customer, known)
    return [first] if second is None else [first, second]


def consent_basis(
    change: RecordTransition, write: Write, standings: ConsentStatuses, retired: Mapping[str, Retired]
) -> ConsentBasis:
    """The addresses behind a contact, and the opt-outs of those that its body knows of."""
    customer = change.last
    if write.is_retired and write.id in retired:
        customer = retired[write.id].customer
    if not isinstance(customer, Customer) or write.body is None:
        return NO_BASIS
    store, address, phone = change.key[1], normalise_email(customer.email), customer.phone
    n_outs = (
        standings.of(Channel.EMAIL, address, store).n_outs if write.opts_in and write.kind is RecordKind.CONTACT else 0
    )
    if write.opts_in_sms:
        n_outs += standings.of(Channel.SMS, phone, store).n_outs
    name = standings.name(Channel.EMAIL, address)[1] if address and write.kind is RecordKind.CONTACT else None
    if name is None and phone and write.is_retired:
        name = standings.name(Channel.SMS, phone)[1]
    return ConsentBasis(
        name, standings.name(Channel.SMS, phone)[1] if phone and write.opts_in_sms else None, n_outs, write.is_retired
    )


def _contact(shop: ShopContext, change: RecordTransition, customer: Customer, known: ContactMappingInput) -> Write:
    key, own, before = account_of(change), f"{shop.rules.namespace}{customer.id}", change.before
    spoken = known.spoken.get(own, NEVER_SENT)
    person = known.who.by_customer.get(key, own)
    held = known.helds.get((RecordKind.CONTACT, own), UNHELD)
    worth, on_hold = known.worths.get(key, NOTHING), known.holds.get(key)
    # An importer beside us would take an opt-out back that is not forced; one that went out unforced was looked at.
    must_force = spoken.must_force or (known.has_importer and not spoken.opts_out)
    elsewhere = _elsewhere(key, known)
    left = known.left.get(own)
    is_silent = own in known.silent

    def mapped(customer: Customer, person: str, lane: Lane) -> Write:
        email = known.standings.of(Channel.EMAIL, normalise_email(customer.email), shop.name)
        sms = shop_statement.consent_to_send(
            customer.sms_consent, known.standings.of(Channel.SMS, customer.phone, shop.name)
        )
        customer, sms = _with_number(customer, sms, left)
        return contact.map_contact(
            customer,
            person,
            shop.rules,
            lane,
            worth=worth,
            hold=on_hold,
            email_consent=None if is_silent else shop_statement.consent_to_send(customer.email_consent, email),
            sms_consent=sms,
            was_opted_in=spoken.was_opted_in and not is_silent,
            was_opted_in_sms=spoken.was_opted_in_sms,
            must_force=must_force,
            was_forced=spoken.was_forced,
            elsewhere=elsewhere,
            held=held,
        )

    if key in known.moved and change.lane is not Lane.BACKFILL:
        return mapped(customer, person, Lane.REALTIME)
    write = mapped(customer, person, _lane(change, customer))
    if (write.opts_out and spoken.opts_in) or (spoken.opts_in_sms and not write.opts_in_sms):
        return replace(write, lane=Lane.REALTIME)  # whatever brought it
    if write.lane is Lane.REALTIME and not change.is_remap and isinstance(before, Customer) and before.is_read:
        # Every order comes with an update of its customer: metrics alone are in no hurry.
        with suppress(RejectedError):  # what could not be sent before says nothing about what can be now
            former = mapped(before, known.was.by_customer.get(key, own), Lane.ENRICHMENT)
            if former.body == write.body:
                return former
    return write


def _retired(shop: ShopContext, change: RecordTransition, ended: Retired, known: ContactMappingInput) -> Write:
    own = f"{shop.rules.namespace}{ended.customer.id}"
    spoken = known.spoken.get(own, NEVER_SENT)
    # Under its own id: it must not speak for the person whom it was merged with.
    write = contact.map_retired_contact(
        ended.customer,
        own,
        shop.rules,
        change.lane,
        was_opted_in=spoken.was_opted_in,
        has_heir=ended.has_heir,
        has_heir_of_phone=ended.has_heir_of_phone,
        was_opted_in_sms=spoken.was_opted_in_sms,
        was_forced=spoken.was_forced,
        held=known.helds.get((RecordKind.CONTACT, own), UNHELD),
    )
    # Whatever brought it: nobody is written to because of somebody who is gone.
    return replace(write, lane=Lane.REALTIME) if spoken.opts_in or spoken.was_opted_in_sms else write


def _second(
    shop: ShopContext, change: RecordTransition, customer: Customer, known: ContactMappingInput
) -> Write | None:
    sms = shop_statement.consent_to_send(
        customer.sms_consent, known.standings.of(Channel.SMS, customer.phone, shop.name)
    )
    spoken = known.spoken.get(sms_contact.sms_contact_id(customer.id, shop.rules), NEVER_SENT)
    left = known.left.get(f"{shop.rules.namespace}{customer.id}")
    customer, sms = _with_number(customer, sms, left)
    write = sms_contact.map_sms_contact(
        customer,
        shop.rules,
        _lane(change, customer),
        consent=sms,
        is_there=spoken.is_there,
        elsewhere=_elsewhere(account_of(change), known),
    )
    if write is not None and spoken.opts_in_sms and not write.opts_in_sms:
        return replace(write, lane=Lane.REALTIME)
    return write


def _with_number(
    customer: Customer, sms: ChannelConsent | None, left: str | None
) -> tuple[Customer, ChannelConsent | None]:
    """A customer without a number with the one that they were sent with, and without a yes to text messages."""
    if left is None or fields.map_phone(customer.phone, customer.country_code) is not None:
        return customer, sms
    return replace(customer, phone=left), None


def _retired_second(shop: ShopContext, ended: Retired, known: ContactMappingInput) -> Write | None:
    if not known.spoken.get(sms_contact.sms_contact_id(ended.customer.id, shop.rules), NEVER_SENT).is_there:
        return None
    return sms_contact.map_retired_sms_contact(
        ended.customer, shop.rules, Lane.REALTIME, has_heir=ended.has_heir_of_phone
    )


def _elsewhere(key: Account, known: ContactMappingInput) -> frozenset[str]:
    return frozenset(one.field for one in known.elsewhere.get(key, ()))


def _lane(change: RecordTransition, customer: Customer) -> Lane:
    """Opt-outs, new people and changed addresses are in a hurry, whatever brought them, unless they are history."""
    before = change.before
    if change.lane is Lane.REALTIME or not isinstance(before, Customer) or not before.is_read:
        return change.lane
    opts_out = any(
        now is not None and now.state in OUT and (was is None or was.state not in OUT)
        for was, now in ((before.email_consent, customer.email_consent), (before.sms_consent, customer.sms_consent))
    )
    moved = (normalise_email(before.email), before.phone) != (normalise_email(customer.email), customer.phone)
    return Lane.REALTIME if opts_out or moved else change.lane
