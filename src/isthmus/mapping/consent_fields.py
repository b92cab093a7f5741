"""What a shop's word about a channel is sent as: one table, every state named, nothing by default.

States: https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerEmailAddressMarketingState and
https://shopify.dev/docs/api/admin-graphql/latest/enums/CustomerSmsMarketingState. Shopify's opt-in level is evidence
and decides nothing.
"""

import re
from datetime import datetime

from msgspec import Struct

from isthmus.mapping.fields import to_utc
from isthmus.model.consent import Stance
from isthmus.model.customer import ChannelConsent
from isthmus.model.failure import RejectedError

_STATE = re.compile(r"[A-Z_]{1,40}")


TABLE = {
    "SUBSCRIBED": Stance.IN,
    "UNSUBSCRIBED": Stance.OUT,
    "INVALID": Stance.OUT,
    "REDACTED": Stance.OUT,
    "NOT_SUBSCRIBED": Stance.UNSAID,
    "NEVER_SUBSCRIBED": Stance.UNSAID,
    "PENDING": Stance.UNSAID,
}


class Permission(Struct, frozen=True):
    """A stance, and since when; `since` None is sent without a time."""

    stance: Stance
    since: datetime | None = None


def map_consent(consent: ChannelConsent | None, *, was_opted_in: bool, live_since: datetime | None) -> Permission:
    """What is sent for a channel's consent; None means the shop has no record of the channel, so nothing was said.

    Whoever was once sent as opted in and now says nothing is opted out. The time of an opt-in can start a welcome
    (https://support.ometria.com/hc/en-gb/articles/9881990633117), so it goes along only when the opt-in itself is later
    than `live_since`, whatever lane brought it. Raises RejectedError `storefront.consent_unknown_state`.
    """
    stance = TABLE.get(consent.state) if consent is not None else Stance.UNSAID
    since = to_utc(consent.updated_at) if consent is not None and consent.updated_at is not None else None
    if stance is None:
        raise RejectedError("storefront.consent_unknown_state", _shown(consent.state) if consent else "")
    if stance is Stance.UNSAID:
        return Permission(Stance.OUT, since) if was_opted_in else Permission(Stance.UNSAID)
    if stance is Stance.IN and (since is None or live_since is None or since <= live_since):
        return Permission(Stance.IN)
    return Permission(stance, since)


def _shown(state: str) -> str:
    """The state's name where it looks like one: whatever else stands there may be somebody's data."""
    return state if _STATE.fullmatch(state) else "no name of a state"


def map_ended_consent(consent: ChannelConsent | None, *, was_opted_in: bool) -> Permission:
    """What is sent for a channel of somebody who is gone: what allowed writing to them no longer does."""
    stance = TABLE.get(consent.state) if consent is not None else Stance.UNSAID
    if consent is not None and stance is Stance.OUT:
        return Permission(Stance.OUT, to_utc(consent.updated_at) if consent.updated_at is not None else None)
    return Permission(Stance.OUT if was_opted_in or stance is Stance.IN else Stance.UNSAID)
