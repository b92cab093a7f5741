"""What Ometria was last seen to say of each of its people."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.ometria import responses


class KnownProfile(responses.PlatformProfile, frozen=True):
    """One person of Ometria's, as it said at `seen_at`; the email is normalised.

    `email_optin` is the last of Ometria's own words (EXPLICITLY_OPTEDIN, EXPLICITLY_OPTEDOUT, NOT_SPECIFIED, None
    where nobody said anything) that was understood and believed, `email_now` what it says now; the same by
    text message. `look_at` is when it is to be looked at again, since something of it was under way.
    """

    seen_at: datetime
    email_now: str | None = None
    sms_now: bool | None = None
    look_at: datetime | None = None


def known_profiles(tx: Tx, connection: str, ids: Sequence[str]) -> dict[str, KnownProfile]:
    """These profiles as they were last seen."""
    rows = tx.fetch_as(
        KnownProfile,
        f"SELECT {_COLUMNS} FROM profile WHERE connection = %s AND id = ANY(%s)",  # noqa: S608
        (connection, list(ids)),
    )
    return {row.id: row for row in rows}


def save_profiles(tx: Tx, connection: str, profiles: Sequence[KnownProfile]) -> None:
    """These are how they were seen now; what was seen later stays."""
    if not profiles:
        return
    tx.execute(
        """INSERT INTO profile AS p
               (connection, id, email, phone, customer_id, email_optin, sms_optin, seen_at, email_now, sms_now, look_at)
           SELECT %(connection)s, id, email, phone, customer_id, email_optin, sms_optin, seen_at, email_now, sms_now,
                  look_at
           FROM unnest(%(ids)s::text[], %(emails)s::text[], %(phones)s::text[], %(customers)s::text[],
                       %(optins)s::text[], %(sms)s::boolean[], %(seen)s::timestamptz[], %(email_now)s::text[],
                       %(sms_now)s::boolean[], %(look)s::timestamptz[])
             AS n (id, email, phone, customer_id, email_optin, sms_optin, seen_at, email_now, sms_now, look_at)
           ORDER BY id
           ON CONFLICT (connection, id) DO UPDATE SET
               email = excluded.email, phone = excluded.phone, customer_id = excluded.customer_id,
               email_optin = excluded.email_optin, sms_optin = excluded.sms_optin, seen_at = excluded.seen_at,
               email_now = excluded.email_now, sms_now = excluded.sms_now, look_at = excluded.look_at
           WHERE p.seen_at <= excluded.seen_at""",
        {
            "connection": connection,
            "ids": [p.id for p in profiles],
            "emails": [p.email for p in profiles],
            "phones": [p.phone for p in profiles],
            "customers": [p.customer_id for p in profiles],
            "optins": [p.email_optin for p in profiles],
            "sms": [p.sms_optin for p in profiles],
            "seen": [p.seen_at for p in profiles],
            "email_now": [p.email_now for p in profiles],
            "sms_now": [p.sms_now for p in profiles],
            "look": [p.look_at for p in profiles],
        },
    )


def update_profiles(tx: Tx, connection: str, profiles: Sequence[KnownProfile]) -> None:
    """What these say now, without concluding anything from it; those never seen before are left to the next look."""
    tx.execute(
        """WITH now AS (
               SELECT p.id, n.email_now, n.sms_now FROM profile p
               JOIN unnest(%s::text[], %s::text[], %s::boolean[]) AS n (id, email_now, sms_now) ON n.id = p.id
               WHERE p.connection = %s ORDER BY p.id FOR UPDATE OF p)
           UPDATE profile p SET email_now = n.email_now, sms_now = n.sms_now
           FROM now n WHERE p.connection = %s AND p.id = n.id""",
        (
            [p.id for p in profiles],
            [p.email_now for p in profiles],
            [p.sms_now for p in profiles],
            connection,
            connection,
        ),
    )


def delete_profiles(tx: Tx, connection: str, ids: Sequence[str]) -> None:
    """These are no more in Ometria."""
    tx.execute("DELETE FROM profile WHERE connection = %s AND id = ANY(%s)", (connection, list(ids)))


def claim_profiles(tx: Tx, connection: str, now: datetime, until: datetime, limit: int) -> list[KnownProfile]:
    """Profiles whose time to be looked at again has come, the longest waiting first: ours until then, and due again
    for somebody else after that."""
    rows = tx.fetch_as(
        KnownProfile,
        f"""WITH due AS (
               SELECT connection, id FROM profile WHERE connection = %s AND look_at <= %s
               ORDER BY look_at LIMIT %s FOR UPDATE SKIP LOCKED)
           UPDATE profile p SET look_at = %s FROM due d WHERE p.connection = d.connection AND p.id = d.id
           RETURNING {_of("p")}""",  # noqa: S608
        (connection, now, limit, until),
    )
    return sorted(rows, key=lambda row: row.id)


def postpone_profiles(tx: Tx, connection: str, ids: Sequence[str], at: datetime) -> None:
    """Look at these at another time."""
    if ids:
        tx.execute(
            """UPDATE profile SET look_at = %s WHERE (connection, id) IN (
                   SELECT connection, id FROM profile WHERE connection = %s AND id = ANY(%s) ORDER BY id FOR UPDATE)""",
            (at, connection, list(ids)),
        )


def has_profiles_to_recheck(tx: Tx, connection: str) -> bool:
    """Whether anybody is still to be looked at again."""
    return bool(
        tx.fetch_value(
            "SELECT EXISTS (SELECT FROM profile WHERE connection = %s AND look_at IS NOT NULL)", (connection,)
        )
    )


def mark_for_recheck(tx: Tx, connection: str, emails: Sequence[str], at: datetime) -> None:
    """Look again at the profiles of these addresses, at a time or when they were to be looked at anyway."""
    if emails:
        tx.execute(
            """UPDATE profile SET look_at = least(look_at, %s) WHERE (connection, id) IN (
                   SELECT connection, id FROM profile WHERE connection = %s AND email = ANY(%s)
                   ORDER BY id FOR UPDATE SKIP LOCKED)""",
            (at, connection, list(emails)),
        )


class SharedAddress(Struct, frozen=True):
    """An address that several profiles hold, by the ids of those, and the customer ids they go by."""

    email: str
    profiles: list[str]
    customer_ids: list[str | None]


def shared_addresses(tx: Tx, connection: str, limit: int = 1_000) -> list[SharedAddress]:
    """Addresses that more than one profile holds: left from before 2024, when Ometria allowed it."""
    return tx.fetch_as(
        SharedAddress,
        """SELECT email, array_agg(id ORDER BY id) AS profiles, array_agg(customer_id ORDER BY id) AS customer_ids
           FROM profile WHERE connection = %s AND email IS NOT NULL
           GROUP BY email HAVING count(*) > 1 ORDER BY min(id) LIMIT %s""",
        (connection, limit),
    )


def profiles_by_identifier(
    tx: Tx, connection: str, emails: Sequence[str], customers: Sequence[str], phones: Sequence[str]
) -> list[KnownProfile]:
    """The profiles that hold any of these addresses, customer ids or numbers."""
    found: dict[str, KnownProfile] = {}
    for column, values in (("email", emails), ("customer_id", customers), ("phone", phones)):
        if values:
            # Correlated and limited, so that each is one look into the index: a first listing fills the table faster
            # than anybody analyses it.
            rows = tx.fetch_as(
                KnownProfile,
                f"""SELECT p.* FROM unnest(%s::text[]) AS v (value), LATERAL (
                       SELECT {_COLUMNS} FROM profile
                       WHERE connection = %s AND {column} = v.value ORDER BY id LIMIT 50) AS p""",  # noqa: S608
                (list(values), connection),
            )
            found |= {row.id: row for row in rows}
    return [found[own] for own in sorted(found)]


def profiles_by_email(tx: Tx, connection: str, emails: Sequence[str]) -> list[KnownProfile]:
    """The profiles that answer to one of these addresses (normalised)."""
    return tx.fetch_as(
        KnownProfile,
        f"SELECT {_COLUMNS} FROM profile WHERE connection = %s AND email = ANY(%s) ORDER BY id",  # noqa: S608
        (connection, list(emails)),
    )


def _of(table: str) -> str:
    return ", ".join(f"{table}.{column}" for column in _COLUMNS.split(", "))


_COLUMNS = "id, email, phone, customer_id, email_optin, sms_optin, seen_at, email_now, sms_now, look_at"
