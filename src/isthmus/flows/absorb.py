"""One unit of work: weigh what was told against what is known, keep what is newer, and desire what follows from it.

Everything here happens in one transaction that holds the locks of every record and every person it touches, so that the
desired state always is the mapping of the canonical records, whoever works beside it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from isthmus.consent import sql as ledger
from isthmus.consent.sql import Heard
from isthmus.db.pool import Tx
from isthmus.flows import delivery, desire, revalue
from isthmus.flows.change import Change
from isthmus.flows.consent import standing, statements
from isthmus.flows.consent.standing import Standings
from isthmus.flows.match import match
from isthmus.flows.road import Road
from isthmus.flows.safety.guard import Guarded, guard, note
from isthmus.flows.told import DELIVERY, READABLE, REMAP, REVIVE, Told
from isthmus.identity import sql as identity
from isthmus.identity.match import Account, Link
from isthmus.inbox import sql as inbox
from isthmus.kit.ids import keyed_hash
from isthmus.mapping import moment
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.event import Hint, Outcome, State
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.records import remember
from isthmus.records import sql as records
from isthmus.records.baskets import sql as baskets
from isthmus.records.remember import Keys
from isthmus.records.sql import Canonical, Gone, Keep, Kept, Key
from isthmus.records.weigh import Known, Verdict, weigh
from isthmus.shopify.parse import checkout_node, customer_webhook

WITH_FIELDS = ("customer", "product")
"""Kinds of records that custom fields are read of; a variant's come with its product."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""The version of a tombstone of which no version was ever heard."""

CONFIRM_AFTER = timedelta(seconds=10)
"""A consent statement is confirmed by a reading this much later, when the shop has settled."""


class Work(Struct):
    """What the folding of a batch brought up."""

    outcomes: list[Outcome]
    changes: list[Change]
    hints: dict[str, list[Hint]]
    heard: list[Heard]
    same: list[tuple[Key, Lane]]
    """Records that were told again as they are: no change, but perhaps a more urgent reason to send them."""
    confirmed: list[tuple[Key, datetime]]
    """Records that a reading found as we have them, and when it began."""
    gone: list[Gone]
    """Records that readings found absent."""


def absorb(
    tx: Tx,
    road: Road,
    words: Sequence[Told],
    now: datetime,
    merged: Sequence[tuple[Link, Account]] = (),
    *,
    is_guarded: bool = True,
) -> list[Outcome]:
    """Weigh, keep, match, map, desire: the events' ends. `merged` are accounts that turned out to be another's.

    Unguarded, nothing is held or counted: for what is only tried and rolled back, and for what a person undoes.
    """
    if not words and not merged:
        return []
    _lock_records(tx, road, words)
    known = records.load(tx, road.connection, {word.key for word in words}, road.packer)
    guarded = guard(tx, road, words, known, now) if is_guarded else Guarded(words)
    work = Work([*guarded.outcomes], [], {}, [], [], [], [])
    for key, said in _by_key(guarded.words).items():
        _fold(road, work, key, known.get(key), said, now)
    changed = [change for change in work.changes if not change.is_remap]

    before, who, affected = match(tx, road, work.changes, merged, now)
    kept = [Keep(c.key[1], c.after, c.said_at, c.encoded) for c in changed if c.after is not None]
    records.save(tx, road.connection, kept, now, road.packer)
    records.confirm(tx, road.connection, work.confirmed)
    told = [(c.key[1], c.after) for c in changed if isinstance(c.after, Checkout)]
    baskets.join(tx, road.connection, told, now, checkout_node.HIDDEN)
    gone = [c for c in changed if c.is_gone]
    records.bury(tx, road.connection, work.gone, now)
    _follow_the_orders(tx, road, work, gone, now)
    work.heard += standing.merged(tx, road, _survivors(tx, road, work, merged))
    standings = standing.hear(tx, road, work.heard, _customers(work.changes, affected), now)
    ledger.append(tx, road.connection, statements.boxes(words), road.hash_key, now)
    _tell_the_others(road, work, standings, now)
    moved = desire.desire(tx, road, [*work.changes, *affected], before, who, standings, now)
    _ask_for_contacts(work, [*work.changes, *affected], moved.worth | revalue.regrouped(before, who), moved.hold, now)
    desire.hurry(tx, road, work.same)
    note(tx, road, guarded, work.changes, now)
    for store, hints in work.hints.items():
        inbox.tell(tx, road.connection, store, hints, now)
    return work.outcomes


# Weigh ---------------------------------------------------------------------------------------------------------------


def _customers(changes: Sequence[Change], affected: Sequence[Change]) -> list[Customer]:
    """Every customer whose contact may be mapped, as they were and as they are."""
    found = (record for change in (*changes, *affected) for record in (change.before, change.after))
    return [record for record in found if isinstance(record, Customer)]


def _survivors(
    tx: Tx, road: Road, work: Work, merged: Sequence[tuple[Link, Account]]
) -> list[tuple[Account, Customer]]:
    """Each customer that was lost, and the one that was kept as it is now."""
    keys = {link.account: ("customer", to[0], str(to[1])) for link, to in merged}
    now = {change.key: change.after for change in work.changes}
    known = records.load(tx, road.connection, [key for key in keys.values() if key not in now], road.packer)
    found = {
        account: now[key] if key in now else known[key].record
        for account, key in keys.items()
        if key in now or key in known
    }
    return [(account, kept) for account, kept in found.items() if isinstance(kept, Customer)]


def _tell_the_others(road: Road, work: Work, standings: Standings, now: datetime) -> None:
    """One person, one consent: other customers behind an address that stands elsewhere now are mapped again, at once.

    Until they are, no opt-in of theirs goes out (outbox/restraint/sql.py counts the opt-outs that a write knows of).
    """
    mine = {(change.key[1], change.key[2]) for change in work.changes if change.key[0] == "customer"}
    lane = min((c.lane for c in work.changes), key=lambda lane: lane.rank, default=Lane.REALTIME)
    if standings.has_opt_outs():
        lane = Lane.REALTIME  # whatever brought them
    for store, number in sorted(standings.speakers()):
        if store in road.shops and (store, str(number)) not in mine:
            _tell(work, store, Hint(REMAP, f"customer:{number}", lane, now))


def _lock_records(tx: Tx, road: Road, words: Iterable[Told]) -> None:
    """Take the records, the customers that orders belong to, since an order is mapped to its customer's person, and
    whatever tells that two checkouts are one basket."""
    names = set()
    for word in words:
        names.add(":".join(word.key))
        if isinstance(word.record, Order) and word.record.customer_id is not None:
            names.add(f"customer:{word.key[1]}:{word.record.customer_id}")
        if isinstance(word.record, Checkout):
            names.update(f"checkout:{word.key[1]}:{name}" for name in word.record.names)
            if word.record.customer_id is not None:
                names.add(f"basket:{word.key[1]}:{word.record.customer_id}")
    identity.lock(tx, road.connection, sorted(names))


def _by_key(words: Iterable[Told]) -> dict[Key, list[Told]]:
    """Words by record, oldest version first; what is absent, and what has no version, at the end."""
    grouped: dict[Key, list[Told]] = {}
    for word in words:
        grouped.setdefault(word.key, []).append(word)
    for said in grouped.values():
        said.sort(
            key=lambda w: (w.record is None, w.record.updated_at if w.record else w.event.received_at, w.is_reading)
        )
    return grouped


def _fold(road: Road, work: Work, key: Key, kept: Kept | None, said: list[Told], now: datetime) -> None:
    """Let each word about a record change it in turn, as its version allows."""
    before = kept.record if kept else None
    known = kept.known if kept else None
    keys = road.shops[key[1]].rules.keys if key[0] in WITH_FIELDS else {}
    change = Change(key, before, before, [], min((w.event.lane for w in said), key=lambda lane: lane.rank), now)
    change.said_at = kept.said_at if kept else None
    is_changed = False
    taken: list[Told] = []
    for word in said:
        subject = f"{key[0]}:{key[2]}"
        if word.is_remap:
            change.is_remap = True
            taken.append(word)
            _end(work, word, State.APPLIED, None, subject)
        elif word.is_redaction:
            # Its case is the event's end. Until the erasure nobody writes to them.
            is_news = _redact(work, key[1], word, change, now)
            is_changed |= is_news
            taken += [word] if is_news else []
        elif word.deliveries is not None:
            order = change.after
            decided = delivery.told(order, word.deliveries) if isinstance(order, Order) else order
            if isinstance(decided, Order) and decided != order and known is not None:
                change.after, change.encoded, is_changed = decided, records.encode(decided), True
                change.passed.append(decided)
                known = Known(decided.updated_at, change.encoded[1], said_at=known.said_at)
                taken.append(word)
                _end(work, word, State.APPLIED, None, subject)
            else:
                _end(work, word, State.STALE, "nothing was to be decided", subject)
        elif word.claim is not None:
            verdict = _hear_claim(work, word, change, now)
            is_changed |= verdict is Verdict.NEWER
            taken += [word] if verdict is Verdict.NEWER else []
            _end(work, word, State.APPLIED if verdict is Verdict.NEWER else State.STALE, None, subject)
        elif word.is_absent:
            # The record is gone from the shop.
            versions = [at for at in (known.updated_at if known else None, word.version) if at is not None]
            version = max(versions, default=None)
            if change.after is not None and _is_overtaken(word, change.said_at, now):
                _tell(work, key[1], Hint(f"poll/{key[0]}", subject, word.event.lane, now + CONFIRM_AFTER))
                _end(work, word, State.STALE, "the shop told of it since: read again", subject)
            elif change.after is not None or known is None or not known.is_gone:
                if isinstance(change.after, Customer):
                    work.heard += statements.gone(key[1], change.after, word.event.id or None)
                change.after, change.is_gone, is_changed = None, True, True
                known = Known(version or EPOCH, None, is_gone=True, said_at=word.said_at)
                change.said_at = word.said_at
                work.gone.append(Gone(key, version, word.said_at, is_erased=_is_redacted(before)))
                taken.append(word)
                _end(work, word, State.APPLIED, "gone from the shop", subject)
            else:
                work.gone.append(Gone(key, version, word.said_at))
                _end(work, word, State.STALE, "known to be gone", subject)
        else:
            record, heard = _merge(change.after, word, keys)
            encoded = records.encode(record)
            digest = encoded[1]
            verdict = weigh(known, record.updated_at, digest, is_reading=word.is_reading, said_at=word.said_at)
            work.heard += heard if verdict is Verdict.NEWER else [replace(one, is_word=False) for one in heard]
            if verdict is Verdict.NEWER:
                if asking := _ask_for_deliveries(road, work, word, change.after, record, now):
                    record, encoded = asking, records.encode(asking)
                    digest = encoded[1]
                _ask_for_the_rest(work, word, change.after, record, now)
                if isinstance(record, Customer) and isinstance(change.after, Customer):
                    work.heard += statements.moved(key[1], change.after, record, word.event.id or None)
                change.after, change.is_gone, is_changed = record, False, True
                change.encoded = encoded
                change.passed.append(record)
                change.said_at = word.said_at
                known = Known(record.updated_at, digest, said_at=word.said_at)
                taken.append(word)
            elif verdict is Verdict.ASK and key[0] in READABLE and known is not None and known.is_gone:
                hint = Hint(f"{REVIVE}{key[0]}", subject, word.event.lane, now, encoded[0])
                _tell(work, key[1], hint)
            elif verdict is Verdict.ASK and key[0] in READABLE:
                _tell(work, key[1], Hint(f"poll/{key[0]}", subject, word.event.lane, now))
            elif verdict is Verdict.SAME:
                work.same.append((key, word.event.lane))
                if word.is_reading and word.said_at is not None:
                    work.confirmed.append((key, word.said_at))
            reason = _reason(verdict, known)
            state = State.APPLIED if verdict is Verdict.NEWER else State.STALE
            # What stands in no inbox (a load's records) need not be found there by anybody's name.
            _end(work, word, state, reason, subject, _names(road, record) if word.event.id else ())
    if taken:
        change.lane = min((w.event.lane for w in taken), key=lambda lane: lane.rank)
        change.since = min(w.event.received_at for w in taken)
    change.is_remap = change.is_remap and not is_changed
    if is_changed or change.is_remap:
        work.changes.append(change)


def _is_redacted(record: Canonical | None) -> bool:
    """Whether the shop asked for the record's erasure: once it is absent, nothing brings it back."""
    return isinstance(record, Customer) and record.is_redacted


def _is_overtaken(word: Told, said_at: datetime | None, now: datetime) -> bool:
    """Whether the store told of a record after the reading began that found it absent."""
    return word.said_at is not None and said_at is not None and word.said_at < said_at <= now


def _reason(verdict: Verdict, known: Known | None) -> str | None:
    """Why a body was not taken."""
    is_gone = known is not None and known.is_gone
    if verdict is Verdict.ASK:
        return "known to be gone: read first" if is_gone else "same version: read instead"
    return ("known to be gone" if is_gone else "older than what is known") if verdict is Verdict.STALE else None


def _merge(known: Canonical | None, word: Told, keys: Keys) -> tuple[Canonical, list[Heard]]:
    """What the record is with this word, and what that states about consent: a shape that cannot tell a part leaves
    that part as it was."""
    record = word.record
    assert record is not None  # noqa: S101 - the caller has sorted out what is absent
    if isinstance(record, Order):
        return remember.order(record, known if isinstance(known, Order) else None, word.untold), []
    if isinstance(record, Checkout):
        return remember.checkout(record, known if isinstance(known, Checkout) else None), []
    if isinstance(record, Customer):
        before = known if isinstance(known, Customer) else None
        if not word.is_patch:
            found, heard = statements.read(before, record, word)
            return remember.customer(found, before, keys), heard
        return (record if before is None else customer_webhook.patched(before, record)), []
    return remember.product(record, known if isinstance(known, Product) else None, keys), []


def _hear_claim(work: Work, word: Told, change: Change, now: datetime) -> Verdict:
    """A consent statement: it stands if it is newer, is written down either way, and is confirmed by a reading."""
    _tell(work, word.key[1], Hint("poll/customer", f"customer:{word.key[2]}", Lane.REALTIME, now + CONFIRM_AFTER))
    customer = change.after if isinstance(change.after, Customer) else None
    said, heard = statements.claimed(customer, word)
    work.heard.append(heard)
    if said is None:
        return Verdict.STALE
    change.encoded = None
    change.after = said
    return Verdict.NEWER


def _redact(work: Work, store: str, word: Told, change: Change, now: datetime) -> bool:
    """A customer's erasure was asked for: they speak for nobody any more, and a reading tells whether they are gone."""
    _tell(work, store, Hint("poll/customer", f"customer:{word.key[2]}", Lane.REALTIME, now))
    customer = change.after
    if not isinstance(customer, Customer) or customer.is_redacted:
        return False
    work.heard += statements.gone(store, customer, word.event.id or None)
    change.after, change.encoded = replace(customer, redacted_at=word.event.received_at), None
    return True


def _ask_for_the_rest(work: Work, word: Told, before: Canonical | None, record: Canonical, now: datetime) -> None:
    """A customer's webhook leaves out tags, consent and counts: read them, at once for somebody newly reachable.

    An order's leaves out its returns. Later ones are told of by topics of their own; those of an order that was sent
    before we first heard of it are not.
    """
    if word.untold and isinstance(before, Order) and any(getattr(before, name) for name in word.untold):
        _tell(work, word.key[1], Hint("poll/order", f"order:{word.key[2]}", word.event.lane, now))
    if isinstance(record, Order) and before is None and record.returns is None and record.fulfilments:
        _tell(work, word.key[1], Hint("poll/order", f"order:{record.id}", Lane.ENRICHMENT, now))
    if not word.is_patch or not isinstance(record, Customer):
        return
    is_urgent = not (
        isinstance(before, Customer) and before.is_read and (before.email, before.phone) == (record.email, record.phone)
    )
    lane = word.event.lane if not is_urgent else min(word.event.lane, Lane.REALTIME, key=lambda lane: lane.rank)
    _tell(
        work, word.key[1], Hint("poll/customer", f"customer:{record.id}", lane if is_urgent else Lane.ENRICHMENT, now)
    )


def _ask_for_deliveries(
    road: Road, work: Work, word: Told, before: Canonical | None, record: Canonical, now: datetime
) -> Order | None:
    """The order with what is undecided of its parcels, where an event hangs on how they travel; that is read next."""
    if not isinstance(record, Order) or not record.fulfilments or word.event.lane is not Lane.REALTIME:
        return None
    rules = road.shops[word.key[1]].rules
    asking = moment.undecided(record, before if isinstance(before, Order) else None, rules, now)
    if asking is record:
        return None
    _tell(work, word.key[1], Hint(DELIVERY, f"order:{record.id}", Lane.REALTIME, now))
    return asking


def _ask_for_contacts(
    work: Work, changes: Sequence[Change], worth: set[tuple[str, int]], hold: set[tuple[str, int]], now: datetime
) -> None:
    """Whoever is worth something else now, or is held or held no more, and was not mapped here, is to be mapped again.

    Metrics go behind everything urgent, a hold at once; behind a load goes what a load has changed.
    """
    mapped = {(c.key[1], int(c.key[2])) for c in changes if c.key[0] == "customer"}
    lane = min((c.lane for c in changes), key=lambda lane: lane.rank, default=Lane.REALTIME)
    for customers, own in ((hold - mapped, Lane.REALTIME), (worth - hold - mapped, Lane.ENRICHMENT)):
        for store, number in sorted(customers):
            _tell(work, store, revalue.hint(number, lane if lane is Lane.BACKFILL else own, now))


def _tell(work: Work, store: str, hint: Hint) -> None:
    work.hints.setdefault(store, []).append(hint)


def _end(work: Work, word: Told, state: State, reason: str | None, subject: str, names: tuple[bytes, ...] = ()) -> None:
    work.outcomes.append(Outcome(word.event.id, state, reason, subject, names))


def _names(road: Road, record: Canonical) -> tuple[bytes, ...]:
    """Keyed hashes of whom a body is about, so that one person's bodies can be found."""
    identifiers = (getattr(record, "email", None), getattr(record, "phone", None))
    return tuple(keyed_hash(road.hash_key, "person", text.strip().lower()) for text in identifiers if text)


def _follow_the_orders(tx: Tx, road: Road, work: Work, gone: Sequence[Change], now: datetime) -> None:
    """A customer who is gone may have been merged: read their orders, since nobody says whether those tell of it."""
    customers = [(c.key[1], int(c.key[2])) for c in gone if c.key[0] == "customer"]
    if not customers:
        return
    lane = min((c.lane for c in gone), key=lambda lane: lane.rank)
    for _, store, name in records.orders_of(tx, road.connection, customers):
        _tell(work, store, Hint("poll/order", f"order:{name}", lane, now))
