"""The box of a checkout, "email me with news and offers": what somebody ticked, which is not yet what they are.

A ticked box changes no customer by itself, and the shop's own consent record tells what came of it; it is kept as
evidence and decides nothing (docs/decisions/0015).
"""

import msgspec
from msgspec import Struct

from isthmus.kit.email import normalise_email
from isthmus.model.consent import BOX, IN, Channel, Claim
from isthmus.model.failure import RejectedError
from isthmus.shopify.parse.json import When, to_utc

TOPICS = frozenset({"orders/create", "checkouts/create", "checkouts/update"})
"""Where a box is heard of: later bodies of an order only repeat it."""


class _Body(Struct, gc=False):
    created_at: When
    email: str | None = None
    buyer_accepts_marketing: bool = False


_decode = msgspec.json.Decoder(_Body).decode


def parse_checkbox(topic: str, body: bytes) -> Claim | None:
    """What was ticked, as of when the basket or the order was made; None where nothing was, or nobody is named.

    Never raises: a body that cannot be read is refused by its own parser.
    """
    if topic not in TOPICS:
        return None
    try:
        raw = _decode(body)
        at = to_utc(raw.created_at)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, RejectedError):
        return None
    address = normalise_email(raw.email)
    if address is None or not raw.buyer_accepts_marketing:
        return None
    return Claim(Channel.EMAIL, address, IN, BOX, at=at, collected_from=topic.split("/")[0].upper())
