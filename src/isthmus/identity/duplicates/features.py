"""A store's customer as a search for duplicates sees one: every value in the form in which it is compared."""

import re
import unicodedata

from msgspec import Struct

from isthmus.kit.email import normalise_email
from isthmus.kit.phone import to_e164
from isthmus.model.customer import Customer

_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Hosts that read no dots (https://support.google.com/mail/answer/7436150)."""

_TAGGED = re.compile(r"\+[^@]*")
_LETTERS = re.compile(r"[^\w]+|_")


class PersonFeatures(Struct, frozen=True, gc=False):
    """One customer of one store. `mailbox` is the email without what a mail host leaves out of account (a plus tag,
    dots at Gmail): two spellings of one mailbox, perhaps. Names are words without case and accents.
    """

    store: str
    id: int
    contact: str
    email: str | None = None
    mailbox: str | None = None
    phones: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    postcode: str | None = None
    house: str | None = None

    @property
    def name(self) -> tuple[str, ...]:
        """All words of the name, sorted: some write the last name first."""
        return tuple(sorted((*self.first, *self.last)))


def person_features(store: str, contact: str, customer: Customer) -> PersonFeatures:
    """The customer in the form in which duplicates are looked for."""
    email = normalise_email(customer.email)
    return PersonFeatures(
        store=store,
        id=customer.id,
        contact=contact,
        email=email,
        mailbox=mailbox_key(email),
        phones=phone_numbers(customer),
        first=name_words(customer.firstname),
        last=name_words(customer.lastname),
        postcode=normalise_postcode(customer.postcode),
        house=customer.house,
    )


def phone_numbers(customer: Customer) -> tuple[str, ...]:
    """Every number the customer gave, as E.164. A shop keeps the customer's own unique, but not that of an address."""
    told = (to_e164(number, customer.country_code) for number in (customer.phone, customer.address_phone))
    return tuple(dict.fromkeys(number for number in told if number is not None))


def mailbox_key(email: str | None) -> str | None:
    """What spellings of one mailbox have in common; of a normalised address."""
    if email is None:
        return None
    local, _, host = email.rpartition("@")
    plain = _TAGGED.sub("", local) or local
    if host in _DOTLESS:
        return f"{plain.replace('.', '') or plain}@gmail.com"
    return f"{plain}@{host}"


def name_words(name: str | None) -> tuple[str, ...]:
    """`("oconnor", "zoe")` of "O'Connor Zoë": letters only, without case and accents."""
    if not name:
        return ()
    plain = unicodedata.normalize("NFKD", name.replace("'", "").replace("’", "")).casefold()
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    return tuple(word for word in _LETTERS.split(letters) if word)


def normalise_postcode(text: str | None) -> str | None:
    """Without case and spaces, which people vary."""
    return ("".join(text.split()).casefold() or None) if text else None
