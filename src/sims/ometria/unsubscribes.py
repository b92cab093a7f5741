"""What people do in mails, in the preference centre and on forms: listings, and lines of `GET /unsubscribes`.

Sources: https://support.ometria.com/hc/en-gb/articles/360011622878 (types; API unsubscribes are not returned),
https://support.ometria.com/hc/en-gb/articles/9881943263389 (the preference centre writes forced listings). That the
other types are forced as well is ASSUMED, and so is that forms, files and re-subscriptions are listed nowhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sims.ometria import apply, times
from sims.ometria.account import PREFERENCE_CENTRE, Account, Unsubscribe
from sims.ometria.identity import Profile
from sims.ometria.validate import OPTED_IN, OPTED_OUT, rules_for

EMAIL_TYPES = ("preferences_centre", "app", "list_unsubscribe", "link_unsubscribe")
SMS_TYPES = ("stopword_unsubscribe_TF", "stopword_unsubscribe_DO")
UNLISTED = {"form": "forms", "csv": "csv_upload"}
"""Ways that no line of `GET /unsubscribes` tells of, and the collection each writes to; the names are ASSUMED."""

_STATES = {True: "SUBSCRIBED", False: "UNSUBSCRIBED"}
_STATUSES = {True: OPTED_IN, False: OPTED_OUT}
_DATES = {True: "timestamp_subscribed", False: "timestamp_unsubscribed"}


def find(account: Account, *, email: str | None = None, profile_id: str | None = None) -> Profile:
    """Return the one who acts; raises `ValueError` when the account knows nobody like that."""
    known = account.people.get(profile_id) or next(iter(account.people.by_email(email or "")), None)
    if known is None:
        raise ValueError("no profile with that email or profile_id")
    return known


def opt_out(account: Account, person: Profile, now: datetime, type_: str = EMAIL_TYPES[0]) -> None:
    """Unsubscribe a person as they would themselves, and list it after the account's `unsub_lag`."""
    if type_ not in EMAIL_TYPES + SMS_TYPES:
        raise ValueError(f"unknown type; known: {', '.join(EMAIL_TYPES + SMS_TYPES)}")
    channel = "email" if type_ in EMAIL_TYPES else "sms"
    _say(account, person, now, PREFERENCE_CENTRE, channel, is_in=False, is_forced=True)
    _heard(account, person, channel, False, now, type_)
    listed_at = now + timedelta(seconds=account.switches.unsub_lag)
    email = next(iter(person.values("email")), None)
    account.unsubscribes.append(Unsubscribe(email, person.id, now, type_, listed_at))
    account.counts["own_opt_outs"] += 1


def opt_in(account: Account, person: Profile, now: datetime, channel: str = "email") -> None:
    """Subscribe a person again in the preference centre."""
    _say(account, person, now, PREFERENCE_CENTRE, channel, is_in=True, is_forced=True)
    _heard(account, person, channel, True, now, "preferences_centre")
    account.counts["own_opt_ins"] += 1


def say_elsewhere(
    account: Account,
    person: Profile,
    now: datetime,
    way: str,
    *,
    is_in: bool,
    channel: str = "email",
    is_forced: bool = False,
) -> None:
    """Write what a person said on a form, or staff took from a file, to a listing of its own; nothing lists it."""
    if way not in UNLISTED:
        raise ValueError(f"unknown way; known: {', '.join(UNLISTED)}")
    _say(account, person, now, way, channel, is_in=is_in, is_forced=is_forced)
    _heard(account, person, channel, is_in, now, way)
    account.counts["unlisted_statements"] += 1


def _say(
    account: Account, person: Profile, now: datetime, source: str, channel: str, *, is_in: bool, is_forced: bool
) -> None:
    """Write the person's listing of a source, with the identifiers that keep it on their profile."""
    named = {kind: person.values(kind)[-1] for kind in ("customer_id", "email") if person.values(kind)}
    if phone := _phone(account, person):
        named["phone_number"] = phone
    if channel == "email":
        said: dict[str, Any] = {"marketing_optin": _STATUSES[is_in], _DATES[is_in]: times.offset_text(now)}
        if is_forced:
            said["@force_optin"] = True
    elif channel == "sms":
        said = {"channels": {"sms": {"allow_marketing": is_in, "dt_updated_marketing": times.offset_text(now)}}}
    else:
        raise ValueError("unknown channel; known: email, sms")
    collection = UNLISTED.get(source, source)
    record = {"@type": "contact", "@collection": collection, "id": person.id, "@merge": True, **named, **said}
    wrong = apply.one(account, record, rules_for(account.switches), now, source)
    if wrong is not None:
        raise ValueError(f"{source} could not write: {wrong.path}")


def _heard(account: Account, person: Profile, channel: str, is_in: bool, now: datetime, way: str) -> None:
    address = next(iter(person.values("email")), None) if channel == "email" else _phone(account, person)
    account.statements.hear("ometria", account.name, channel, address, _STATES[is_in], now, who=person.id, way=way)


def _phone(account: Account, person: Profile) -> str | None:
    phones = [phone for row in account.listings_of(person.id) if (phone := row.record.get("phone_number"))]
    return phones[-1] if phones else None
