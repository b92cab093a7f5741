"""The body of a call by an automation's webhook node, whose template is ours to ask for (docs/howto/consent.md).

https://support.ometria.com/hc/en-gb/articles/20853618321949: JSON with merge tags; the account's people write it.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.model.consent import IN, Channel, Claim
from isthmus.model.failure import RejectedError
from isthmus.ometria.responses import as_text, parse_time

UNREADABLE = "consent.unreadable_call"
SOURCE = "ometria.hook"

_SAID = {"subscribe": IN, "subscribed": IN, "opt_in": IN}
_SAID |= dict.fromkeys(("unsubscribe", "unsubscribed", "opt_out"), "UNSUBSCRIBED")


class AutomationCall(Struct, frozen=True):
    """What a call says, and of which profile it does, where it names one."""

    claim: Claim
    profile_id: str | None


def parse_automation_call(body: bytes, received_at: datetime) -> AutomationCall:
    """Read a call. `event` says subscribe or unsubscribe, `channel` email (without it) or sms, `email` or `phone` whom,
    `timestamp` since when: an opt-in without one is no proof, an opt-out without one holds from now on.

    Raises RejectedError `consent.unreadable_call` that names the field.
    """
    try:
        told: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RejectedError(UNREADABLE, "the body is no JSON") from None
    if not isinstance(told, dict):
        raise RejectedError(UNREADABLE, "the body is no object")
    state = _SAID.get(str(told.get("event", "")).strip().lower())
    if state is None:
        raise RejectedError(UNREADABLE, "event: is neither subscribe nor unsubscribe")
    channel = {"": Channel.EMAIL, "email": Channel.EMAIL, "sms": Channel.SMS}.get(
        str(told.get("channel") or "").strip().lower()
    )
    if channel is None:
        raise RejectedError(UNREADABLE, "channel: is neither email nor sms")
    field = "email" if channel is Channel.EMAIL else "phone"
    address = (as_text(told.get(field)) or "").strip()
    if not _is_address(channel, address):
        raise RejectedError(UNREADABLE, f"{field}: is missing or no address")
    at = None
    if told.get("timestamp") not in (None, ""):
        at = parse_time(told["timestamp"])
        if at is None or at > received_at:
            raise RejectedError(UNREADABLE, "timestamp: is no time, or in the future")
    claim = Claim(channel, address, state, SOURCE, at=at, collected_from=as_text(told.get("source")))
    return AutomationCall(claim, as_text(told.get("profile_id")))


def _is_address(channel: Channel, address: str) -> bool:
    if channel is Channel.EMAIL:
        return "@" in address and " " not in address and len(address) <= 320
    return address.startswith("+") and address[1:].isdecimal() and len(address) <= 16
