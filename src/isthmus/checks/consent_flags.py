"""What a shop's consent record says of mailing somebody, in the three ways that can contradict each other."""

from enum import IntFlag

from isthmus.model.customer import ChannelConsent


class ConsentFlag(IntFlag):
    """Yes, no, nothing; or both, where several records of one person were heard."""

    NOTHING = 0
    IN = 1
    OUT = 2
    BOTH = 3


_BY_STATE = {
    "SUBSCRIBED": ConsentFlag.IN,
    "UNSUBSCRIBED": ConsentFlag.OUT,
    "INVALID": ConsentFlag.OUT,
    "REDACTED": ConsentFlag.OUT,
}


def consent_flag(consent: ChannelConsent | None) -> int:
    """A yes, a no, or nothing, as for every state that is neither."""
    return _BY_STATE.get(consent.state, ConsentFlag.NOTHING) if consent is not None else ConsentFlag.NOTHING
