"""Look at what Ometria says of people, of whom no record says it: an unsubscription there changes none of ours.

Nothing is concluded from it here; that is the listening's work. Until that is done, and the shop says the same, their
contacts are not judged.
"""

from datetime import datetime

from isthmus.drift.sql import results as judged
from isthmus.flows.consent.poll_profiles import MARK, OVERLAP
from isthmus.flows.consent.poll_unsubscribes import known_profile
from isthmus.flows.consent.profile_facts import ProfileFacts, load_profile_facts
from isthmus.flows.read_budget import OVERLAP as ROWS_AGAIN
from isthmus.flows.read_budget import PAGE, acquire_shared_read_slot
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.flows.reconcile.scan_platform import OPTED_IN, PLATFORM
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.model.consent import Channel
from isthmus.ometria import responses
from isthmus.runs.sql import watermarks as runs

CASES = (
    "consent.unproven_resubscribe",
    "consent.blocked_by_listing",
    "consent.opt_out_refused",
    "storefront.consent_refused",
)
"""Open cases that say that somebody is not mailable on both sides."""

MOST = 1_000
"""People whose word is under way, of whom a run takes note."""


def scan_profiles(held: RunContext, step: str, cursor: str | None, n: int) -> int:  # noqa: ARG001 - from its first page again
    """Profiles that changed since Ometria was last listened to; how many."""
    found, apart = _look(held)
    with held.db.transaction() as tx:
        held.overruled = sorted(apart)
        judged.add_candidates(tx, held.context.connection, held.id, "contact", held.overruled)
        held.move(tx, step, None, found)
    held.tell_step(step, found, None, is_done=True)
    return found


def recheck_profiles(held: RunContext) -> None:
    """Keep of those whose word was under way the ones of whom it still is."""
    if held.overruled:
        _, apart = _look(held)
        held.overruled = sorted(apart & set(held.overruled))


def _look(held: RunContext) -> tuple[int, set[str]]:
    """How many people were looked at, and whose contacts do not say what Ometria does.

    Where it was never listened to there is no word of theirs to wait for.
    """
    connection = held.context.connection
    with held.db.transaction() as tx:
        mark = runs.load_watermarks(tx, connection).get(("", MARK))
    if mark is None or mark.at is None:
        return 0, set()
    found = _changed(held, mark.at - OVERLAP)
    with held.db.transaction() as tx:
        known = profiles.known_profiles(tx, connection, judged.profiles_to_recheck(tx, connection, CASES, MOST))
        changed = {one.id for one in found}
        some = [*found, *(one for own, one in sorted(known.items()) if own not in changed)]
        apart = {own for person in load_profile_facts(tx, held.context, some) for own in _apart(person)}
        return len(some), apart | judged.contacts_awaiting_store_update(tx, connection, held.stores, MOST)


def _changed(held: RunContext, since: datetime) -> list[KnownProfile]:
    offset, found = 0, list[KnownProfile]()
    while held.goes_on():
        acquire_shared_read_slot(held.db, held.context)
        at, first = held.now(), offset
        page = held.patiently(lambda: held.context.platform.profiles(offset=first, since=since))  # noqa: B023 - called at once
        found += [known_profile(told, at) for item in page if (told := responses.parse_profile(item)) is not None]
        held.note_read(PLATFORM, at)
        offset += len(page) - ROWS_AGAIN
        if len(page) < PAGE:
            break
    return found


def _apart(person: ProfileFacts) -> list[str]:
    """Contacts of a person to whom Ometria may write and we would not have it, or the other way round, by email or
    by text message. Who was asked by text and has yet to answer is left out.
    """
    apart = set()
    is_in = person.now.email_now == OPTED_IN
    if not (is_in and any(one.opts_in for one in person.contacts)):
        apart |= {one.id for one in person.contacts if one.opts_in is not is_in}
    if person.now.sms_now is not None and not person.is_asked:
        may_text = person.now.sms_now
        is_ours = any(one.opts_in_sms for one in person.speaking(Channel.SMS))
        if may_text is not is_ours:
            apart |= {one.id for one in person.contacts}
    return sorted(apart)
