"""Hold what a shop says now of some customers against what Ometria says of them, channel by channel."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from isthmus.consent import shop_statement as words
from isthmus.consent.decide import NOTHING, ConsentStatus, Statement, decide_consent
from isthmus.consent.policy import LEFT
from isthmus.consent.side_comparison import compare_sides
from isthmus.consent.sql import ledger
from isthmus.consent.sql import store_updates as writes
from isthmus.consent.sql.ledger import Address
from isthmus.db.pool import Tx
from isthmus.drift.sql import observations as drift
from isthmus.flows.consent import apply_profile_changes, consent_status, profile_facts, shop_statements
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext
from isthmus.identity.sql import links as identity
from isthmus.identity.sql import profiles
from isthmus.identity.sql.profiles import KnownProfile
from isthmus.kit.email import normalise_email
from isthmus.mapping import fields
from isthmus.mapping.sms_contact import sms_contact_id
from isthmus.model.basis import NotJudgedReason
from isthmus.model.consent import Channel, Stance
from isthmus.model.consent_comparison import ConsentDifference, DifferenceKind
from isthmus.model.customer import ChannelConsent, Customer, Here
from isthmus.model.write import RecordKind
from isthmus.outbox.sql import contact_consent as spoken
from isthmus.outbox.sql import contacts as rows_of
from isthmus.outbox.sql.contact_consent import ContactConsent
from isthmus.records.sql import store as records

CODES = (
    apply_profile_changes.BLOCKED,
    apply_profile_changes.UNPROVEN,
    apply_profile_changes.REFUSED,
    "storefront.consent_refused",
    "storefront.consent_unknown_state",
    "storefront.scope_missing",
    "integration.missed_change",
)
"""Cases that explain a difference."""

Name = tuple[str, int]
"""A store and the number of a customer there."""


class ConsentComparison(Struct, frozen=True):
    """One customer: how the sides differ, if they do; why nobody can tell, if so; and whether the shop says something
    that we have not heard.

    `is_young` says that whatever differs is younger than the grace period. `stance` is the shop's side: in where it may
    write to them on any channel, else its side by email.
    """

    who: Name
    stance: Stance
    is_known_there: bool
    differs: tuple[ConsentDifference, ...] = ()
    reason: NotJudgedReason | None = None
    is_young: bool = False
    is_missed: bool = False
    is_told: bool = False
    """Whether the shop told of something by webhook since the audit began."""
    unheard: tuple[tuple[Address, Statement], ...] = ()
    """What the shop says now and the ledger lacks, by address: it counts for everybody who has the address."""
    has_moved: bool = False
    """Whether we opted in an address that they do not have any more, and nobody told us that they left it."""


class ComparisonInput(Struct, frozen=True):
    """What the judging of some customers rests on: when their shop was read, when the audit began, and which profiles
    Ometria listed; None where all that we know of are as they are now."""

    store: str
    read_at: datetime
    began: datetime
    listed: Collection[str] | None
    repair: bool
    told_since: datetime
    unheard: Mapping[Address, Sequence[Statement]] = msgspec.field(default_factory=dict)
    """What came to light of addresses so far, of which the ledger may know nothing yet."""


class _Side(Struct, frozen=True):
    """One channel of one customer."""

    channel: Channel
    word: ChannelConsent | None
    where: ConsentStatus
    platform: Stance
    is_missed: bool
    unheard: tuple[Address, Statement] | None
    """The word, where the ledger lacks it."""
    theirs_at: datetime | None
    """When another customer said what decides, where the ledger lacks that."""
    moving_since: datetime | None
    settled_at: datetime | None
    is_compared: bool = True
    """Whether Ometria can be held against it."""


def compare_customers(
    tx: Tx, context: ConnectionContext, asked: ComparisonInput, here: Sequence[Here]
) -> list[ConsentComparison]:
    """Each of these customers as the shop says now."""
    store = asked.store
    rules = context.shops[store].rules
    kept = records.load_records(
        tx, context.connection, [("customer", store, str(one.id)) for one in here], context.packer
    )
    known = {
        int(key[2]): one.record for key, one in kept.items() if isinstance(one.record, Customer) and one.record.is_read
    }
    emails = sorted({e for one in here if (e := normalise_email(one.email))})
    there: dict[str, list[KnownProfile]] = {}
    for profile in profiles.profiles_by_email(tx, context.connection, emails):
        if asked.listed is None or profile.id in asked.listed:
            there.setdefault(profile.email or "", []).append(profile)
    # A number that Ometria may write to, of somebody who has none in this shop.
    theirs = {
        (Channel.SMS, p.phone)
        for one in here
        for p in there.get(normalise_email(one.email) or "", ())
        if not one.phone and p.phone and p.sms_now
    }
    stand = consent_status.consent_of_addresses(tx, context, sorted(_addresses(here) | theirs))
    stand = _with(
        stand, {name: asked.unheard[name] for one in here for name in _names(context, one) & asked.unheard.keys()}
    )
    phones = {one.id: phone for one in here if normalise_email(one.email) is None and (phone := _phone(one, known))}
    for profile in profiles.profiles_by_identifier(tx, context.connection, [], [], sorted(set(phones.values()))):
        if profile.phone is not None and (asked.listed is None or profile.id in asked.listed):
            there.setdefault(profile.phone, []).append(profile)
    names = {one.id: f"{rules.namespace}{one.id}" for one in here}
    contacts = spoken.sent_consent_of(tx, context.connection, list(names.values()))
    words_of = rows_of.contact_rows(tx, context.connection, list(names.values()))
    seconds = {one.id: sms_contact_id(one.id, rules) for one in here}
    texting = spoken.sent_consent_of(tx, context.connection, list(seconds.values()), RecordKind.SMS)
    writing = writes.updates_in_progress(tx, context.connection, store, [one.id for one in here])
    cases = drift.open_case_codes(tx, context.connection, [f"customer:{one.id}" for one in here])
    found = []
    for one in here:
        mine = there.get(normalise_email(one.email) or phones.get(one.id, ""), [])
        row, second = contacts.get(names[one.id]), texting.get(seconds[one.id])
        state = words_of[names[one.id]].state if names[one.id] in words_of else None
        both = [
            side
            for channel in Channel
            if (side := _side(context, asked, stand, channel, one, known.get(one.id), mine, row, second, writing))
            is not None
        ]
        sides = [side for side in both if side.is_compared]
        code = next((c for c in cases.get((store, f"customer:{one.id}"), ()) if c in CODES), "")
        judged = _judged(context, asked, one, mine, sides, state, code)
        unheard = [side.unheard for side in both if side.unheard is not None]
        last = known.get(one.id)
        untold = (
            addresses_given_up(context, asked.store, last, but=one)
            if last is not None and one.updated_at > last.updated_at
            else []
        )
        if untold:
            unheard += untold
            # Ometria may write to the address that they had, whoever has it now.
            has_moved = any(channel is Channel.EMAIL for (channel, _), _ in untold)
            is_opted_in = has_moved and not judged.differs and row is not None and row.opts_in
            is_young = judged.is_young or (
                is_opted_in and context.clock.now() - one.updated_at < context.pace.drift_grace
            )
            judged = msgspec.structs.replace(judged, is_missed=True, has_moved=is_opted_in, is_young=is_young)
        if judged.reason is None and not judged.differs and not mine and row and row.opts_in and row.is_moving:
            # Its opt-in may have been applied since Ometria was read.
            judged = msgspec.structs.replace(judged, reason=NotJudgedReason.IN_FLIGHT)
        found.append(msgspec.structs.replace(judged, is_told=_is_told(asked, stand, one), unheard=tuple(unheard)))
    return found


def _with(stand: ConsentStatuses, unheard: Mapping[Address, Sequence[Statement]]) -> ConsentStatuses:
    """Where addresses stand once what came to light of them is heard, unless its speaker was heard again since."""
    if not unheard:
        return stand
    said = dict(stand.said)
    for address, some in unheard.items():
        known = said.get(address, [])
        again = {_speaker(s) for s in some for k in known if _speaker(k) == _speaker(s) and k.heard_at >= s.heard_at}
        said[address] = [*known, *(s for s in some if _speaker(s) not in again)]
    return msgspec.structs.replace(stand, said=said)


def _speaker(statement: Statement) -> tuple[str, int | None]:
    return statement.store, statement.customer_id


def addresses_given_up(
    context: ConnectionContext, store: str, last: Customer, *, but: Here | None = None
) -> list[tuple[Address, Statement]]:
    """What it states that a customer does not have the addresses any more that we know them by: they speak for nobody
    there. `but` are the addresses that they have now.
    """
    now = context.clock.now()
    found = []
    for channel in Channel:
        plain = shop_statements.address_and_statement(channel, last)[0]
        if plain and (but is None or _of(channel, but)[0] != plain):
            name = (channel, ledger.hash_address(context.hash_key, channel, plain))
            found.append((name, Statement(LEFT, "shopify.left", now, None, store, last.id)))
    return found


def _judged(
    context: ConnectionContext,
    asked: ComparisonInput,
    one: Here,
    mine: Sequence[KnownProfile],
    sides: Sequence[_Side],
    state: str | None,
    code: str,
) -> ConsentComparison:
    who = (asked.store, one.id)
    email = next((side for side in sides if side.channel is Channel.EMAIL), None)
    stance = email.where.stance if email is not None else Stance.UNSAID
    if any(side.where.stance is Stance.IN for side in sides):
        stance = Stance.IN
    is_missed = any(side.is_missed for side in sides)
    if not mine and stance is not Stance.IN:
        return ConsentComparison(who, stance, is_known_there=False, is_missed=is_missed)
    if not mine and state == "excluded":
        return ConsentComparison(
            who, stance, is_known_there=False, reason=NotJudgedReason.EXCLUDED, is_missed=is_missed
        )
    if not mine and not context.is_live:
        # The shop may write to them; in shadow mode nothing is sent, so Ometria cannot know them yet.
        return ConsentComparison(who, stance, is_known_there=False, reason=NotJudgedReason.WAITING, is_missed=is_missed)
    if not mine and not asked.repair:
        # Whom Ometria has only now was noted nowhere.
        return ConsentComparison(
            who, stance, is_known_there=False, reason=NotJudgedReason.NOT_COMPARED, is_missed=is_missed
        )
    differs, young, moving = [], [], []
    now = context.clock.now()
    for side in sides:
        sort = compare_sides(side.word, side.where, side.platform, is_moving=side.moving_since is not None)
        if sort is None:
            continue
        since = side.moving_since
        said_at = side.word.updated_at if side.word is not None and side.is_missed else None
        times = (since, said_at, side.theirs_at, side.settled_at)
        is_young = any(at is not None and now - at < context.pace.drift_grace for at in times)
        young.append(is_young)
        moving.append(since is not None)
        differs.append(_differs(asked.store, one, side, sort, mine, code))
    reason = None
    if differs:
        if all(young):
            reason = NotJudgedReason.IN_FLIGHT if all(moving) else NotJudgedReason.YOUNG
        elif all(moving):
            reason = NotJudgedReason.WAITING
    return ConsentComparison(
        who, stance, bool(mine), tuple(differs), reason, is_young=bool(differs) and all(young), is_missed=is_missed
    )


def _side(
    context: ConnectionContext,
    asked: ComparisonInput,
    stand: ConsentStatuses,
    channel: Channel,
    one: Here,
    known: Customer | None,
    mine: Sequence[KnownProfile],
    row: ContactConsent | None,
    second: ContactConsent | None,
    writing: Mapping[tuple[int, Channel], datetime],
) -> _Side | None:
    """A channel with an address; None where nobody can be written to by it, or nothing was ever said of it."""
    plain, told = _of(channel, one)
    rules = context.shops[asked.store].rules
    if plain is None:
        return _side_without_number(context, asked, stand, one, known, mine, row) if channel is Channel.SMS else None
    own, before = shop_statements.address_and_statement(channel, known) if known is not None else (None, None)
    word, is_missed = told, False
    if told is not None:
        # The reading is the shop's present word, but for what was said and heard after it began.
        word, is_missed = words.current_statement(before if own == plain else None, told, read_at=asked.read_at)
    name = stand.name(channel, plain)
    where, unheard = stand.of(channel, plain, asked.store), None
    if is_missed and word is not None:
        made = Statement(
            word.state, "shopify.reading", context.clock.now(), word.updated_at, asked.store, one.id, word.level
        )
        where, unheard = decide_consent([*stand.said.get(name, []), made], context.policy, asked.store), (name, made)
    is_missed = is_missed and (before is None or before.state != (word.state if word else None) or own != plain)
    theirs = where.by if where.by in asked.unheard.get(name, ()) else None
    platform = _says(channel, mine)
    is_compared = True
    if channel is Channel.SMS and all(p.sms_now is None for p in mine):
        is_sent = (
            not rules.sms_double_optin and fields.map_phone(plain, known.country_code if known else None) is not None
        )
        is_compared = where.stance is Stance.IN and is_sent
    moving = [
        row.since if row is not None and row.is_moving else None,
        writing.get((one.id, channel)),
        # This very audit brought it to light.
        where.by.heard_at
        if where.by is not None and where.by.heard_at >= asked.began and not is_missed and theirs is None
        else None,
    ]
    if channel is Channel.SMS and second is not None and (second.is_moving or second.is_asking):
        moving.append(second.since)
    since = [at for at in moving if at is not None]
    settled_at = row.settled_at if row is not None else None
    theirs_at = theirs.at if theirs is not None else None
    return _Side(
        channel, word, where, platform, is_missed, unheard, theirs_at, min(since, default=None), settled_at, is_compared
    )


def _side_without_number(
    context: ConnectionContext,
    asked: ComparisonInput,
    stand: ConsentStatuses,
    one: Here,
    known: Customer | None,
    mine: Sequence[KnownProfile],
    row: ContactConsent | None,
) -> _Side | None:
    """Text messages to somebody who has no number in the shop: nobody may send them, unless another customer has the
    number and allows it.
    """
    own = (asked.store, one.id)
    for profile in mine:
        if profile.sms_now and profile.phone:
            said = stand.said.get(stand.name(Channel.SMS, profile.phone), [])
            if (
                decide_consent([s for s in said if _speaker(s) != own], context.policy, asked.store).stance
                is not Stance.IN
            ):
                break
    else:
        return None
    since = row.since if row is not None and row.is_moving else None
    is_missed = known is not None and bool(known.phone)
    settled_at = one.updated_at if is_missed else row.settled_at if row is not None else None
    return _Side(Channel.SMS, None, NOTHING, Stance.IN, is_missed, None, None, since, settled_at)


def _is_told(asked: ComparisonInput, stand: ConsentStatuses, one: Here) -> bool:
    return any(
        s.source == "shopify.webhook"
        and (s.store, s.customer_id) == (asked.store, one.id)
        and s.heard_at >= asked.told_since
        for channel in Channel
        if (plain := _of(channel, one)[0])
        for s in stand.said.get(stand.name(channel, plain), ())
    )


def _differs(
    store: str, one: Here, side: _Side, sort: DifferenceKind, mine: Sequence[KnownProfile], code: str
) -> ConsentDifference:
    word, by = side.word, side.where.by
    return ConsentDifference(
        sort,
        store,
        one.id,
        side.channel.value,
        word.state if word else "–",
        word.updated_at if word else None,
        side.platform.value if mine else "not there",
        max((p.seen_at for p in mine), default=None),
        side.where.stance.value,
        side.where.rule,
        by.source if by else "",
        by.since if by else None,
        code,
        is_missed=side.is_missed,
    )


def _says(channel: Channel, mine: Sequence[KnownProfile]) -> Stance:
    """What Ometria's people with this address come to: a yes counts, since it is what mails."""
    if channel is Channel.EMAIL:
        said = {profile_facts.stance_of_optin(one.email_now) for one in mine}
    else:
        said = {{True: Stance.IN, False: Stance.OUT, None: Stance.UNSAID}[one.sms_now] for one in mine}
    return next((one for one in (Stance.IN, Stance.OUT, Stance.UNSAID) if one in said), Stance.UNSAID)


def retired_contacts(
    tx: Tx, context: ConnectionContext, after: str, limit: int
) -> tuple[list[tuple[Name, list[KnownProfile]]], str | None]:
    """Contacts that were retired and opt out, with Ometria's people of their address of whom no living customer
    speaks; and where the next page begins."""
    page = spoken.list_retired_contacts(tx, context.connection, after, limit)
    found = []
    for one in page:
        if one.body is None or one.store not in context.shops or not one.opts_out:
            continue
        said = msgspec.json.decode(context.packer.unpack(one.body))
        email = normalise_email(said.get("email")) if isinstance(said.get("email"), str) else None
        if email is not None:
            number = int((one.subject or ":0").partition(":")[2])
            found.append(((one.store, number), profiles.profiles_by_email(tx, context.connection, [email])))
    return found, page[-1].id if len(page) == limit else None


class LeftBehind(Struct, frozen=True):
    """A customer who left the addresses that we know them by: Ometria's people of their old address of whom nobody
    else of ours speaks, and what it states."""

    number: int
    mine: tuple[KnownProfile, ...]
    unheard: tuple[tuple[Address, Statement], ...]


def addresses_left_behind(tx: Tx, context: ConnectionContext, store: str, numbers: Sequence[int]) -> list[LeftBehind]:
    """Customers who are gone from the shop or have another address there, of which nobody told us."""
    kept = records.load_records(
        tx, context.connection, [("customer", store, str(number)) for number in numbers], context.packer
    )
    found = []
    for key, one in sorted(kept.items()):
        last = one.record if isinstance(one.record, Customer) else None
        email = normalise_email(last.email) if last is not None else None
        own = (store, int(key[2]))
        others = (
            {link.account for link in identity.links_of_emails(tx, context.connection, [email])} - {own}
            if email
            else set()
        )
        mine = profiles.profiles_by_email(tx, context.connection, [email]) if email and not others else []
        found.append(
            LeftBehind(own[1], tuple(mine), tuple(addresses_given_up(context, store, last)) if last is not None else ())
        )
    return found


def _of(channel: Channel, one: Here) -> tuple[str | None, ChannelConsent | None]:
    if channel is Channel.EMAIL:
        return normalise_email(one.email), one.email_consent
    return one.phone, one.sms_consent


def _names(context: ConnectionContext, one: Here) -> set[Address]:
    """The ledger's names of the addresses that somebody has."""
    return {
        (channel, ledger.hash_address(context.hash_key, channel, plain))
        for channel in Channel
        if (plain := _of(channel, one)[0])
    }


def _phone(one: Here, known: Mapping[int, Customer]) -> str | None:
    """The number as Ometria has it."""
    mine = known.get(one.id)
    return fields.map_phone(one.phone, mine.country_code if mine else None)


def _addresses(here: Sequence[Here]) -> set[tuple[Channel, str]]:
    found = {(channel, plain) for one in here for channel in Channel if (plain := _of(channel, one)[0])}
    return {(channel, plain) for channel, plain in found if plain}
