"""Who may be mailed: what one write does to a listing, and how a profile's listings resolve to one answer.

Sources: https://support.ometria.com/hc/en-gb/articles/9881943263389 (force opt-in: forced listings win, then one
opted-out listing keeps the contact out; an older text of the same page is the hierarchy),
https://support.ometria.com/hc/en-gb/articles/360013407877 (tiers),
https://support.ometria.com/hc/en-gb/articles/9881990633117 (timestamps),
https://support.ometria.com/hc/en-gb/articles/20854035651101 (SMS double opt-in).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sims.ometria import times
from sims.ometria.shelf import Stored
from sims.ometria.switches import Switches
from sims.ometria.validate import NOT_SPECIFIED, OPTED_IN, OPTED_OUT

SMS_ASKED = "optin:sms"
"""Collection whose opt-ins only send the confirming text."""

SMS_CONFIRMED = "double_optin:sms"
"""Collection whose opt-ins count where an account wants double opt-in."""

_HIERARCHY = {"preference_centre": 0, "api": 1, "csv": 1, "form": 2, "importer": 3}
_TIERS = {"preference_centre": 0, "form": 0, "api": 1, "csv": 1, "importer": 1}
_DATES = {OPTED_IN: "timestamp_subscribed", OPTED_OUT: "timestamp_unsubscribed"}


@dataclass(frozen=True, slots=True)
class Consent:
    """What one listing says about email, since when Ometria knows it, and whether it was forced."""

    status: str | None
    is_forced: bool
    n: int  # number of the write, so that "latest" never ties


def written(
    before: Stored | None, sent: dict[str, Any], record: dict[str, Any], switches: Switches, now: datetime, n: int
) -> Consent:
    """Return the listing's consent after a write and put status and dates into `record`, the listing to be stored.

    `sent` is the push as it came, `record` the listing after replacement or merge. Last opt-in and opt-out dates are
    kept; a change of status without a date is dated now; a listing once forced heeds only forced writes.
    """
    held: Consent | None = before.consent if before else None
    for date in _DATES.values():
        if record.get(date) is None and before is not None and before.record.get(date) is not None:
            record[date] = before.record[date]
    status = record.get("marketing_optin")
    is_forced = sent.get("@force_optin") is True and sent.get("marketing_optin") is not None
    if held is not None and held.is_forced and not is_forced and switches.forced_listing == "sticky":
        return _refused(before, sent, record, held, switches)
    if status in _DATES and (held is None or held.status != status) and sent.get(_DATES[status]) is None:
        record[_DATES[status]] = times.offset_text(now)
    if is_forced:
        record["@force_optin"] = True
    else:
        record.pop("@force_optin", None)
    says_something = sent.get("marketing_optin") is not None
    return Consent(status, is_forced, n if says_something or held is None else held.n)


def resolved(listings: Iterable[Stored], switches: Switches) -> str | None:
    """Return what the profile of these listings counts as, or None when no listing says anything."""
    voices = [row for row in listings if row.consent is not None and row.consent.status is not None]
    if not voices:
        return None
    forced = [row for row in voices if row.consent.is_forced]
    if forced:
        if switches.forced_tie == "optout" and any(row.consent.status == OPTED_OUT for row in forced):
            return OPTED_OUT
        return _latest(forced)
    if switches.optin_model == "optout_priority":
        heard = {row.consent.status for row in voices}
        return next(status for status in (OPTED_OUT, OPTED_IN, NOT_SPECIFIED) if status in heard)
    ranks = _HIERARCHY if switches.optin_model == "hierarchy" else _TIERS
    best = min(ranks.get(row.source, 9) for row in voices)
    return _latest([row for row in voices if ranks.get(row.source, 9) == best])


def resolved_sms(listings: Iterable[Stored], switches: Switches) -> bool | None:
    """Return whether the profile may get marketing texts, by the newest listing that says so, or None."""
    newest: tuple[datetime, int] | None = None
    answer: bool | None = None
    for row in listings:
        sms = (row.record.get("channels") or {}).get("sms") or {}
        allowed = sms.get("allow_marketing")
        if allowed is None or (allowed and switches.sms_double_optin and row.collection != SMS_CONFIRMED):
            continue
        stamped = sms.get("dt_updated_marketing")
        key = (times.read(stamped) if stamped else row.updated_at, row.seq)
        if newest is None or key >= newest:
            newest, answer = key, allowed
    return answer


def _latest(rows: list[Stored]) -> str:
    status: str = max(rows, key=lambda row: row.consent.n).consent.status
    return status


def _refused(
    before: Stored | None, sent: dict[str, Any], record: dict[str, Any], held: Consent, switches: Switches
) -> Consent:
    """Keep a forced listing as it is; without enhanced force the dates move although the status does not."""
    record["marketing_optin"] = held.status
    record["@force_optin"] = True
    if switches.enhanced_force and before is not None and sent.get("marketing_optin") not in (None, held.status):
        for date in _DATES.values():
            record.pop(date, None)
            if date in before.record:
                record[date] = before.record[date]
    return held
