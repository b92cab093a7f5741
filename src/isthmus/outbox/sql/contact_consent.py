"""What contacts say about consent, were sent to say, and must say by force."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.model.write import PERMITTING, RecordKind


class ConsentBasis(Struct, frozen=True):
    """The addresses behind a contact by the ledger's names, the phone's only where it is opted in, and how many
    opt-outs of those that it opts in were known when it was mapped.
    """

    address: bytes | None = None
    sms_address: bytes | None = None
    n_outs: int = 0
    is_retired: bool = False
    """Whether its customer is gone from the shop, or has no address there any more."""


NO_BASIS = ConsentBasis()


class SentConsent(Struct, frozen=True):
    """What a contact's row says of consent: desired now, ever sent, and whether its opt-out must be forced. `is_there`
    where Ometria has the contact, or is to have it.
    """

    opts_in: bool = False
    opts_out: bool = False
    was_opted_in: bool = False
    was_forced: bool = False
    must_force: bool = False
    is_there: bool = False
    was_opted_in_sms: bool = False
    opts_in_sms: bool = False


NEVER_SENT = SentConsent()


class ContactConsent(Struct, frozen=True):
    """One contact: what is desired of its consent now, how far it is, and when it was last sent either way."""

    id: str
    store: str
    state: str
    lane: int
    opts_in: bool
    opts_out: bool
    was_opted_in: bool
    was_forced: bool
    must_force: bool
    settled_at: datetime | None
    opted_in_at: datetime | None
    opted_out_at: datetime | None
    is_asking: bool
    """Whether it only asks by text message."""
    was_opted_in_sms: bool = False
    since: datetime | None = None
    """When the oldest change that is not sent was received."""
    is_retired: bool = False
    opts_in_sms: bool = False

    @property
    def is_moving(self) -> bool:
        return self.state in ("due", "leased", "accepted")


def lock_contacts(tx: Tx, connection: str, ids: Sequence[str]) -> dict[str, SentConsent]:
    """Lock these contacts' rows until the end of the transaction; what each says of consent.

    The mapping of consent depends on it, and a push claimed meanwhile would change it.
    """
    rows = tx.fetch_all(
        """SELECT id, opts_in, opts_out, was_opted_in, was_forced, must_force OR (opts_out AND forces) AS must_force,
                  sent IS NOT NULL OR state <> 'excluded' AS is_there, was_opted_in_sms,
                  sms_address IS NOT NULL AS opts_in_sms
           FROM outbox
           WHERE connection = %s AND kind = ANY(%s) AND id = ANY(%s) ORDER BY kind, id FOR UPDATE""",
        (connection, list(PERMITTING), list(ids)),
    )
    return {
        row["id"]: SentConsent(
            row["opts_in"],
            row["opts_out"],
            row["was_opted_in"],
            row["was_forced"],
            row["must_force"],
            row["is_there"],
            row["was_opted_in_sms"],
            row["opts_in_sms"],
        )
        for row in rows
    }


def save_consent_basis(tx: Tx, connection: str, contacts: Mapping[str, ConsentBasis]) -> None:
    """What these contacts were mapped from, also where the same came out of it."""
    if not contacts:
        return
    tx.execute(
        """WITH behind AS (
               SELECT o.id, b.address, b.sms_address, b.n_outs, b.is_retired FROM outbox o
               JOIN unnest(%(ids)s::text[], %(addresses)s::bytea[], %(sms)s::bytea[], %(n_outs)s::integer[],
                           %(retired)s::boolean[])
                 AS b (id, address, sms_address, n_outs, is_retired) ON o.id = b.id
               WHERE o.connection = %(connection)s AND o.kind = ANY(%(kinds)s)
                 AND (o.address, o.sms_address, o.n_outs, o.is_retired)
                     IS DISTINCT FROM (b.address, b.sms_address, b.n_outs, b.is_retired)
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET address = b.address, sms_address = b.sms_address, n_outs = b.n_outs,
               is_retired = b.is_retired
           FROM behind b WHERE o.connection = %(connection)s AND o.kind = ANY(%(kinds)s) AND o.id = b.id""",
        {
            "connection": connection,
            "kinds": list(PERMITTING),
            "ids": list(contacts),
            "addresses": [one.address for one in contacts.values()],
            "sms": [one.sms_address for one in contacts.values()],
            "n_outs": [one.n_outs for one in contacts.values()],
            "retired": [one.is_retired for one in contacts.values()],
        },
    )


def sent_consent_of(
    tx: Tx, connection: str, ids: Sequence[str], kind: RecordKind = RecordKind.CONTACT
) -> dict[str, ContactConsent]:
    """These contacts, as far as there are rows of them that are sent."""
    rows = tx.fetch_as(
        ContactConsent,
        """SELECT id, store, state, lane, opts_in, opts_out, was_opted_in, was_forced, must_force, settled_at,
                  opted_in_at, opted_out_at, kind = 'sms' AND sms_address IS NOT NULL AND NOT opts_in AS is_asking,
                  was_opted_in_sms, is_retired, since, sms_address IS NOT NULL AS opts_in_sms
           FROM outbox WHERE connection = %s AND kind = %s AND id = ANY(%s) AND state <> 'excluded'""",
        (connection, kind, list(ids)),
    )
    return {row.id: row for row in rows}


def retired_contacts(tx: Tx, connection: str, addresses: Sequence[bytes]) -> dict[bytes, list[ContactConsent]]:
    """The contacts of customers who are gone or have no address any more, by the address that each was sent with."""
    found: dict[bytes, list[ContactConsent]] = {}
    if not addresses:
        return found
    rows = tx.fetch_all(
        """SELECT o.address, o.id, o.store, o.state, o.lane, o.opts_in, o.opts_out, o.was_opted_in, o.was_forced,
                  o.must_force, o.settled_at, o.opted_in_at, o.opted_out_at, o.since
           FROM unnest(%s::bytea[]) AS a (address)
           JOIN outbox o ON o.connection = %s AND o.is_retired AND o.address = a.address
           WHERE o.kind = 'contact' AND o.state <> 'excluded'""",
        (list(addresses), connection),
    )
    for row in rows:
        address = bytes(row.pop("address"))
        found.setdefault(address, []).append(ContactConsent(**row, is_asking=False, is_retired=True))
    return found


def count_sent_contacts(tx: Tx, connection: str, store: str) -> int:
    """How many contacts of a store were ever sent."""
    value = tx.fetch_value(
        """SELECT count(*) FROM outbox
           WHERE connection = %s AND store = %s AND kind = 'contact' AND (sent IS NOT NULL OR settled IS NOT NULL)""",
        (connection, store),
    )
    return int(value or 0)


class RetiredContact(Struct, frozen=True):
    """A retired contact, with its body (packed)."""

    id: str
    store: str
    subject: str | None
    opts_out: bool
    body: bytes | None


def list_retired_contacts(tx: Tx, connection: str, after: str, limit: int) -> list[RetiredContact]:
    """Retired contacts in the order of their ids, those behind `after`."""
    return tx.fetch_as(
        RetiredContact,
        """SELECT id, store, subject, opts_out, body FROM outbox
           WHERE connection = %s AND is_retired AND kind = 'contact' AND id > %s AND state <> 'excluded'
           ORDER BY id LIMIT %s""",
        (connection, after, limit),
    )


def find_retired(tx: Tx, connection: str, ids: Sequence[str]) -> set[str]:
    """Of these contacts those that are retired."""
    rows = tx.fetch_all(
        "SELECT id FROM outbox WHERE connection = %s AND kind = 'contact' AND id = ANY(%s) AND is_retired",
        (connection, list(ids)),
    )
    return {row["id"] for row in rows}


def require_force(tx: Tx, connection: str, ids: Sequence[str]) -> int:
    """The opt-outs of these contacts have no effect unforced; how many that is news of."""
    return tx.execute(
        """UPDATE outbox SET must_force = true WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %s AND kind = 'contact' AND id = ANY(%s) AND opts_out AND NOT must_force
               ORDER BY id FOR UPDATE)""",
        (connection, list(ids)),
    )


IMPORTER = "consent:importer"


def has_importer(tx: Tx, connection: str) -> bool:
    """Whether the account's own importer was last seen to write consent beside us."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM snapshot WHERE connection = %s AND store = '' AND name = %s
                              AND (body ->> 'is_live')::boolean)""",
            (connection, IMPORTER),
        )
    )


def log_forced(tx: Tx, connection: str, ids: Sequence[str], now: datetime) -> None:
    """Write into the ledger that these contacts were sent forced: evidence, and no statement of anybody's."""
    tx.execute(
        """INSERT INTO consent_claim (connection, channel, address, store, customer_id, state, heard_at, claimed_at,
                                      source, rule, is_word)
           SELECT connection, 'email', address, store, split_part(subject, ':', 2)::bigint,
                  CASE WHEN opts_in THEN 'FORCED_IN' ELSE 'FORCED_OUT' END, %(now)s, %(now)s, 'isthmus.forced',
                  'forced', false
           FROM outbox WHERE connection = %(connection)s AND kind = 'contact' AND id = ANY(%(ids)s) AND forces
             AND address IS NOT NULL
           ORDER BY id
           ON CONFLICT DO NOTHING""",
        {"connection": connection, "ids": list(ids), "now": now},
    )
