"""Hold both sides against each other, person by person: who may be written to there and has said no here, or the other
way round.

The platform is read anew, the shops as they were last heard. What comes to light on the way is acted on as always, and
never towards an opt-in; `repair` switched off, it is only written down what the platform says.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from isthmus.consent.accord import differ
from isthmus.consent.writes import sql as writes
from isthmus.db.pool import Database, Tx
from isthmus.drift import sql as drift
from isthmus.flows.consent import conclude, person, profiles, standing, statements, unsubscribes
from isthmus.flows.reconcile.held import Step
from isthmus.flows.road import Road
from isthmus.governance import sql as governance
from isthmus.identity.profiles import sql as seen
from isthmus.identity.profiles.sql import Profile
from isthmus.kit.email import normalise
from isthmus.mapping.texting import texting_id
from isthmus.model.accord import Accord, Differs, Sort
from isthmus.model.consent import Channel, Stance
from isthmus.model.customer import Customer
from isthmus.model.write import Kind
from isthmus.outbox.spoken import sql as spoken
from isthmus.records import sql as records
from isthmus.runs import sql as runs

AT_ONCE = 500
MARK = "audit:consent"
KEPT = 2_000
"""Differences that are remembered with the last audit."""

CODES = (
    conclude.BLOCKED, conclude.UNPROVEN, conclude.REFUSED, "storefront.consent_refused",
    "storefront.consent_unknown_state", "storefront.scope_missing",
)  # fmt: skip
"""Cases that explain a difference."""


Tell = Callable[[Step], None]


def audit(db: Database, road: Road, *, repair: bool = True, signed_by: str = "", tell: Tell = lambda _: None) -> Accord:
    """Read every profile, compare everybody, and remember the result with its date."""
    began = road.clock.now()
    if repair:
        unsubscribes.hear(db, road)
    is_whole = profiles.sweep(db, road, repair=repair, tell=lambda n: tell(Step("profiles", n, None, is_done=False)))
    now = road.clock.now()
    found: list[Differs] = []
    counts = {"people": 0, "both": 0, "neither": 0, "unseen": 0}
    for store in sorted(road.shops):
        after = ""
        while True:
            with db.transaction() as tx:
                names = records.names(tx, road.connection, "customer", store, after, AT_ONCE)
                found += _page(tx, road, store, names, counts, began)
            tell(Step(f"{store} customers", counts["people"], None, is_done=len(names) < AT_ONCE))
            if len(names) < AT_ONCE:
                break
            after = names[-1]
    order = list(Sort)
    found.sort(key=lambda one: (order.index(one.sort), one.store, one.customer_id))
    done = Accord(
        road.connection, now, counts["people"], counts["both"], counts["neither"], counts["unseen"], tuple(found),
        is_whole,
    )  # fmt: skip
    done = msgspec.structs.replace(done, digest=digest(done), signed_by=signed_by)
    with db.transaction() as tx:
        kept = msgspec.structs.replace(done, differs=done.differs[:KEPT])
        governance.save(tx, road.connection, "", MARK, msgspec.to_builtins(kept), now)
        runs.advance(tx, road.connection, "", MARK, now, len(found))
    return done


def is_at_rest(db: Database, connection: str) -> bool:
    """Whether nothing about anybody's consent is on its way to a shop, or still to be looked at."""
    with db.transaction() as tx:
        return not (writes.is_open(tx, connection) or seen.is_open(tx, connection))


def digest(done: Accord) -> str:
    """The same for the same findings, whoever signs them."""
    plain = msgspec.structs.replace(done, digest="", signed_by="")
    return hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()


def last(db: Database, connection: str) -> Accord | None:
    """The last audit there was."""
    with db.transaction() as tx:
        kept = governance.load(tx, connection).get(("", MARK))
    return None if kept is None else msgspec.convert(kept.body, Accord)


def _page(tx: Tx, road: Road, store: str, names: list[str], counts: dict[str, int], began: datetime) -> list[Differs]:
    kept = records.load(tx, road.connection, [("customer", store, name) for name in names], road.packer)
    people = [one.record for one in kept.values() if isinstance(one.record, Customer) and one.record.is_read]
    stand = standing.of_people(tx, road, people)
    emails = sorted({e for one in people if (e := normalise(one.email))})
    there: dict[str, list[Profile]] = {}
    for profile in seen.of_emails(tx, road.connection, emails):
        there.setdefault(profile.email or "", []).append(profile)
    names_of = {one.id: f"{road.shops[store].rules.namespace}{one.id}" for one in people}
    rows = spoken.contacts(tx, road.connection, list(names_of.values()))
    seconds = {one.id: texting_id(one.id, road.shops[store].rules) for one in people}
    texting = spoken.contacts(tx, road.connection, list(seconds.values()), Kind.SMS)
    writing = writes.under_way(tx, road.connection, store, [one.id for one in people])
    cases = drift.open_cases(tx, road.connection, [f"customer:{one.id}" for one in people])
    found = []
    for one in people:
        email = normalise(one.email)
        mine = there.get(email or "", [])
        if email is None or not mine:
            counts["unseen"] += 1
            continue
        counts["people"] += 1
        row, second = rows.get(names_of[one.id]), texting.get(seconds[one.id])
        for channel in Channel:
            plain, word = statements.of(channel, one)
            if plain is None or (channel is Channel.SMS and all(p.sms_now is None for p in mine)):
                continue
            where = stand.of(channel, plain, store)
            says = _says(channel, mine)
            is_news = where.by is not None and where.by.heard_at >= began  # this very audit brought it to light
            is_moving = is_news or (row is not None and row.is_moving) or (one.id, channel) in writing
            if channel is Channel.SMS and second is not None:
                is_moving |= second.is_moving or second.is_asking
            sort = differ(word, where, says, is_moving=is_moving)
            if sort is None:
                counts["both" if where.stance is Stance.IN else "neither"] += channel is Channel.EMAIL
                continue
            found.append(
                Differs(
                    sort, store, one.id, channel.value, word.state if word else "–", word.updated_at if word else None,
                    says.value, max(p.seen_at for p in mine), where.stance.value, where.rule,
                    where.by.source if where.by else "", where.by.since if where.by else None,
                    next((code for code in cases.get((store, f"customer:{one.id}"), ()) if code in CODES), ""),
                )
            )  # fmt: skip
    return found


def _says(channel: Channel, mine: list[Profile]) -> Stance:
    """What the platform's people with this address come to: a yes counts, since it is what mails."""
    if channel is Channel.EMAIL:
        said = {person.stance(one.email_now) for one in mine}
    else:
        said = {{True: Stance.IN, False: Stance.OUT, None: Stance.UNSAID}[one.sms_now] for one in mine}
    return next(one for one in (Stance.IN, Stance.OUT, Stance.UNSAID) if one in said)
