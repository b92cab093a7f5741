"""Everything that happened to one person or one order, in order of time.

Nothing here repeats anybody's data: people are found by what the operator typed, and told of by their numbers.
"""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from isthmus.consent.sql import ledger
from isthmus.db.pool import Database, Row, Tx
from isthmus.kit.compression import Packer
from isthmus.kit.email import normalise_email
from isthmus.kit.ids import keyed_hash
from isthmus.model.consent import Channel
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.ops import ownership, sql
from isthmus.records.sql import store as canonical

LIMIT = 500
"""Events, and pushes, that are told of at most: the newest."""

_LANES = tuple(Lane)


class About(Struct, frozen=True, kw_only=True):
    """Whom or what to trace: one of the three."""

    email: str | None = None
    customer: int | None = None
    order: int | None = None


class TraceEntry(Struct, frozen=True):
    """One thing that happened. `what` is event, record, owner, merge, consent, write, push or case; `said` what came of
    it."""

    at: datetime
    what: str
    subject: str
    store: str
    lane: str
    said: str
    id: str = ""


class Trace(Struct, frozen=True):
    """What was found: the store's records that belong together, and what happened to them."""

    connection: str
    subjects: tuple[str, ...]
    entries: tuple[TraceEntry, ...]

    @property
    def is_nothing(self) -> bool:
        return not self.entries


def trace_history(db: Database, connection: str, about: About, hash_key: bytes) -> Trace:
    """Follow a person, with all their orders and baskets, or one order."""
    with db.transaction() as tx:
        sql.begin_snapshot(tx)
        records, people, addresses = _found(tx, connection, about, hash_key)
        subjects = {(row["store"], f"{row['kind']}:{row['id']}") for row in records}
        named = sorted({subject for _, subject in subjects} | _asked(about))
        writes = sql.outbox_rows_of(tx, connection, sorted(subjects))
        platform = [(row["kind"], row["id"]) for row in writes]
        entries = [
            *_records(records),
            *_events(sql.events_of(tx, connection, named, people, LIMIT)),
            *_consent(ledger.statement_history(tx, connection, addresses) if addresses else []),
            *_writes(writes),
            *_pushes(sql.push_attempts(tx, connection, platform, LIMIT)),
            *_owners(tx, connection, records),
            *_merges(sql.merge_log_of(tx, connection, [own for kind, own in platform if kind == "contact"])),
            *_cases(sql.cases_of(tx, connection, [*named, *(f"{kind}:{own}" for kind, own in platform)])),
        ]
    entries.sort(key=lambda entry: entry.at)
    return Trace(connection, tuple(named), tuple(entries))


def _found(tx: Tx, connection: str, about: About, hash_key: bytes) -> tuple[list[Row], list[bytes], list[bytes]]:
    """The records, the names under which bodies of this person are kept, and the ledger's names of their addresses."""
    if about.order is not None:
        return sql.records_of(tx, connection, [], [], [("order", str(about.order))]), [], []
    emails = {email} if (email := normalise_email(about.email)) else set()
    numbers = {about.customer} if about.customer is not None else set()
    for link in sql.links_of(tx, connection, sorted(emails), sorted(numbers)):
        numbers.add(link["customer_id"])
        if link["email"]:
            emails.add(link["email"])
    keys = [("customer", str(number)) for number in sorted(numbers)]
    records = sql.records_of(tx, connection, sorted(emails), sorted(numbers), keys)
    phones = _phones(tx, connection, records)
    people = [keyed_hash(hash_key, "person", text.strip().lower()) for text in sorted(emails | phones)]
    addresses = [ledger.hash_address(hash_key, Channel.EMAIL.value, email) for email in sorted(emails)]
    addresses += [ledger.hash_address(hash_key, Channel.SMS.value, phone) for phone in sorted(phones)]
    return records, people, addresses


def _phones(tx: Tx, connection: str, records: Iterable[Row]) -> set[str]:
    keys = [(row["kind"], row["store"], row["id"]) for row in records if row["kind"] == "customer"]
    kept = canonical.load_records(tx, connection, keys, Packer())
    return {k.record.phone for k in kept.values() if isinstance(k.record, Customer) and k.record.phone}


def _asked(about: About) -> set[str]:
    """What was typed, as a subject: a record that never was understood still has events and cases."""
    asked = {("order", about.order), ("customer", about.customer)}
    return {f"{kind}:{number}" for kind, number in asked if number is not None}


# What each row says --------------------------------------------------------------------------------------------------


def _records(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        said = "gone from the shop" if row["deleted_at"] else f"known in the version of {_time(row['updated_at'])}"
        yield TraceEntry(row["changed_at"], "record", f"{row['kind']}:{row['id']}", row["store"], "", said)


def _owners(tx: Tx, connection: str, rows: Iterable[Row]) -> Iterable[TraceEntry]:
    changed = {(row["kind"], row["store"], row["id"]): row["changed_at"] for row in rows}
    for (kind, store, name), told in ownership.owners_of_records(tx, connection, changed).items():
        said = f"{told.answer} by {told.rule}" + (f": {told.person}" if told.person else "")
        yield TraceEntry(changed[kind, store, name], "owner", f"{kind}:{name}", store, "", said)


def _merges(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        said = f"{row['loser']} into {row['survivor']}: {row['what']} by {row['by']}"
        if row["detail"]:
            said += f" ({row['detail']})"
        yield TraceEntry(row["at"], "merge", row["loser"], "", "", said, str(row["merge"] or ""))


def _events(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        at = row["replayed_at"] or row["received_at"]
        said = f"replay of event {row['replay_of']}, " if row["replay_of"] else ""
        said += f"{row['topic']}: {row['state']}"
        if row["settled_at"]:
            said += f" {(row['settled_at'] - at).total_seconds():.1f} s later"
        if row["reason"]:
            said += f" ({row['reason']})"
        if row["state"] == "waiting" and row["attempts"]:
            said += f", {row['attempts']} attempts, again at {_time(row['due_at'])}"
        yield TraceEntry(at, "event", row["subject"] or "", row["store"], _LANES[row["lane"]], said, str(row["id"]))


def _consent(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        since = f", since {_time(row['claimed_at'])}" if row["claimed_at"] else ", without a time of its own"
        said = f"{row['channel']} {row['state']}{since}, by {row['source']}: {row['rule']}"
        subject = f"customer:{row['customer_id']}" if row["customer_id"] else ""
        yield TraceEntry(row["heard_at"], "consent", subject, row["store"], "", said)


def _writes(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        said = row["state"]
        match row["state"]:
            case "due" if row["mode"] != "live":
                said = "kept back: in shadow mode nothing is sent"
            case "due":
                said = f"to be sent at {_time(row['due_at'])}" + (", after its contact" if row["waits_for"] else "")
            case "excluded":
                said = f"on purpose not sent: {row['excluded']}"
            case "buried":
                said = f"cannot be applied: {row['case_code']}"
            case "accepted":
                said = "taken by Ometria, not known to be there yet"
            case "held":
                said = "may be there: waits for a look before it is sent again"
            case "applied":
                said = f"there, known since {_time(row['settled_at'])}"
        at = row["settled_at"] if row["state"] in ("applied", "buried") and row["settled_at"] else row["since"]
        yield TraceEntry(
            at, "write", row["subject"] or "", row["store"], _LANES[row["lane"]], said, f"{row['kind']}:{row['id']}"
        )


def _pushes(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        said = f"{row['outcome']} after {row['waited']:.1f} s"
        if row["request_id"]:
            said += f", request {row['request_id']}"
        yield TraceEntry(row["at"], "push", "", "", _LANES[row["lane"]], said, f"{row['kind']}:{row['record_id']}")


def _cases(rows: Iterable[Row]) -> Iterable[TraceEntry]:
    for row in rows:
        times = f", {row['n']} times until {_time(row['last_at'])}" if row["n"] > 1 else ""
        said = f"{row['code']}: opened{times}, {row['owner']} acts"
        yield TraceEntry(row["first_at"], "case", row["subject"], row["store"], "", said, str(row["id"]))
        if row["closed_at"]:
            closed = f"{row['code']}: {row['state']} by {row['closed_by']}"
            yield TraceEntry(row["closed_at"], "case", row["subject"], row["store"], "", closed, str(row["id"]))


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
