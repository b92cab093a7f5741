"""What a shop's consent record says of mailing somebody, in the three ways that can contradict each other."""

from enum import IntFlag

from isthmus.model.customer import Consent


class Says(IntFlag):
    """Yes, no, nothing; or both, where several records of one person were heard."""

    NOTHING = 0
    IN = 1
    OUT = 2
    BOTH = 3


_BY_STATE = {
    "SUBSCRIBED": Says.IN,
    "UNSUBSCRIBED": Says.OUT,
    "INVALID": Says.OUT,
    "REDACTED": Says.OUT,
}


def says(consent: Consent | None) -> int:
    """A yes, a no, or nothing, as for every state that is neither."""
    return _BY_STATE.get(consent.state, Says.NOTHING) if consent is not None else Says.NOTHING
