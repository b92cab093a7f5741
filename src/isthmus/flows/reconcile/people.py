"""Look at what the platform says of people, of whom no record says it: an unsubscription there changes none of ours.

Nothing is concluded from it here; that is the listening's work. Until that is done, and the shop says the same, their
contacts are not judged.
"""

from datetime import datetime

from isthmus.drift.judged import sql as judged
from isthmus.flows.consent.person import Person, people_of
from isthmus.flows.consent.profiles import MARK, OVERLAP
from isthmus.flows.consent.unsubscribes import seen
from isthmus.flows.readings import OVERLAP as ROWS_AGAIN
from isthmus.flows.readings import PAGE, wait_for_a_share
from isthmus.flows.reconcile.held import Held
from isthmus.flows.reconcile.there import OPTED_IN, PLATFORM
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.model.consent import Channel
from isthmus.ometria import answers
from isthmus.runs import sql as runs

CASES = (
    "consent.unproven_resubscribe",
    "consent.blocked_by_listing",
    "consent.opt_out_refused",
    "storefront.consent_refused",
)
"""Open cases that say that somebody is not mailable on both sides."""

MOST = 1_000
"""People whose word is under way, of whom a run takes note."""


def look(held: Held, step: str, cursor: str | None, n: int) -> int:  # noqa: ARG001 - from its first page again
    """Profiles that changed since the platform was last listened to; how many."""
    found, apart = _look(held)
    with held.db.transaction() as tx:
        held.overruled = sorted(apart)
        judged.suspect(tx, held.road.connection, held.id, "contact", held.overruled)
        held.move(tx, step, None, found)
    held.tell_step(step, found, None, is_done=True)
    return found


def look_again(held: Held) -> None:
    """Keep of those whose word was under way the ones of whom it still is."""
    if held.overruled:
        _, apart = _look(held)
        held.overruled = sorted(apart & set(held.overruled))


def _look(held: Held) -> tuple[int, set[str]]:
    """How many people were looked at, and whose contacts do not say what the platform does.

    Where it was never listened to there is no word of theirs to wait for.
    """
    connection = held.road.connection
    with held.db.transaction() as tx:
        mark = runs.marks(tx, connection).get(("", MARK))
    if mark is None or mark.at is None:
        return 0, set()
    found = _changed(held, mark.at - OVERLAP)
    with held.db.transaction() as tx:
        known = profiles.known(tx, connection, judged.people_in_doubt(tx, connection, CASES, MOST))
        changed = {one.id for one in found}
        some = [*found, *(one for own, one in sorted(known.items()) if own not in changed)]
        apart = {own for person in people_of(tx, held.road, some) for own in _apart(person)}
        return len(some), apart | judged.to_be_written(tx, connection, held.stores, MOST)


def _changed(held: Held, since: datetime) -> list[Profile]:
    offset, found = 0, list[Profile]()
    while held.goes_on():
        wait_for_a_share(held.db, held.road)
        at, first = held.now(), offset
        page = held.patiently(lambda: held.road.platform.profiles(offset=first, since=since))  # noqa: B023 - called at once
        found += [seen(told, at) for item in page if (told := answers.profile(item)) is not None]
        held.note_read(PLATFORM, at)
        offset += len(page) - ROWS_AGAIN
        if len(page) < PAGE:
            break
    return found


def _apart(person: Person) -> list[str]:
    """Contacts of a person to whom the platform may write and we would not have it, or the other way round, by email or
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
