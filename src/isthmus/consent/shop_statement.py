"""Which of two statements is a customer's word in the shop now, and what the contact of that customer is to say.

https://shopify.dev/docs/api/admin-graphql/latest/objects/CustomerEmailMarketingConsentState: a customer's state is the
record with the most recent time.
"""

from datetime import UTC, datetime

from isthmus.consent.decide import ConsentStatus
from isthmus.model.consent import IN, OUT, Stance
from isthmus.model.customer import ChannelConsent

_NEVER = datetime.min.replace(tzinfo=UTC)


def current_statement(
    known: ChannelConsent | None, told: ChannelConsent, *, read_at: datetime | None = None
) -> tuple[ChannelConsent, bool]:
    """The shop's word after hearing `told`, and whether it is that. `read_at` is when a reading began.

    A reading is the shop's present word, unless a statement was heard that was made after it began. A claim stands only
    when its own time is later; at the same time the opt-out stands.
    """
    if known is None:
        return told, True
    if known == told:
        return known, False
    before, after = known.updated_at or _NEVER, told.updated_at or _NEVER
    if read_at is not None:
        is_overtaken = known.updated_at is not None and known.updated_at > read_at and before > after
        return (known, False) if is_overtaken else (told, True)
    if after > before or (after == before and told.state in OUT and known.state not in OUT):
        return told, True
    return known, False


def consent_to_send(own: ChannelConsent | None, standing: ConsentStatus) -> ChannelConsent | None:
    """What a customer's contact is to say of one channel, in the shop's words: where the address stands, as far as this
    customer's own word does not say it already.

    An opt-in that another store's customer gave is no statement of this one, who may be silent; it only takes back an
    opt-out of theirs, which would silence the person everywhere.
    """
    match standing.stance:
        case Stance.OUT:
            if own is not None and own.state in OUT:
                return own
            return ChannelConsent("UNSUBSCRIBED", updated_at=standing.by.since if standing.by else None)
        case Stance.IN if own is not None and own.state == IN and _is_echo(own, standing):
            return ChannelConsent(IN, own.level)  # Ometria has welcomed them already
        case Stance.IN if own is None or own.state != IN:
            is_theirs = standing.by is not None and standing.by.side == "platform"
            return ChannelConsent(IN) if is_theirs or (own is not None and own.state in OUT) else own
        case _:
            return own


def _is_echo(own: ChannelConsent, standing: ConsentStatus) -> bool:
    """Whether the shop's word is what we wrote there, after somebody had said it on Ometria's side."""
    if standing.by is None or standing.by.side != "platform" or own.updated_at is None:
        return False
    return own.updated_at.replace(microsecond=0) == standing.by.since.replace(microsecond=0)
