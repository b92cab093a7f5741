"""Hold what a shop says now of some customers against what the platform says of them, channel by channel."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.consent import sql as ledger
from isthmus.consent import word as words
from isthmus.consent.accord import differ
from isthmus.consent.decide import Standing, Statement, decide
from isthmus.consent.sql import Address
from isthmus.consent.writes import sql as writes
from isthmus.db.pool import Tx
from isthmus.drift import sql as drift
from isthmus.flows.consent import conclude, person, standing, statements
from isthmus.flows.consent.standing import Standings
from isthmus.flows.road import Road
from isthmus.identity import sql as identity
from isthmus.identity.profiles import sql as profiles
from isthmus.identity.profiles.sql import Profile
from isthmus.kit.email import normalise
from isthmus.mapping import fields
from isthmus.mapping.texting import texting_id
from isthmus.model.accord import Differs, Sort
from isthmus.model.basis import Reason
from isthmus.model.consent import Channel, Stance
from isthmus.model.customer import Consent, Customer, Here
from isthmus.model.write import Kind
from isthmus.outbox.spoken import sql as spoken
from isthmus.outbox.spoken.sql import Contact
from isthmus.outbox.words import sql as rows_of
from isthmus.records import sql as records

CODES = (
    conclude.BLOCKED, conclude.UNPROVEN, conclude.REFUSED, "storefront.consent_refused",
    "storefront.consent_unknown_state", "storefront.scope_missing",
)  # fmt: skip
"""Cases that explain a difference."""

Name = tuple[str, int]
"""A store and the number of a customer there."""


class Judged(Struct, frozen=True):
    """One customer: how the sides differ, if they do; why nobody can tell, if so; and whether the shop says something
    that we have not heard.

    `is_young` says that whatever differs is younger than the grace period. `stance` is the shop's side: in where it may
    write to them on any channel, else its side by email.
    """

    who: Name
    stance: Stance
    is_known_there: bool
    differs: tuple[Differs, ...] = ()
    reason: Reason | None = None
    is_young: bool = False
    is_missed: bool = False
    is_told: bool = False
    """Whether the shop told of something by webhook since the audit began."""
    addresses: frozenset[Address] = frozenset()
    """The ledger's names of their addresses, and of the one they had before where they have moved."""
    rests_on_others: bool = False
    """Whether other customers spoke about these addresses, too, so that what is not heard of them counts here."""


class Asked(Struct, frozen=True):
    """What the judging of some customers rests on: when their shop was read, when the audit began, and which profiles
    the platform listed; None where all that we know of are as they are now."""

    store: str
    read_at: datetime
    began: datetime
    listed: Collection[str] | None
    repair: bool
    told_since: datetime


class _Side(Struct, frozen=True):
    """One channel of one customer."""

    channel: Channel
    word: Consent | None
    where: Standing
    platform: Stance
    is_missed: bool
    moving_since: datetime | None
    settled_at: datetime | None


def judge(tx: Tx, road: Road, asked: Asked, here: Sequence[Here]) -> list[Judged]:
    """Each of these customers as the shop says now."""
    store = asked.store
    rules = road.shops[store].rules
    kept = records.load(tx, road.connection, [("customer", store, str(one.id)) for one in here], road.packer)
    known = {
        int(key[2]): one.record for key, one in kept.items() if isinstance(one.record, Customer) and one.record.is_read
    }
    stand = standing.of_addresses(tx, road, sorted(_addresses(here)))
    emails = sorted({e for one in here if (e := normalise(one.email))})
    there: dict[str, list[Profile]] = {}
    for profile in profiles.of_emails(tx, road.connection, emails):
        if asked.listed is None or profile.id in asked.listed:
            there.setdefault(profile.email or "", []).append(profile)
    phones = {one.id: phone for one in here if normalise(one.email) is None and (phone := _phone(one, known))}
    for profile in profiles.of_identifiers(tx, road.connection, [], [], sorted(set(phones.values()))):
        if profile.phone is not None and (asked.listed is None or profile.id in asked.listed):
            there.setdefault(profile.phone, []).append(profile)
    names = {one.id: f"{rules.namespace}{one.id}" for one in here}
    contacts = spoken.contacts(tx, road.connection, list(names.values()))
    words_of = rows_of.of_contacts(tx, road.connection, list(names.values()))
    seconds = {one.id: texting_id(one.id, rules) for one in here}
    texting = spoken.contacts(tx, road.connection, list(seconds.values()), Kind.SMS)
    writing = writes.under_way(tx, road.connection, store, [one.id for one in here])
    cases = drift.open_cases(tx, road.connection, [f"customer:{one.id}" for one in here])
    found = []
    for one in here:
        mine = there.get(normalise(one.email) or phones.get(one.id, ""), [])
        row, second = contacts.get(names[one.id]), texting.get(seconds[one.id])
        state = words_of[names[one.id]].state if names[one.id] in words_of else None
        sides = [
            side
            for channel in Channel
            if (side := _side(road, asked, stand, channel, one, known.get(one.id), mine, row, second, writing))
            is not None
        ]
        code = next((c for c in cases.get((store, f"customer:{one.id}"), ()) if c in CODES), "")
        judged = _judged(road, asked, one, mine, sides, state, code)
        if (
            judged.reason is None
            and not judged.differs
            and row is not None
            and row.opts_in
            and _has_moved(one, known.get(one.id))
        ):
            # The platform may write to the address that they had, whoever has it now.
            judged = msgspec.structs.replace(judged, reason=Reason.NOT_COMPARED, is_missed=True)
        if judged.reason is None and not judged.differs and not mine and row and row.opts_in and row.is_moving:
            # Its opt-in may have been applied since the platform was read.
            judged = msgspec.structs.replace(judged, reason=Reason.IN_FLIGHT)
        theirs = {stand.name(channel, plain) for channel in Channel if (plain := _of(channel, one)[0])}
        own = (store, one.id)
        rests_on_others = any(
            s.customer_id is not None and (s.store, s.customer_id) != own
            for name in theirs
            for s in stand.said.get(name, ())
        )
        if (last := known.get(one.id)) is not None:
            theirs |= addresses_of(road, last)
        found.append(
            msgspec.structs.replace(
                judged, is_told=_is_told(asked, stand, one), addresses=frozenset(theirs),
                rests_on_others=rests_on_others,
            )
        )  # fmt: skip
    return found


def addresses_of(road: Road, customer: Customer) -> frozenset[Address]:
    """The ledger's names of the addresses that a customer has as we know them."""
    plain = {Channel.EMAIL: normalise(customer.email), Channel.SMS: customer.phone}
    return frozenset((channel, ledger.address(road.hash_key, channel, one)) for channel, one in plain.items() if one)


def _has_moved(one: Here, known: Customer | None) -> bool:
    """Whether the shop has another address of somebody, or none any more, and has not told us."""
    if known is None or one.updated_at <= known.updated_at:
        return False
    return normalise(known.email) not in (None, normalise(one.email))


def _judged(
    road: Road, asked: Asked, one: Here, mine: Sequence[Profile], sides: Sequence[_Side], state: str | None, code: str
) -> Judged:
    who = (asked.store, one.id)
    email = next((side for side in sides if side.channel is Channel.EMAIL), None)
    stance = email.where.stance if email is not None else Stance.UNSAID
    if any(side.where.stance is Stance.IN for side in sides):
        stance = Stance.IN
    is_missed = any(side.is_missed for side in sides)
    if not mine and stance is not Stance.IN:
        return Judged(who, stance, is_known_there=False, is_missed=is_missed)
    if not mine and state == "excluded":
        return Judged(who, stance, is_known_there=False, reason=Reason.EXCLUDED, is_missed=is_missed)
    if not mine and not road.is_live:
        # The shop may write to them; in shadow mode nothing is sent, so the platform cannot know them yet.
        return Judged(who, stance, is_known_there=False, reason=Reason.WAITING, is_missed=is_missed)
    if not mine and not asked.repair:
        # Whom the platform has only now was noted nowhere.
        return Judged(who, stance, is_known_there=False, reason=Reason.NOT_COMPARED, is_missed=is_missed)
    differs, young, moving = [], [], []
    now = road.clock.now()
    for side in sides:
        sort = differ(side.word, side.where, side.platform, is_moving=side.moving_since is not None)
        if sort is None:
            continue
        since = side.moving_since
        said_at = side.word.updated_at if side.word is not None and side.is_missed else None
        is_young = any(at is not None and now - at < road.pace.drift_grace for at in (since, said_at, side.settled_at))
        young.append(is_young)
        moving.append(since is not None)
        differs.append(_differs(asked.store, one, side, sort, mine, code))
    reason = None
    if differs:
        if all(young):
            reason = Reason.IN_FLIGHT if all(moving) else Reason.YOUNG
        elif all(moving):
            reason = Reason.WAITING
    return Judged(
        who, stance, bool(mine), tuple(differs), reason, is_young=bool(differs) and all(young), is_missed=is_missed
    )


def _side(
    road: Road, asked: Asked, stand: Standings, channel: Channel, one: Here, known: Customer | None,
    mine: Sequence[Profile], row: Contact | None, second: Contact | None,
    writing: Mapping[tuple[int, Channel], datetime],
) -> _Side | None:  # fmt: skip
    """A channel with an address; None where nobody can be written to by it, or nothing was ever said of it."""
    plain, told = _of(channel, one)
    rules = road.shops[asked.store].rules
    if plain is None:
        return None
    own, before = statements.of(channel, known) if known is not None else (None, None)
    word, is_missed = told, False
    if told is not None:
        # The reading is the shop's present word, but for what was said and heard after it began.
        word, is_missed = words.stands(before if own == plain else None, told, read_at=asked.read_at)
    where = stand.of(channel, plain, asked.store)
    if is_missed and word is not None:
        where = _heard(road, asked, stand, channel, plain, one.id, word)
    is_missed = is_missed and (before is None or before.state != (word.state if word else None) or own != plain)
    platform = _says(channel, mine)
    if channel is Channel.SMS and all(p.sms_now is None for p in mine):
        is_sent = not rules.sms_double_optin and fields.phone(plain, known.country_code if known else None) is not None
        if where.stance is not Stance.IN or not is_sent:
            return None
    moving = [
        row.since if row is not None and row.is_moving else None,
        writing.get((one.id, channel)),
        # This very audit brought it to light.
        where.by.heard_at if where.by is not None and where.by.heard_at >= asked.began and not is_missed else None,
    ]
    if channel is Channel.SMS and second is not None and (second.is_moving or second.is_asking):
        moving.append(second.since)
    since = [at for at in moving if at is not None]
    settled_at = row.settled_at if row is not None else None
    return _Side(channel, word, where, platform, is_missed, min(since, default=None), settled_at)


def _is_told(asked: Asked, stand: Standings, one: Here) -> bool:
    return any(
        s.source == "shopify.webhook" and (s.store, s.customer_id) == (asked.store, one.id)
        and s.heard_at >= asked.told_since
        for channel in Channel
        if (plain := _of(channel, one)[0])
        for s in stand.said.get(stand.name(channel, plain), ())
    )  # fmt: skip


def _heard(
    road: Road, asked: Asked, stand: Standings, channel: Channel, plain: str, customer_id: int, word: Consent
) -> Standing:
    """Where the address stands once we have heard what the shop says."""
    made = Statement(
        word.state, "shopify.reading", road.clock.now(), word.updated_at, asked.store, customer_id, word.level
    )
    return decide([*stand.said.get(stand.name(channel, plain), []), made], road.policy, asked.store)


def _differs(store: str, one: Here, side: _Side, sort: Sort, mine: Sequence[Profile], code: str) -> Differs:
    word, by = side.word, side.where.by
    return Differs(
        sort, store, one.id, side.channel.value, word.state if word else "–", word.updated_at if word else None,
        side.platform.value if mine else "not there", max((p.seen_at for p in mine), default=None),
        side.where.stance.value, side.where.rule, by.source if by else "", by.since if by else None, code,
        is_missed=side.is_missed,
    )  # fmt: skip


def _says(channel: Channel, mine: Sequence[Profile]) -> Stance:
    """What the platform's people with this address come to: a yes counts, since it is what mails."""
    if channel is Channel.EMAIL:
        said = {person.stance(one.email_now) for one in mine}
    else:
        said = {{True: Stance.IN, False: Stance.OUT, None: Stance.UNSAID}[one.sms_now] for one in mine}
    return next((one for one in (Stance.IN, Stance.OUT, Stance.UNSAID) if one in said), Stance.UNSAID)


def of_retired(tx: Tx, road: Road, after: str, limit: int) -> tuple[list[tuple[Name, list[Profile]]], str | None]:
    """Contacts that were retired and opt out, with the platform's people of their address of whom no living customer
    speaks; and where the next page begins."""
    page = spoken.all_retired(tx, road.connection, after, limit)
    found = []
    for one in page:
        if one.body is None or one.store not in road.shops or not one.opts_out:
            continue
        said = msgspec.json.decode(road.packer.unpack(one.body))
        email = normalise(said.get("email")) if isinstance(said.get("email"), str) else None
        if email is not None:
            number = int((one.subject or ":0").partition(":")[2])
            found.append(((one.store, number), profiles.of_emails(tx, road.connection, [email])))
    return found, page[-1].id if len(page) == limit else None


def of_gone(
    tx: Tx, road: Road, store: str, numbers: Sequence[int]
) -> list[tuple[int, list[Profile], frozenset[Address]]]:
    """Customers who are gone, as we know them, with the platform's people of their address of whom nobody else of ours
    speaks, and the ledger's names of their addresses."""
    kept = records.load(tx, road.connection, [("customer", store, str(number)) for number in numbers], road.packer)
    found = []
    for key, one in sorted(kept.items()):
        email = normalise(one.record.email) if isinstance(one.record, Customer) else None
        own = (store, int(key[2]))
        others = {link.account for link in identity.of_emails(tx, road.connection, [email])} - {own} if email else set()
        mine = profiles.of_emails(tx, road.connection, [email]) if email and not others else []
        names = addresses_of(road, one.record) if isinstance(one.record, Customer) else frozenset()
        found.append((own[1], mine, names))
    return found


def _of(channel: Channel, one: Here) -> tuple[str | None, Consent | None]:
    if channel is Channel.EMAIL:
        return normalise(one.email), one.email_consent
    return one.phone, one.sms_consent


def _phone(one: Here, known: Mapping[int, Customer]) -> str | None:
    """The number as the platform has it."""
    mine = known.get(one.id)
    return fields.phone(one.phone, mine.country_code if mine else None)


def _addresses(here: Sequence[Here]) -> set[tuple[Channel, str]]:
    found = {(channel, plain) for one in here for channel in Channel if (plain := _of(channel, one)[0])}
    return {(channel, plain) for channel, plain in found if plain}
