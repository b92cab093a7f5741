"""One of Ometria's profiles with all that we know of the person behind it, and what it means that it says this."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.consent import platform_change
from isthmus.consent.decide import Statement
from isthmus.consent.platform_change import PlatformConsentFacts, ProfileChange
from isthmus.db.pool import Tx
from isthmus.flows.consent import consent_status
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext
from isthmus.identity.match import Link
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.mapping.sms_contact import sms_contact_id
from isthmus.model.consent import OUT, Channel, Stance
from isthmus.model.write import RecordKind
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.outbox.sql.contact_consent import ContactConsent

_STANCES = {"EXPLICITLY_OPTEDIN": Stance.IN, "EXPLICITLY_OPTEDOUT": Stance.OUT}


class ProfileFacts(Struct, frozen=True):
    """One profile with what we know of the person: how it was, our contacts, and where the addresses stand."""

    now: KnownProfile
    before: KnownProfile | None
    links: tuple[Link, ...]
    contacts: tuple[ContactConsent, ...]
    texting: tuple[ContactConsent, ...]
    """The second contacts, where the account has double opt-in by text message."""
    standings: ConsentStatuses
    retired: tuple[ContactConsent, ...] = ()
    """Contacts of customers who are gone or have no address any more, that were sent with this person's address."""

    def speaking(self, channel: Channel) -> tuple[ContactConsent, ...]:
        """The contacts that say what is allowed on a channel."""
        return self.contacts if channel is Channel.EMAIL else (*self.contacts, *self.texting)

    def is_moving(self, channel: Channel) -> bool:
        return any(one.is_moving for one in (*self.speaking(channel), *self.retired))

    @property
    def is_retired(self) -> bool:
        """Whether a contact of somebody who is gone says no to this address, or said so until now."""
        return any(one.opts_out or one.is_moving for one in self.retired)

    @property
    def is_opted_out_by_text(self) -> bool:
        """Whether a contact of ours says no to text messages only because the shop does not say yes any more."""
        return any(one.was_opted_in_sms and not one.opts_in_sms for one in self.contacts) or any(
            not one.opts_in_sms for one in self.texting
        )

    @property
    def is_asked(self) -> bool:
        """Whether they were asked by text message and have yet to answer."""
        return any(one.is_asking for one in self.texting)

    def sent_since(self, channel: Channel, at: Callable[[ContactConsent], datetime | None]) -> bool:
        since = self.before.seen_at if self.before is not None else None
        sent = [at(one) for one in self.speaking(channel)]
        return any(one is not None and (since is None or one >= since) for one in sent)

    def stances(self, channel: Channel, plain: str) -> set[Stance]:
        """Where the person stands in each shop that knows them; in none, where the account stands."""
        return {self.standings.of(channel, plain, link.store).stance for link in self.links} or {
            self.standings.of(channel, plain, "").stance
        }

    def said_out(self, channel: Channel, plain: str) -> list[Statement]:
        known = self.standings.said.get(self.standings.name(channel, plain), [])
        return [s for s in known if s.side == "platform" and s.state in OUT]

    @property
    def subjects(self) -> list[tuple[str, str]]:
        """(store, subject) of the cases about this person."""
        return [(link.store, f"customer:{link.customer_id}") for link in self.links] or [("", f"profile:{self.now.id}")]


def load_profile_facts(tx: Tx, context: ConnectionContext, found: Sequence[KnownProfile]) -> list[ProfileFacts]:
    """These profiles, as they are now, each with its person."""
    before = profiles.known_profiles(tx, context.connection, [one.id for one in found])
    emails = sorted({one.email for one in found if one.email})
    links: dict[str, list[Link]] = {}
    for link in identity.links_of_emails(tx, context.connection, emails):
        links.setdefault(link.email or "", []).append(link)
    ours = [link for some in links.values() for link in some]
    rows = spoken.sent_consent_of(tx, context.connection, [link.contact for link in ours])
    texting = spoken.sent_consent_of(
        tx, context.connection, [own for link in ours if (own := _texting(context, link))], RecordKind.SMS
    )
    standings = consent_status.consent_of_addresses(
        tx,
        context,
        [(Channel.EMAIL, email) for email in emails] + [(Channel.SMS, one.phone) for one in found if one.phone],
    )
    names = [standings.name(Channel.EMAIL, email)[1] for email in emails]
    retired = spoken.retired_contacts(tx, context.connection, names)
    return [
        ProfileFacts(
            one,
            before.get(one.id),
            tuple(mine),
            tuple(row for link in mine if (row := rows.get(link.contact)) is not None),
            tuple(row for link in mine if (row := texting.get(_texting(context, link))) is not None),
            standings,
            tuple(retired.get(standings.name(Channel.EMAIL, one.email)[1], ())) if one.email else (),
        )
        for one in found
        for mine in [links.get(one.email or "", [])]
    ]


def _texting(context: ConnectionContext, link: Link) -> str:
    """The id of somebody's second contact; empty for a store that is no longer of this connection."""
    return sms_contact_id(link.customer_id, context.shops[link.store].rules) if link.store in context.shops else ""


def classify_channels(context: ConnectionContext, person: ProfileFacts) -> list[tuple[Channel, str, ProfileChange]]:
    """What each channel of a profile tells. One whose address is none of ours tells nothing."""
    now, before = person.now, person.before
    told = []
    if now.email is not None:
        stances = person.stances(Channel.EMAIL, now.email)
        outs = person.said_out(Channel.EMAIL, now.email)
        since = before.seen_at if before is not None else None
        facts = PlatformConsentFacts(
            stance=_strictest(stances),
            was=stance_of_optin(before.email_optin if before is not None else None),
            now=stance_of_optin(now.email_optin),
            is_first=before is None or before.email != now.email,
            has_contact=bool(person.contacts),
            is_moving=person.is_moving(Channel.EMAIL),
            sent_in=person.sent_since(Channel.EMAIL, lambda one: one.opted_in_at),
            sent_out=person.sent_since(Channel.EMAIL, lambda one: one.opted_out_at),
            is_explained=any(since is None or s.heard_at >= since or s.since >= since for s in outs),
            is_retired=person.is_retired,
            may_opt_in=context.policy.authority == "platform",
        )
        told.append((Channel.EMAIL, now.email, platform_change.classify_profile_change(facts)))
        if len(stances) > 1 and facts.now is Stance.OUT and not facts.is_moving:
            told[-1] = (Channel.EMAIL, now.email, ProfileChange.BLOCKED)  # one store's opt-out silences them for all
    if now.phone is not None and now.sms_optin is not None:
        was = before.sms_optin if before is not None else None
        is_moving = person.is_moving(Channel.SMS)
        # Whose contact goes on to another number: the opt-out of the one that it leaves was understood when it came.
        is_known = before is not None and before.phone == now.phone and was is False
        facts = PlatformConsentFacts(
            stance=_strictest(person.stances(Channel.SMS, now.phone)),
            was={True: Stance.IN, False: Stance.OUT, None: Stance.UNSAID}[was],
            now=Stance.IN if now.sms_optin else Stance.OUT,
            is_first=before is None or before.phone != now.phone,
            has_contact=bool(person.contacts),
            is_moving=is_moving,
            sent_in=person.sent_since(Channel.SMS, lambda one: one.settled_at),
            sent_out=person.sent_since(Channel.SMS, lambda one: one.settled_at),
            is_explained=bool(person.said_out(Channel.SMS, now.phone)),
            is_asked=person.is_asked,
            is_retired=person.is_retired or person.is_opted_out_by_text or (is_known and is_moving),
            may_opt_in=context.policy.authority == "platform",
        )
        told.append((Channel.SMS, now.phone, platform_change.classify_profile_change(facts)))
    return told


def stance_of_optin(optin: str | None) -> Stance:
    """What Ometria's own word stands for."""
    return _STANCES.get(optin or "", Stance.UNSAID)


def _strictest(stances: set[Stance]) -> Stance:
    return next(stance for stance in (Stance.OUT, Stance.IN, Stance.UNSAID) if stance in stances)
