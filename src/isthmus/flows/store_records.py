"""One unit of work: weigh what was told against what is known, keep what is newer, and desire what follows from it.

Everything here happens in one transaction that holds the locks of every record and every person it touches, so that the
desired state always is the mapping of the canonical records, whoever works beside it.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from isthmus.consent.sql import ledger
from isthmus.consent.sql.ledger import RecordedClaim
from isthmus.db.pool import Tx
from isthmus.flows import delivery_methods, map_to_outbox, refresh_metrics
from isthmus.flows.change import RecordTransition
from isthmus.flows.consent import consent_status, shop_statements
from isthmus.flows.consent.consent_status import ConsentStatuses
from isthmus.flows.context import ConnectionContext
from isthmus.flows.match import match_customers
from isthmus.flows.parse_events import DELIVERY, READABLE, REMAP, REVIVE, ParsedUpdate
from isthmus.flows.safety.guard import Guarded, guard_batch, journal_changes
from isthmus.identity.match import Account, Link
from isthmus.identity.sql import links as identity
from isthmus.inbox.sql import events as inbox
from isthmus.kit.ids import keyed_hash
from isthmus.mapping import custom_event
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.event import EventOutcome, EventState, RefetchRequest
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.records import carry_over
from isthmus.records.carry_over import Keys
from isthmus.records.sql import checkouts as baskets
from isthmus.records.sql import store as records
from isthmus.records.sql.store import Canonical, Gone, Key, RecordUpsert, StoredRecord
from isthmus.records.versioning import StoredVersion, VersionComparison, compare_versions
from isthmus.shopify.parse import checkout_node, customer_webhook

WITH_FIELDS = ("customer", "product")
"""Kinds of records that custom fields are read of; a variant's come with its product."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""The version of a tombstone of which no version was ever heard."""

CONFIRM_AFTER = timedelta(seconds=10)
"""A consent statement is confirmed by a reading this much later, when the shop has settled."""


class UnitOfWork(Struct):
    """What the folding of a batch brought up."""

    outcomes: list[EventOutcome]
    changes: list[RecordTransition]
    hints: dict[str, list[RefetchRequest]]
    heard: list[RecordedClaim]
    same: list[tuple[Key, Lane]]
    """Records that were told again as they are: no change, but perhaps a more urgent reason to send them."""
    confirmed: list[tuple[Key, datetime]]
    """Records that a reading found as we have them, and when it began."""
    gone: list[Gone]
    """Records that readings found absent."""


def store_records(
    tx: Tx,
    context: ConnectionContext,
    words: Sequence[ParsedUpdate],
    now: datetime,
    merged: Sequence[tuple[Link, Account]] = (),
    *,
    is_guarded: bool = True,
) -> list[EventOutcome]:
    """Weigh, keep, match, map, desire: the events' ends. `merged` are accounts that turned out to be another's.

    Unguarded, nothing is held or counted: for what is only tried and rolled back, and for what a person undoes.
    """
    if not words and not merged:
        return []
    _lock_records(tx, context, words)
    known = records.load_records(tx, context.connection, {word.key for word in words}, context.packer)
    guarded = guard_batch(tx, context, words, known, now) if is_guarded else Guarded(words)
    work = UnitOfWork([*guarded.outcomes], [], {}, [], [], [], [])
    for key, said in _by_key(guarded.words).items():
        _fold(context, work, key, known.get(key), said, now)
    changed = [change for change in work.changes if not change.is_remap]

    before, who, affected = match_customers(tx, context, work.changes, merged, now)
    kept = [RecordUpsert(c.key[1], c.after, c.said_at, c.encoded) for c in changed if c.after is not None]
    records.save_records(tx, context.connection, kept, now, context.packer)
    records.confirm_unchanged(tx, context.connection, work.confirmed)
    told = [(c.key[1], c.after) for c in changed if isinstance(c.after, Checkout)]
    baskets.join_checkouts(tx, context.connection, told, now, checkout_node.HIDDEN)
    gone = [c for c in changed if c.is_gone]
    records.tombstone(tx, context.connection, work.gone, now)
    _follow_the_orders(tx, context, work, gone, now)
    work.heard += consent_status.statements_of_merges(tx, context, _survivors(tx, context, work, merged))
    standings = consent_status.record_statements(tx, context, work.heard, _customers(work.changes, affected), now)
    ledger.append_statements(
        tx, context.connection, shop_statements.statements_of_checkboxes(words), context.hash_key, now
    )
    _tell_the_others(context, work, standings, now)
    moved = map_to_outbox.map_to_outbox(tx, context, [*work.changes, *affected], before, who, standings, now)
    _ask_for_contacts(
        work, [*work.changes, *affected], moved.worth | refresh_metrics.regrouped(before, who), moved.hold, now
    )
    map_to_outbox.raise_priority(tx, context, work.same)
    journal_changes(tx, context, guarded, work.changes, now)
    for store, hints in work.hints.items():
        inbox.enqueue_internal(tx, context.connection, store, hints, now)
    return work.outcomes


# Weigh ---------------------------------------------------------------------------------------------------------------


def _customers(changes: Sequence[RecordTransition], affected: Sequence[RecordTransition]) -> list[Customer]:
    """Every customer whose contact may be mapped, as they were and as they are."""
    found = (record for change in (*changes, *affected) for record in (change.before, change.after))
    return [record for record in found if isinstance(record, Customer)]


def _survivors(
    tx: Tx, context: ConnectionContext, work: UnitOfWork, merged: Sequence[tuple[Link, Account]]
) -> list[tuple[Account, Customer]]:
    """Each customer that was lost, and the one that was kept as it is now."""
    keys = {link.account: ("customer", to[0], str(to[1])) for link, to in merged}
    now = {change.key: change.after for change in work.changes}
    known = records.load_records(
        tx, context.connection, [key for key in keys.values() if key not in now], context.packer
    )
    found = {
        account: now[key] if key in now else known[key].record
        for account, key in keys.items()
        if key in now or key in known
    }
    return [(account, kept) for account, kept in found.items() if isinstance(kept, Customer)]


def _tell_the_others(context: ConnectionContext, work: UnitOfWork, standings: ConsentStatuses, now: datetime) -> None:
    """One person, one consent: other customers behind an address that stands elsewhere now are mapped again, at once.

    Until they are, no opt-in of theirs goes out: outbox/sql/opt_in_gate.py counts the opt-outs that a write knows of.
    """
    mine = {(change.key[1], change.key[2]) for change in work.changes if change.key[0] == "customer"}
    lane = min((c.lane for c in work.changes), key=lambda lane: lane.rank, default=Lane.REALTIME)
    if standings.has_opt_outs():
        lane = Lane.REALTIME  # whatever brought them
    for store, number in sorted(standings.speakers()):
        if store in context.shops and (store, str(number)) not in mine:
            _tell(work, store, RefetchRequest(REMAP, f"customer:{number}", lane, now))


def _lock_records(tx: Tx, context: ConnectionContext, words: Iterable[ParsedUpdate]) -> None:
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
    identity.lock_names(tx, context.connection, sorted(names))


def _by_key(words: Iterable[ParsedUpdate]) -> dict[Key, list[ParsedUpdate]]:
    """Words by record, oldest version first; what is absent, and what has no version, at the end."""
    grouped: dict[Key, list[ParsedUpdate]] = {}
    for word in words:
        grouped.setdefault(word.key, []).append(word)
    for said in grouped.values():
        said.sort(
            key=lambda w: (w.record is None, w.record.updated_at if w.record else w.event.received_at, w.is_reading)
        )
    return grouped


def _fold(
    context: ConnectionContext,
    work: UnitOfWork,
    key: Key,
    kept: StoredRecord | None,
    said: list[ParsedUpdate],
    now: datetime,
) -> None:
    """Let each word about a record change it in turn, as its version allows."""
    before = kept.record if kept else None
    known = kept.known if kept else None
    keys = context.shops[key[1]].rules.keys if key[0] in WITH_FIELDS else {}
    change = RecordTransition(
        key, before, before, [], min((w.event.lane for w in said), key=lambda lane: lane.rank), now
    )
    change.said_at = kept.said_at if kept else None
    is_changed = False
    taken: list[ParsedUpdate] = []
    for word in said:
        subject = f"{key[0]}:{key[2]}"
        if word.is_remap:
            change.is_remap = True
            taken.append(word)
            _end(work, word, EventState.APPLIED, None, subject)
        elif word.is_redaction:
            # Its case is the event's end. Until the erasure nobody writes to them.
            is_news = _redact(work, key[1], word, change, now)
            is_changed |= is_news
            taken += [word] if is_news else []
        elif word.deliveries is not None:
            order = change.after
            decided = (
                delivery_methods.with_delivery_methods(order, word.deliveries) if isinstance(order, Order) else order
            )
            if isinstance(decided, Order) and decided != order and known is not None:
                change.after, change.encoded, is_changed = decided, records.encode_record(decided), True
                change.passed.append(decided)
                known = StoredVersion(decided.updated_at, change.encoded[1], said_at=known.said_at)
                taken.append(word)
                _end(work, word, EventState.APPLIED, None, subject)
            else:
                _end(work, word, EventState.STALE, "nothing was to be decided", subject)
        elif word.claim is not None:
            verdict = _hear_claim(work, word, change, now)
            is_changed |= verdict is VersionComparison.NEWER
            taken += [word] if verdict is VersionComparison.NEWER else []
            _end(
                work,
                word,
                EventState.APPLIED if verdict is VersionComparison.NEWER else EventState.STALE,
                None,
                subject,
            )
        elif word.is_absent:
            # The record is gone from the shop.
            versions = [at for at in (known.updated_at if known else None, word.version) if at is not None]
            version = max(versions, default=None)
            if change.after is not None and _is_overtaken(word, change.said_at, now):
                _tell(work, key[1], RefetchRequest(f"poll/{key[0]}", subject, word.event.lane, now + CONFIRM_AFTER))
                _end(work, word, EventState.STALE, "the shop told of it since: read again", subject)
            elif change.after is not None or known is None or not known.is_gone:
                if isinstance(change.after, Customer):
                    work.heard += shop_statements.statements_of_deletion(key[1], change.after, word.event.id or None)
                change.after, change.is_gone, is_changed = None, True, True
                known = StoredVersion(version or EPOCH, None, is_gone=True, said_at=word.said_at)
                change.said_at = word.said_at
                work.gone.append(Gone(key, version, word.said_at, is_erased=_is_redacted(before)))
                taken.append(word)
                _end(work, word, EventState.APPLIED, "gone from the shop", subject)
            else:
                work.gone.append(Gone(key, version, word.said_at))
                _end(work, word, EventState.STALE, "known to be gone", subject)
        else:
            record, heard = _merge(change.after, word, keys)
            encoded = records.encode_record(record)
            digest = encoded[1]
            verdict = compare_versions(
                known, record.updated_at, digest, is_reading=word.is_reading, said_at=word.said_at
            )
            work.heard += (
                heard if verdict is VersionComparison.NEWER else [replace(one, is_word=False) for one in heard]
            )
            if verdict is VersionComparison.NEWER:
                if asking := _ask_for_deliveries(context, work, word, change.after, record, now):
                    record, encoded = asking, records.encode_record(asking)
                    digest = encoded[1]
                _ask_for_the_rest(work, word, change.after, record, now)
                if isinstance(record, Customer) and isinstance(change.after, Customer):
                    work.heard += shop_statements.statements_of_address_change(
                        key[1], change.after, record, word.event.id or None
                    )
                change.after, change.is_gone, is_changed = record, False, True
                change.encoded = encoded
                change.passed.append(record)
                change.said_at = word.said_at
                known = StoredVersion(record.updated_at, digest, said_at=word.said_at)
                taken.append(word)
            elif verdict is VersionComparison.ASK and key[0] in READABLE and known is not None and known.is_gone:
                hint = RefetchRequest(f"{REVIVE}{key[0]}", subject, word.event.lane, now, encoded[0])
                _tell(work, key[1], hint)
            elif verdict is VersionComparison.ASK and key[0] in READABLE:
                _tell(work, key[1], RefetchRequest(f"poll/{key[0]}", subject, word.event.lane, now))
            elif verdict is VersionComparison.SAME:
                work.same.append((key, word.event.lane))
                if word.is_reading and word.said_at is not None:
                    work.confirmed.append((key, word.said_at))
            reason = _reason(verdict, known)
            state = EventState.APPLIED if verdict is VersionComparison.NEWER else EventState.STALE
            # What stands in no inbox (a load's records) need not be found there by anybody's name.
            _end(work, word, state, reason, subject, _names(context, record) if word.event.id else ())
    if taken:
        change.lane = min((w.event.lane for w in taken), key=lambda lane: lane.rank)
        change.since = min(w.event.received_at for w in taken)
    change.is_remap = change.is_remap and not is_changed
    if is_changed or change.is_remap:
        work.changes.append(change)


def _is_redacted(record: Canonical | None) -> bool:
    """Whether the shop asked for the record's erasure: once it is absent, nothing brings it back."""
    return isinstance(record, Customer) and record.is_redacted


def _is_overtaken(word: ParsedUpdate, said_at: datetime | None, now: datetime) -> bool:
    """Whether the store told of a record after the reading began that found it absent."""
    return word.said_at is not None and said_at is not None and word.said_at < said_at <= now


def _reason(verdict: VersionComparison, known: StoredVersion | None) -> str | None:
    """Why a body was not taken."""
    is_gone = known is not None and known.is_gone
    if verdict is VersionComparison.ASK:
        return "known to be gone: read first" if is_gone else "same version: read instead"
    return (
        ("known to be gone" if is_gone else "older than what is known") if verdict is VersionComparison.STALE else None
    )


def _merge(known: Canonical | None, word: ParsedUpdate, keys: Keys) -> tuple[Canonical, list[RecordedClaim]]:
    """What the record is with this word, and what that states about consent: a shape that cannot tell a part leaves
    that part as it was."""
    record = word.record
    assert record is not None  # noqa: S101 - the caller has sorted out what is absent
    if isinstance(record, Order):
        return carry_over.carry_over_order(record, known if isinstance(known, Order) else None, word.untold), []
    if isinstance(record, Checkout):
        return carry_over.carry_over_checkout(record, known if isinstance(known, Checkout) else None), []
    if isinstance(record, Customer):
        before = known if isinstance(known, Customer) else None
        if not word.is_patch:
            found, heard = shop_statements.statements_of_reading(before, record, word)
            return carry_over.carry_over_customer(found, before, keys), heard
        return (record if before is None else customer_webhook.overlay_customer(before, record)), []
    return carry_over.carry_over_product(record, known if isinstance(known, Product) else None, keys), []


def _hear_claim(work: UnitOfWork, word: ParsedUpdate, change: RecordTransition, now: datetime) -> VersionComparison:
    """A consent statement: it stands if it is newer, is written down either way, and is confirmed by a reading."""
    _tell(
        work,
        word.key[1],
        RefetchRequest("poll/customer", f"customer:{word.key[2]}", Lane.REALTIME, now + CONFIRM_AFTER),
    )
    customer = change.after if isinstance(change.after, Customer) else None
    said, heard = shop_statements.statements_of_claim(customer, word)
    work.heard.append(heard)
    if said is None:
        return VersionComparison.STALE
    change.encoded = None
    change.after = said
    return VersionComparison.NEWER


def _redact(work: UnitOfWork, store: str, word: ParsedUpdate, change: RecordTransition, now: datetime) -> bool:
    """A customer's erasure was asked for: they speak for nobody any more, and a reading tells whether they are gone."""
    _tell(work, store, RefetchRequest("poll/customer", f"customer:{word.key[2]}", Lane.REALTIME, now))
    customer = change.after
    if not isinstance(customer, Customer) or customer.is_redacted:
        return False
    work.heard += shop_statements.statements_of_deletion(store, customer, word.event.id or None)
    change.after, change.encoded = replace(customer, redacted_at=word.event.received_at), None
    return True


def _ask_for_the_rest(
    work: UnitOfWork, word: ParsedUpdate, before: Canonical | None, record: Canonical, now: datetime
) -> None:
    """A customer's webhook leaves out tags, consent and counts: read them, at once for somebody newly reachable.

    An order's leaves out its returns. Later ones are told of by topics of their own; those of an order that was sent
    before we first heard of it are not.
    """
    if word.untold and isinstance(before, Order) and any(getattr(before, name) for name in word.untold):
        _tell(work, word.key[1], RefetchRequest("poll/order", f"order:{word.key[2]}", word.event.lane, now))
    if isinstance(record, Order) and before is None and record.returns is None and record.fulfilments:
        _tell(work, word.key[1], RefetchRequest("poll/order", f"order:{record.id}", Lane.ENRICHMENT, now))
    if not word.is_patch or not isinstance(record, Customer):
        return
    is_urgent = not (
        isinstance(before, Customer) and before.is_read and (before.email, before.phone) == (record.email, record.phone)
    )
    lane = word.event.lane if not is_urgent else min(word.event.lane, Lane.REALTIME, key=lambda lane: lane.rank)
    _tell(
        work,
        word.key[1],
        RefetchRequest("poll/customer", f"customer:{record.id}", lane if is_urgent else Lane.ENRICHMENT, now),
    )


def _ask_for_deliveries(
    context: ConnectionContext,
    work: UnitOfWork,
    word: ParsedUpdate,
    before: Canonical | None,
    record: Canonical,
    now: datetime,
) -> Order | None:
    """The order with what is undecided of its parcels, where an event hangs on how they travel; that is read next."""
    if not isinstance(record, Order) or not record.fulfilments or word.event.lane is not Lane.REALTIME:
        return None
    rules = context.shops[word.key[1]].rules
    asking = custom_event.mark_undecided(record, before if isinstance(before, Order) else None, rules, now)
    if asking is record:
        return None
    _tell(work, word.key[1], RefetchRequest(DELIVERY, f"order:{record.id}", Lane.REALTIME, now))
    return asking


def _ask_for_contacts(
    work: UnitOfWork,
    changes: Sequence[RecordTransition],
    worth: set[tuple[str, int]],
    hold: set[tuple[str, int]],
    now: datetime,
) -> None:
    """Whoever is worth something else now, or is held or held no more, and was not mapped here, is to be mapped again.

    Metrics go behind everything urgent, a hold at once; behind a load goes what a load has changed.
    """
    mapped = {(c.key[1], int(c.key[2])) for c in changes if c.key[0] == "customer"}
    lane = min((c.lane for c in changes), key=lambda lane: lane.rank, default=Lane.REALTIME)
    for customers, own in ((hold - mapped, Lane.REALTIME), (worth - hold - mapped, Lane.ENRICHMENT)):
        for store, number in sorted(customers):
            _tell(work, store, refresh_metrics.remap_request(number, lane if lane is Lane.BACKFILL else own, now))


def _tell(work: UnitOfWork, store: str, hint: RefetchRequest) -> None:
    work.hints.setdefault(store, []).append(hint)


def _end(
    work: UnitOfWork,
    word: ParsedUpdate,
    state: EventState,
    reason: str | None,
    subject: str,
    names: tuple[bytes, ...] = (),
) -> None:
    work.outcomes.append(EventOutcome(word.event.id, state, reason, subject, names))


def _names(context: ConnectionContext, record: Canonical) -> tuple[bytes, ...]:
    """Keyed hashes of whom a body is about, so that one person's bodies can be found."""
    identifiers = (getattr(record, "email", None), getattr(record, "phone", None))
    return tuple(keyed_hash(context.hash_key, "person", text.strip().lower()) for text in identifiers if text)


def _follow_the_orders(
    tx: Tx, context: ConnectionContext, work: UnitOfWork, gone: Sequence[RecordTransition], now: datetime
) -> None:
    """A customer who is gone may have been merged: read their orders, since nobody says whether those tell of it."""
    customers = [(c.key[1], int(c.key[2])) for c in gone if c.key[0] == "customer"]
    if not customers:
        return
    lane = min((c.lane for c in gone), key=lambda lane: lane.rank)
    for _, store, name in records.orders_of(tx, context.connection, customers):
        _tell(work, store, RefetchRequest("poll/order", f"order:{name}", lane, now))
