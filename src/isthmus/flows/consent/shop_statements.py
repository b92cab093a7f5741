"""What a customer's readings, webhooks and changes state about consent, for the ledger."""

from collections.abc import Iterable

import msgspec

from isthmus.consent import shop_statement as words
from isthmus.consent.policy import LEFT, MOVED
from isthmus.consent.sql.ledger import RecordedClaim
from isthmus.flows.parse_events import ParsedUpdate
from isthmus.kit.email import normalise_email
from isthmus.model.consent import OUT, Channel, Claim
from isthmus.model.customer import ChannelConsent, Customer

FIELDS = {Channel.EMAIL: "email_consent", Channel.SMS: "sms_consent"}


def statements_of_reading(
    before: Customer | None, found: Customer, word: ParsedUpdate
) -> tuple[Customer, list[RecordedClaim]]:
    """A customer as read, with the word that stands per channel, and what that states."""
    heard, stands = [], {}
    read_at = word.said_at or word.event.received_at
    for channel, field in FIELDS.items():
        address, told = address_and_statement(channel, found)
        known_at, known = address_and_statement(channel, before) if before is not None else (None, None)
        is_moved = known_at is not None and known_at != address
        if told is None or (is_moved and told == known):
            stands[field] = told  # nothing, or what came along to a changed address
            continue
        stands[field], is_word = words.current_statement(None if is_moved else known, told, read_at=read_at)
        if address and (is_word or told != known):
            claim = _claim(channel, address, told, "shopify.reading", found.id)
            heard.append(RecordedClaim(word.key[1], claim, is_word, word.event.id or None))
    return msgspec.structs.replace(found, **stands), heard


def statements_of_claim(customer: Customer | None, word: ParsedUpdate) -> tuple[Customer | None, RecordedClaim]:
    """A customer with a claim as their word, None where it is not that, and what it states.

    A claim about somebody not read yet, or about an address that we do not know them by, waits for a reading to tell.
    """
    claim = word.claim
    assert claim is not None  # noqa: S101 - the caller has looked
    said, is_word = None, False
    address = normalise_email(claim.address) if claim.channel is Channel.EMAIL else claim.address
    if customer is not None and customer.is_read:
        own, known = address_and_statement(claim.channel, customer)
        if own == address:
            told = ChannelConsent(claim.state, claim.level, claim.at, claim.collected_from)
            stands, is_word = words.current_statement(known, told)
            said = msgspec.structs.replace(customer, **{FIELDS[claim.channel]: stands}) if is_word else None
    return said, RecordedClaim(word.key[1], claim, is_word, word.event.id or None)


def _claim(channel: Channel, address: str, told: ChannelConsent, source: str, customer_id: int) -> Claim:
    return Claim(channel, address, told.state, source, customer_id, told.updated_at, told.level, told.collected_from)


def address_and_statement(channel: Channel, customer: Customer) -> tuple[str | None, ChannelConsent | None]:
    """A customer's address on a channel, and the shop's word about it."""
    if channel is Channel.EMAIL:
        return normalise_email(customer.email), customer.email_consent
    return customer.phone, customer.sms_consent


def statements_of_address_change(
    store: str, before: Customer, after: Customer, event_id: int | None
) -> list[RecordedClaim]:
    """What a changed address states: the customer has left the old one and takes what was said along to the new.

    An opt-out holds at the new address from the change on; an opt-in was never given for it.
    """
    heard = []
    for channel in Channel:
        (old, word), (new, now) = address_and_statement(channel, before), address_and_statement(channel, after)
        if old == new:
            continue
        if old:
            heard.append(_left(store, channel, old, before.id, event_id))
        if new and word is not None and now == word:
            at = word.updated_at
            if word.state in OUT:
                at = max(at or after.updated_at, after.updated_at)
            claim = Claim(channel, new, word.state, MOVED, after.id, at, word.level)
            heard.append(RecordedClaim(store, claim, is_word=True, event_id=event_id))
    return heard


def statements_of_checkboxes(words: Iterable[ParsedUpdate]) -> list[RecordedClaim]:
    """What was ticked at checkouts: kept as evidence beside the statements, and no rule ever weighs it."""
    return [
        RecordedClaim(word.key[1], word.box, is_word=False, event_id=word.event.id or None, rule="evidence_only")
        for word in words
        if word.box is not None
    ]


def statements_of_deletion(store: str, customer: Customer, event_id: int | None) -> list[RecordedClaim]:
    """What it states that a customer is gone from the shop: they speak for nobody any more."""
    found = [(channel, address_and_statement(channel, customer)[0]) for channel in Channel]
    return [_left(store, channel, plain, customer.id, event_id) for channel, plain in found if plain]


def _left(store: str, channel: Channel, plain: str, customer_id: int, event_id: int | None) -> RecordedClaim:
    return RecordedClaim(
        store, Claim(channel, plain, LEFT, "shopify.left", customer_id), is_word=True, event_id=event_id
    )
