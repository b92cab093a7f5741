"""Ask Ometria who unsubscribed: the quickest of its ways to tell, though it leaves out API, forms and files.

https://docs.ometria.com/reference/get_unsubscribes
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows import read_budget
from isthmus.flows.consent import platform_statements
from isthmus.flows.consent.platform_statements import PlatformStatement
from isthmus.flows.context import ConnectionContext
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.kit.email import normalise_email
from isthmus.model.consent import Channel, Claim
from isthmus.model.failure import Failure
from isthmus.ometria import responses
from isthmus.ometria.responses import Unsubscribed
from isthmus.runs.sql import watermarks as runs

MARK = "listen:unsubscribes"
WIDE = "listen:unsubscribes:wide"

OVERLAP = timedelta(minutes=10)
WIDE_OVERLAP = timedelta(days=2)
WIDE_EVERY = timedelta(hours=1)
"""When something is listed after it happened is not documented: once an hour we look back much further."""

HELD = timedelta(seconds=30)
"""How long a look is one worker's."""

SMS = "stopword"
"""How the types begin that were said by text message."""

SOURCE = "ometria.unsubscribes"

UNNAMED = "consent.unnamed_opt_out"


def poll_unsubscribes(db: Database, context: ConnectionContext) -> int:
    """One look at the list; how many statements it held that were asked for. The first reads all there ever were.

    One worker at a time looks.
    """
    now = context.clock.now()
    with db.transaction() as tx:
        if not runs.take_turn(tx, context.connection, MARK, now, now + HELD):
            return 0
    try:
        return _hear(db, context, now)
    finally:
        with db.transaction() as tx:
            runs.extend_turn(tx, context.connection, MARK, context.clock.now())


def _hear(db: Database, context: ConnectionContext, now: datetime) -> int:
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
    mark, wide = marks.get(("", MARK)), marks.get(("", WIDE))
    is_wide = wide is None or wide.at is None or wide.at + WIDE_EVERY <= now
    since = mark.at - (WIDE_OVERLAP if is_wide else OVERLAP) if mark is not None and mark.at is not None else None
    read_budget.acquire_read_slot(db, context)
    asked_at = context.clock.now()
    try:
        listed = context.platform.unsubscribes(since)
    except Failure as failure:
        with db.transaction() as tx:
            read_budget.record_failure(tx, context, failure, "unsubscribes")
        return 0
    named = _named(db, context, listed)
    said = [one for item in listed if (one := _said(item, named)) is not None]
    unnamed = [item for item in listed if _said(item, named) is None]
    with db.transaction() as tx:
        read_budget.record_success(tx, context, "unsubscribes")
        guests = platform_statements.record_platform_statements(tx, context, said, asked_at)
        runs.advance_watermark(tx, context.connection, "", MARK, asked_at, len(said))
        if is_wide:
            runs.advance_watermark(tx, context.connection, "", WIDE, asked_at, 0)
        touches = [
            Touch(UNNAMED, f"profile:{item.profile_id or 'unnamed'}", "", redacted_type(item)) for item in unnamed
        ]
        cases.open_or_count(tx, context.connection, touches, asked_at)
    # The opt-outs of the past are no items for anybody; they hold all the same.
    platform_statements.request_customer_search(db, context, guests, is_told=since is not None)
    return len(said)


def take_profile_opt_out(db: Database, context: ConnectionContext, profile: str, item: dict[str, Any] | None) -> None:
    """A profile whose opt-out named no address was looked at again: its opt-out is taken where it has one now."""
    subject = f"profile:{profile}"
    told = responses.parse_profile(item) if item is not None else None
    now = context.clock.now()
    with db.transaction() as tx:
        is_open = (UNNAMED, "", subject) in cases.open_subjects(tx, context.connection, [UNNAMED])
        if item is None:
            for code in (UNNAMED, platform_statements.GUEST):
                cases.resolve_by_code(
                    tx,
                    context.connection,
                    code,
                    now,
                    "consent",
                    subjects=[subject],
                    note="Ometria no longer has the profile, so it writes to nobody by it",
                )
            return
        email = normalise_email(told.email) if told is not None else None
        if not is_open or email is None:
            return
        guests = platform_statements.record_platform_statements(
            tx, context, [PlatformStatement(Claim(Channel.EMAIL, email, "UNSUBSCRIBED", SOURCE), subject)], now
        )
        cases.resolve_by_code(
            tx,
            context.connection,
            UNNAMED,
            now,
            "consent",
            subjects=[subject],
            note="the profile has an address now, and its opt-out was taken",
        )
    platform_statements.request_customer_search(db, context, guests, is_told=False)


def redacted_type(item: Unsubscribed) -> str:
    """What may be said of an unsubscription that names nobody: its type."""
    return responses.redacted(item.kind or "no type")


def _said(item: Unsubscribed, named: Mapping[str, KnownProfile]) -> PlatformStatement | None:
    """The statement, where its address is known: text messages are listed by the person's email."""
    who = f"{platform_statements.PROFILE}{item.profile_id or ''}"
    profile = named.get(item.profile_id or "")
    if (item.kind or "").startswith(SMS):
        phone = profile.phone if profile is not None else None
        return PlatformStatement(_claim(Channel.SMS, phone, item), who) if phone else None
    email = normalise_email(item.email) or (profile.email if profile is not None else None)
    return PlatformStatement(_claim(Channel.EMAIL, email, item), who) if email else None


def _claim(channel: Channel, address: str, item: Unsubscribed) -> Claim:
    return Claim(channel, address, "UNSUBSCRIBED", SOURCE, at=item.at, collected_from=item.kind)


def _named(db: Database, context: ConnectionContext, listed: Sequence[Unsubscribed]) -> dict[str, KnownProfile]:
    """The profiles of those whose address the list does not tell, from what we know or by asking."""
    wanted = {
        item.profile_id
        for item in listed
        if item.profile_id and ((item.kind or "").startswith(SMS) or not normalise_email(item.email))
    }
    if not wanted:
        return {}
    with db.transaction() as tx:
        known = profiles.known_profiles(tx, context.connection, sorted(wanted))
    for missing in sorted(wanted - known.keys()):
        read_budget.acquire_read_slot(db, context)
        now = context.clock.now()
        try:
            item = context.platform.profile(missing)
        except Failure:
            continue
        if item is not None and (found := responses.parse_profile(item)) is not None:
            known[missing] = known_profile(found, now)
    return known


def known_profile(told: responses.PlatformProfile, at: datetime) -> KnownProfile:
    """A profile as Ometria told it at a time."""
    return KnownProfile(
        told.id,
        normalise_email(told.email),
        told.phone,
        told.customer_id,
        told.email_optin,
        told.sms_optin,
        at,
        told.email_optin,
        told.sms_optin,
    )
