"""What people do in mails and in the preference centre: forced listings, and lines of `GET /unsubscribes`.

Sources: https://support.ometria.com/hc/en-gb/articles/360011622878 (types; API unsubscribes are not returned),
https://support.ometria.com/hc/en-gb/articles/9881943263389 (the preference centre writes forced listings). That the
other types are forced as well is ASSUMED, and so is that a re-subscription is listed nowhere.
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


def find(account: Account, *, email: str | None = None, profile_id: str | None = None) -> Profile:
    """Return the one who acts; raises `ValueError` when the account knows nobody like that."""
    known = account.people.get(profile_id) or next(iter(account.people.by_email(email or "")), None)
    if known is None:
        raise ValueError("no profile with that email or profile_id")
    return known


def opt_out(account: Account, person: Profile, now: datetime, type_: str = EMAIL_TYPES[0]) -> None:
    """Unsubscribe a person as they would themselves, and list it after the account's `unsub_lag`."""
    if type_ in EMAIL_TYPES:
        _write(account, person, now, marketing_optin=OPTED_OUT, timestamp_unsubscribed=times.offset_text(now))
    elif type_ in SMS_TYPES:
        sms = {"allow_marketing": False, "dt_updated_marketing": times.offset_text(now)}
        _write(account, person, now, channels={"sms": sms})
    else:
        raise ValueError(f"unknown type; known: {', '.join(EMAIL_TYPES + SMS_TYPES)}")
    listed_at = now + timedelta(seconds=account.switches.unsub_lag)
    email = next(iter(person.values("email")), None)
    account.unsubscribes.append(Unsubscribe(email, person.id, now, type_, listed_at))
    account.counts["own_opt_outs"] += 1


def opt_in(account: Account, person: Profile, now: datetime) -> None:
    """Subscribe a person again in the preference centre."""
    _write(account, person, now, marketing_optin=OPTED_IN, timestamp_subscribed=times.offset_text(now))
    account.counts["own_opt_ins"] += 1


def _write(account: Account, person: Profile, now: datetime, **fields: Any) -> None:
    """Write the person's preference-centre listing, with the identifiers that keep it on their profile."""
    named = {kind: person.values(kind)[-1] for kind in ("customer_id", "email") if person.values(kind)}
    phones = [phone for row in account.listings_of(person.id) if (phone := row.record.get("phone_number"))]
    if phones:
        named["phone_number"] = phones[-1]
    record = {"@type": "contact", "@collection": PREFERENCE_CENTRE, "id": person.id, "@merge": True, **named, **fields}
    if "marketing_optin" in fields:
        record["@force_optin"] = True
    wrong = apply.one(account, record, rules_for(account.switches), now, PREFERENCE_CENTRE)
    if wrong is not None:
        raise ValueError(f"the preference centre could not write: {wrong.path}")
