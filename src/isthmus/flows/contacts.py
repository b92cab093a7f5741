"""What customers' contacts are to say, from everything that a unit of work knows of them."""

from collections.abc import Mapping, Set
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from isthmus.consent import word
from isthmus.flows.change import Change
from isthmus.flows.consent.standing import Standings
from isthmus.flows.holding import Helds
from isthmus.flows.retire import Retired
from isthmus.flows.road import Road, Shop
from isthmus.identity.conflict import Held as Elsewhere
from isthmus.identity.match import Account, People
from isthmus.kit.email import normalise
from isthmus.mapping import contact, fields, texting
from isthmus.model.consent import OUT, Channel
from isthmus.model.customer import Consent, Customer
from isthmus.model.failure import RejectedError
from isthmus.model.held import UNHELD
from isthmus.model.hold import Hold
from isthmus.model.lane import Lane
from isthmus.model.worth import NOTHING, Worth
from isthmus.model.write import Kind, Write
from isthmus.outbox.spoken.sql import NOBODY, UNSPOKEN, Behind, Spoken


class Known(Struct, frozen=True):
    """What contacts are mapped from, beside the customers themselves."""

    was: People
    who: People
    standings: Standings
    spoken: Mapping[str, Spoken]
    worths: Mapping[Account, Worth]
    has_importer: bool
    holds: Mapping[Account, Hold | None]
    moved: Set[Account]
    """Whose hold has just changed."""
    elsewhere: Mapping[Account, tuple[Elsewhere, ...]]
    """The identifiers that are somebody else's on the platform."""
    helds: Helds
    retired: Mapping[str, Retired]
    """Contacts of customers who are gone, or have no address any more."""
    left: Mapping[str, str]
    """The numbers that contacts were sent with whose customers have none any more."""
    silent: Set[str]
    """Contacts whose customer has no email any more, where somebody else has it: they say nothing of it."""


def account_of(change: Change) -> Account:
    return change.key[1], int(change.key[2])


def contact_id(road: Road, change: Change) -> str:
    return f"{road.shops[change.key[1]].rules.namespace}{change.key[2]}"


def ids(road: Road, change: Change) -> tuple[str, str]:
    """The ids of both contacts that a customer may have."""
    return contact_id(road, change), texting.texting_id(int(change.key[2]), road.shops[change.key[1]].rules)


def contacts(shop: Shop, change: Change, known: Known) -> list[Write]:
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


def behind(change: Change, write: Write, standings: Standings, retired: Mapping[str, Retired]) -> Behind:
    """The addresses behind a contact, and the opt-outs of those that its body knows of."""
    customer = change.last
    if write.is_retired and write.id in retired:
        customer = retired[write.id].customer
    if not isinstance(customer, Customer) or write.body is None:
        return NOBODY
    store, address, phone = change.key[1], normalise(customer.email), customer.phone
    n_outs = standings.of(Channel.EMAIL, address, store).n_outs if write.opts_in and write.kind is Kind.CONTACT else 0
    if write.opts_in_sms:
        n_outs += standings.of(Channel.SMS, phone, store).n_outs
    name = standings.name(Channel.EMAIL, address)[1] if address and write.kind is Kind.CONTACT else None
    if name is None and phone and write.is_retired:
        name = standings.name(Channel.SMS, phone)[1]
    return Behind(
        name, standings.name(Channel.SMS, phone)[1] if phone and write.opts_in_sms else None, n_outs, write.is_retired
    )


def _contact(shop: Shop, change: Change, customer: Customer, known: Known) -> Write:
    key, own, before = account_of(change), f"{shop.rules.namespace}{customer.id}", change.before
    spoken = known.spoken.get(own, UNSPOKEN)
    person = known.who.by_customer.get(key, own)
    held = known.helds.get((Kind.CONTACT, own), UNHELD)
    worth, on_hold = known.worths.get(key, NOTHING), known.holds.get(key)
    # An importer beside us would take an opt-out back that is not forced; one that went out unforced was looked at.
    must_force = spoken.must_force or (known.has_importer and not spoken.opts_out)
    elsewhere = _elsewhere(key, known)
    left = known.left.get(own)
    is_silent = own in known.silent

    def mapped(customer: Customer, person: str, lane: Lane) -> Write:
        email = known.standings.of(Channel.EMAIL, normalise(customer.email), shop.name)
        sms = word.said(customer.sms_consent, known.standings.of(Channel.SMS, customer.phone, shop.name))
        customer, sms = _with_number(customer, sms, left)
        return contact.contact(
            customer,
            person,
            shop.rules,
            lane,
            worth=worth,
            hold=on_hold,
            email_consent=None if is_silent else word.said(customer.email_consent, email),
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


def _retired(shop: Shop, change: Change, ended: Retired, known: Known) -> Write:
    own = f"{shop.rules.namespace}{ended.customer.id}"
    spoken = known.spoken.get(own, UNSPOKEN)
    # Under its own id: it must not speak for the person whom it was merged with.
    write = contact.retired(
        ended.customer,
        own,
        shop.rules,
        change.lane,
        was_opted_in=spoken.was_opted_in,
        has_heir=ended.has_heir,
        has_heir_of_phone=ended.has_heir_of_phone,
        was_opted_in_sms=spoken.was_opted_in_sms,
        was_forced=spoken.was_forced,
        held=known.helds.get((Kind.CONTACT, own), UNHELD),
    )
    # Whatever brought it: nobody is written to because of somebody who is gone.
    return replace(write, lane=Lane.REALTIME) if spoken.opts_in or spoken.was_opted_in_sms else write


def _second(shop: Shop, change: Change, customer: Customer, known: Known) -> Write | None:
    sms = word.said(customer.sms_consent, known.standings.of(Channel.SMS, customer.phone, shop.name))
    spoken = known.spoken.get(texting.texting_id(customer.id, shop.rules), UNSPOKEN)
    left = known.left.get(f"{shop.rules.namespace}{customer.id}")
    customer, sms = _with_number(customer, sms, left)
    write = texting.texting(
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


def _with_number(customer: Customer, sms: Consent | None, left: str | None) -> tuple[Customer, Consent | None]:
    """A customer without a number with the one that they were sent with, and without a yes to text messages."""
    if left is None or fields.phone(customer.phone, customer.country_code) is not None:
        return customer, sms
    return replace(customer, phone=left), None


def _retired_second(shop: Shop, ended: Retired, known: Known) -> Write | None:
    if not known.spoken.get(texting.texting_id(ended.customer.id, shop.rules), UNSPOKEN).is_there:
        return None
    return texting.retired(ended.customer, shop.rules, Lane.REALTIME, has_heir=ended.has_heir_of_phone)


def _elsewhere(key: Account, known: Known) -> frozenset[str]:
    return frozenset(one.field for one in known.elsewhere.get(key, ()))


def _lane(change: Change, customer: Customer) -> Lane:
    """Opt-outs, new people and changed addresses are in a hurry, whatever brought them, unless they are history."""
    before = change.before
    if change.lane is Lane.REALTIME or not isinstance(before, Customer) or not before.is_read:
        return change.lane
    opts_out = any(
        now is not None and now.state in OUT and (was is None or was.state not in OUT)
        for was, now in ((before.email_consent, customer.email_consent), (before.sms_consent, customer.sms_consent))
    )
    moved = (normalise(before.email), before.phone) != (normalise(customer.email), customer.phone)
    return Lane.REALTIME if opts_out or moved else change.lane
