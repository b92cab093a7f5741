"""The outbox in the database: desire, claim, what became of it. Rows are always locked in the order of (kind, id)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct

from isthmus.db.pool import Tx
from isthmus.db.sql import increment
from isthmus.kit.compression import Packer
from isthmus.kit.ids import content_hash
from isthmus.model.lane import Lane
from isthmus.model.write import PERMITTING, RecordKind, Write
from isthmus.outbox.plan import BATCH, Ready
from isthmus.outbox.sql.contact_consent import NO_BASIS, ConsentBasis, save_consent_basis
from isthmus.outbox.sql.opt_in_gate import BLOCKED_BY_OPT_OUT, HELD, OPT_OUT_STATES

_LANES = tuple(Lane)

LEASE = timedelta(seconds=12)
"""How long a claimed record is ours; the whole push ends before half of it."""


class DesiredWrite(Struct, frozen=True):
    """A write of one store, and when the oldest change behind it was received: lag counts from there."""

    store: str
    write: Write
    since: datetime
    behind: ConsentBasis = NO_BASIS


class ClaimedPush(Struct, frozen=True):
    """A record claimed for a push; `hash` is what is being sent, `since` when its oldest unsent change was received."""

    kind: RecordKind
    id: str
    lane: Lane
    body: bytes
    hash: bytes
    since: datetime
    attempts: int
    batch_max: int


# Desire --------------------------------------------------------------------------------------------------------------


def upsert_desired(
    tx: Tx,
    connection: str,
    wanted: Sequence[DesiredWrite],
    *,
    now: datetime,
    coalesce: timedelta,
    contact_head_start: timedelta,
    packer: Packer,
) -> int:
    """Put what Ometria should say of these records beside what it says; the number of rows that now need work.

    Of several wants of one record the last counts, in the most urgent of their lanes.
    An unchanged desire changes nothing. A record already due keeps its place in the queue and takes the more urgent
    lane. Going back to what is known to be there cancels the push; while a push is unanswered nothing is known.
    """
    if not wanted:
        return 0
    latest: dict[tuple[str, str], DesiredWrite] = {}
    lanes: dict[tuple[str, str], int] = {}
    for want in wanted:
        key = (want.write.kind.value, want.write.id)
        latest[key] = want
        lanes[key] = min(lanes.get(key, want.write.lane.rank), want.write.lane.rank)
    keys = sorted(latest)
    ordered = [latest[key].write for key in keys]
    bodies = [None if w.excluded or w.rejected else w.body for w in ordered]
    rows = tx.fetch_all(
        _DESIRE,
        {
            "connection": connection,
            "store": [latest[key].store for key in keys],
            "kind": [w.kind.value for w in ordered],
            "id": [w.id for w in ordered],
            "lane": [lanes[key] for key in keys],
            "since": [latest[key].since for key in keys],
            "body": [None if body is None else packer.pack(body) for body in bodies],
            "desired": [None if body is None else content_hash(body) for body in bodies],
            "excluded": [w.excluded for w in ordered],
            "case_code": [w.rejected for w in ordered],
            "opts_in": [w.opts_in for w in ordered],
            "opts_out": [w.opts_out for w in ordered],
            "forces": [w.forces for w in ordered],
            "address": [latest[key].behind.address for key in keys],
            "sms_address": [latest[key].behind.sms_address for key in keys],
            "n_outs": [latest[key].behind.n_outs for key in keys],
            "waits_for": [w.after for w in ordered],
            "subject": [w.subject for w in ordered],
            "n_cut": [w.n_cut for w in ordered],
            "now": now,
            "due_at": now + coalesce,
            "head_start": now + contact_head_start,
        },
    )
    contacts = {want.write.id: want.behind for want in latest.values() if want.write.kind in PERMITTING}
    save_consent_basis(tx, connection, contacts)
    return sum(row["state"] == "due" for row in rows)


# A moment happened once: its row never changes. Everything else follows the latest desire.
_DESIRE = """
WITH wanted AS (
    SELECT * FROM unnest(
        %(kind)s::text[], %(id)s::text[], %(lane)s::smallint[], %(body)s::bytea[], %(desired)s::bytea[],
        %(excluded)s::text[], %(opts_in)s::boolean[], %(waits_for)s::text[], %(subject)s::text[], %(store)s::text[],
        %(since)s::timestamptz[], %(case_code)s::text[], %(opts_out)s::boolean[], %(forces)s::boolean[],
        %(address)s::bytea[], %(sms_address)s::bytea[], %(n_outs)s::integer[],
        %(n_cut)s::integer[]
    ) AS w (kind, id, lane, body, desired, excluded, opts_in, waits_for, subject, store, since, case_code, opts_out,
            forces, address, sms_address, n_outs, n_cut)
)
INSERT INTO outbox AS o
    (connection, kind, id, store, subject, lane, state, due_at, since, body, desired, excluded, case_code, opts_in,
     waits_for, opts_out, forces, address, sms_address, n_outs, n_cut)
SELECT %(connection)s, w.kind, w.id, w.store, w.subject, w.lane,
       CASE WHEN w.case_code IS NOT NULL THEN 'buried' WHEN w.excluded IS NOT NULL THEN 'excluded' ELSE 'due' END,
       CASE WHEN w.waits_for IS NULL THEN CASE WHEN w.kind = 'moment' THEN %(now)s ELSE %(due_at)s END
            WHEN EXISTS (SELECT FROM outbox c WHERE c.connection = %(connection)s AND c.kind = 'contact'
                         AND c.id = w.waits_for AND c.settled IS NULL AND c.accepted_at IS NULL
                         AND c.state IN ('due', 'leased'))
            THEN greatest(%(due_at)s, %(head_start)s) ELSE %(due_at)s END,
       w.since, w.body, w.desired, w.excluded, w.case_code, w.opts_in, w.waits_for, w.opts_out, w.forces, w.address,
       w.sms_address, w.n_outs, w.n_cut
FROM wanted w ORDER BY w.kind, w.id
ON CONFLICT (connection, kind, id) DO UPDATE SET
    subject = excluded.subject,
    body = excluded.body,
    desired = excluded.desired,
    excluded = excluded.excluded,
    opts_in = excluded.opts_in,
    opts_out = excluded.opts_out,
    forces = excluded.forces,
    must_force = o.must_force AND NOT excluded.opts_in,
    address = excluded.address,
    sms_address = excluded.sms_address,
    n_outs = excluded.n_outs,
    n_cut = excluded.n_cut,
    waits_for = excluded.waits_for,
    case_code = excluded.case_code,
    batch_max = 100,
    doubts = 0,
    attempts = CASE WHEN o.state = 'leased' THEN o.attempts ELSE 0 END,
    lane = CASE WHEN o.state = 'due' THEN least(o.lane, excluded.lane) ELSE excluded.lane END,
    since = CASE WHEN o.state IN ('due', 'leased') THEN o.since ELSE excluded.since END,
    due_at = CASE WHEN o.state = 'due' THEN least(o.due_at, excluded.due_at) ELSE excluded.due_at END,
    claim = CASE WHEN excluded.desired IS NOT NULL THEN o.claim END,
    leased_until = CASE WHEN excluded.desired IS NOT NULL THEN o.leased_until END,
    state = CASE
        WHEN excluded.case_code IS NOT NULL THEN 'buried'
        WHEN excluded.excluded IS NOT NULL THEN 'excluded'
        WHEN o.state = 'leased' THEN 'leased'
        WHEN o.state = 'accepted' AND excluded.desired = o.sent THEN 'accepted'
        WHEN o.is_known AND excluded.desired = o.settled THEN 'applied'
        ELSE 'due' END
WHERE o.kind <> 'moment'
  AND ((o.state = 'due' AND excluded.lane < o.lane)
       OR o.desired IS DISTINCT FROM excluded.desired
       OR o.excluded IS DISTINCT FROM excluded.excluded
       OR (excluded.case_code IS NOT NULL AND o.case_code IS DISTINCT FROM excluded.case_code))
RETURNING o.kind, o.id, o.state
"""


def raise_priority(tx: Tx, connection: str, kind: RecordKind, ids: Sequence[str], lane: Lane) -> int:
    """Move records that are still to be sent into a more urgent lane: a write travels with its most urgent reason.

    One that somebody holds at this moment is left alone: it is being sent or changed anyway, and nothing waits here.
    """
    return tx.execute(
        """UPDATE outbox SET lane = %(lane)s WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %(connection)s AND kind = %(kind)s AND id = ANY(%(ids)s)
                 AND state = 'due' AND lane > %(lane)s ORDER BY id FOR UPDATE SKIP LOCKED)""",
        {"connection": connection, "kind": kind.value, "ids": list(ids), "lane": lane.rank},
    )


class Bought(Struct, frozen=True):
    """An order: when it was placed, what it came from, and whose it is."""

    store: str
    placed_at: datetime
    checkout_token: str | None
    cart_token: str | None
    email: str | None
    customer_id: int | None


def cancel_abandoned_checkout_events(tx: Tx, connection: str, orders: Sequence[Bought], *, reason: str) -> int:
    """Exclude basket moments that were never claimed for a push and whose basket, or owner, has ordered since it was
    begun."""
    return tx.execute(
        """WITH waiting AS (
               SELECT o.id, o.store, r.token, r.cart_token, r.email, r.customer_id, r.placed_at AS began
               FROM outbox o
               LEFT JOIN basket_name n ON n.connection = o.connection AND n.store = o.store
                                      AND o.subject = 'checkout:' || n.name
               LEFT JOIN basket_name m ON m.connection = n.connection AND m.store = n.store AND m.basket = n.basket
               JOIN record r ON r.connection = o.connection AND r.kind = 'checkout' AND r.store = o.store
                            AND r.id = coalesce(m.name, substr(o.subject, length('checkout:') + 1))
               WHERE o.connection = %(connection)s AND o.kind = 'moment' AND o.state = 'due' AND o.sent IS NULL
                 AND o.subject LIKE 'checkout:%%'),
           bought AS (
               SELECT DISTINCT w.id FROM waiting w
               JOIN unnest(%(stores)s::text[], %(placed)s::timestamptz[], %(tokens)s::text[], %(carts)s::text[],
                           %(emails)s::text[], %(customers)s::bigint[]) AS p (store, at, token, cart, email, customer)
                 ON (p.store = w.store AND (w.token = p.token OR w.cart_token = p.cart))
                 OR ((w.began IS NULL OR p.at >= w.began)
                     AND (w.email = p.email OR (w.store, w.customer_id) = (p.store, p.customer)))),
           taken AS (
               SELECT o.connection, o.kind, o.id FROM outbox o JOIN bought b ON b.id = o.id
               WHERE o.connection = %(connection)s AND o.kind = 'moment' AND o.state = 'due' AND o.sent IS NULL
               ORDER BY o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = 'excluded', excluded = %(reason)s, body = NULL, desired = NULL
           FROM taken b WHERE o.connection = b.connection AND o.kind = b.kind AND o.id = b.id""",
        {
            "connection": connection,
            "reason": reason,
            "stores": [o.store for o in orders],
            "placed": [o.placed_at for o in orders],
            "tokens": [o.checkout_token for o in orders],
            "carts": [o.cart_token for o in orders],
            "emails": [o.email for o in orders],
            "customers": [o.customer_id for o in orders],
        },
    )


def expire_events(tx: Tx, connection: str, before: datetime, reason: str) -> int:
    """Exclude moments that we learned of before a time and that are not there: nobody waits for them any more."""
    return tx.execute(
        """UPDATE outbox SET state = 'excluded', excluded = %s, body = NULL, desired = NULL
           WHERE connection = %s AND kind = 'moment' AND state = 'due' AND since < %s""",
        (reason, connection, before),
    )


# Claim ---------------------------------------------------------------------------------------------------------------


def is_push_due(tx: Tx, connection: str, now: datetime, lanes: Sequence[Lane]) -> bool:
    """Whether anything is due for a push in these lanes."""
    return bool(
        tx.fetch_value(
            """SELECT EXISTS (SELECT FROM outbox WHERE connection = %s AND state = 'due' AND lane = ANY(%s)
                              AND due_at <= %s)""",
            (connection, [lane.rank for lane in lanes], now),
        )
    )


def count_ready(tx: Tx, connection: str, lanes: Sequence[Lane], now: datetime) -> list[Ready]:
    """How much is due of each kind in each of these lanes, counted up to a full push."""
    rows = tx.fetch_all(
        """SELECT k.kind, l.lane, due.n, due.since
           FROM unnest(%(kinds)s::text[]) AS k (kind), unnest(%(lanes)s::smallint[]) AS l (lane),
           LATERAL (SELECT count(*) AS n, min(due_at) AS since FROM (
               SELECT o.due_at FROM outbox o WHERE o.connection = %(connection)s AND o.kind = k.kind
                 AND o.lane = l.lane AND o.state = 'due' AND o.due_at <= %(now)s
               ORDER BY o.due_at LIMIT %(batch)s) AS x) AS due
           WHERE due.n > 0""",
        {
            "connection": connection,
            "kinds": [k.value for k in RecordKind],
            "now": now,
            "batch": BATCH,
            "lanes": [lane.rank for lane in lanes],
        },
    )
    return [Ready(RecordKind(row["kind"]), _LANES[row["lane"]], row["n"], row["since"]) for row in rows]


def claim_batch(
    tx: Tx,
    connection: str,
    kind: RecordKind,
    lanes: Sequence[Lane],
    *,
    now: datetime,
    claim: UUID,
    packer: Packer,
    riders: int = 0,
    unsettled: datetime | None = None,
) -> list[ClaimedPush]:
    """Lease up to a batch of due records of one kind: up to `riders` of realtime, then lane by lane in this order.

    An opt-in stays where it is while anything restrains it; what was pushed since `unsettled` may still be on its way.
    Records of a refused batch travel apart from the others, in ever smaller company, until the bad one stands alone.
    """
    # The index is in the order of the queue. A plan that sorts instead asks of every due row what restrains it, and one
    # that was kept from when the queue was short does.
    tx.execute(
        "SELECT set_config('enable_sort', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
    )
    taken: list[ClaimedPush] = []
    size = BATCH
    seats = [(Lane.REALTIME, riders)] if riders else []
    for lane, most in [*seats, *((lane, BATCH) for lane in lanes)]:
        if len(taken) >= size:
            break
        rows = tx.fetch_all(
            _CLAIM_CONTACTS if kind in PERMITTING else _CLAIM,
            {
                "outs": OPT_OUT_STATES,
                "unsettled": unsettled or now - LEASE,
                "connection": connection,
                "kind": kind.value,
                "lane": lane.rank,
                "now": now,
                "claim": claim,
                "until": now + LEASE,
                "limit": min(size - len(taken), most),
                "company": size if taken else None,
            },
        )
        for row in rows:
            taken.append(
                ClaimedPush(
                    kind,
                    row["id"],
                    lane,
                    packer.unpack(row["body"]),
                    row["desired"],
                    row["since"],
                    row["attempts"],
                    row["batch_max"],
                )
            )
        if taken:
            size = taken[0].batch_max
    return sorted(taken, key=lambda row: row.id)


# The first due record sets the company: all others of the claim have the same batch_max.
_CLAIM_ALL = """
WITH company AS (
    SELECT coalesce(%(company)s::smallint, (
        SELECT o.batch_max FROM outbox o
        WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.lane = %(lane)s AND o.state = 'due'
          AND o.due_at <= %(now)s AND {free} ORDER BY o.due_at LIMIT 1)) AS size
), picked AS (
    SELECT o.id FROM outbox o
    WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.lane = %(lane)s AND o.state = 'due'
      AND o.due_at <= %(now)s AND o.batch_max = (SELECT size FROM company) AND {free}
    ORDER BY o.due_at LIMIT least(%(limit)s, (SELECT size FROM company))
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET
    state = 'leased', claim = %(claim)s, leased_until = %(until)s, sent = o.desired, is_known = false,
    was_opted_in = o.was_opted_in OR o.opts_in, was_forced = o.was_forced OR o.forces,
    was_opted_in_sms = o.was_opted_in_sms OR o.sms_address IS NOT NULL,
    opted_in_at = CASE WHEN o.opts_in THEN %(now)s ELSE o.opted_in_at END,
    opted_out_at = CASE WHEN o.opts_out THEN %(now)s ELSE o.opted_out_at END,
    attempts = least(o.attempts + 1, 30000), accepted_at = NULL
FROM picked p
WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.id = p.id
RETURNING o.id, o.body, o.desired, o.since, o.attempts, o.batch_max
"""
_CLAIM = _CLAIM_ALL.replace("{free}", f"NOT {HELD}")
_CLAIM_CONTACTS = _CLAIM_ALL.replace("{free}", f"NOT coalesce({BLOCKED_BY_OPT_OUT}, false) AND NOT {HELD}")


def release_expired_leases(tx: Tx, connection: str, now: datetime) -> int:
    """Give back what a dead or slow holder left: due again, or held in the case of a moment, which may have arrived."""
    return tx.execute(
        """UPDATE outbox o SET state = CASE WHEN kind = 'moment' THEN 'held' ELSE 'due' END, claim = NULL,
               leased_until = NULL, due_at = %(now)s
           WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %(connection)s AND state = 'leased' AND leased_until <= %(now)s
               ORDER BY kind, id FOR UPDATE SKIP LOCKED)""",
        {"connection": connection, "now": now},
    )


# Settle --------------------------------------------------------------------------------------------------------------


def mark_accepted(
    tx: Tx,
    connection: str,
    batch: Sequence[ClaimedPush],
    claim: UUID,
    request_id: str | None,
    *,
    now: datetime,
    coalesce: timedelta,
) -> int:
    """Ometria took the batch. What was desired again meanwhile is due again; the rest awaits settlement."""
    ours = tx.fetch_all(
        _OURS
        + """
        UPDATE outbox o SET
            state = CASE WHEN o.desired = o.sent THEN 'accepted' ELSE 'due' END,
            due_at = CASE WHEN o.desired = o.sent THEN o.due_at ELSE %(due_at)s END,
            accepted_at = %(now)s, request_id = %(request_id)s, claim = NULL, leased_until = NULL, waits_for = NULL,
            batch_max = 100, attempts = 0
        FROM ours WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.id = ours.id RETURNING o.id""",
        {**_batch(connection, batch, claim), "now": now, "request_id": request_id, "due_at": now + coalesce},
    )
    _note(tx, connection, batch, "accepted", now, request_id)
    if batch[0].kind is RecordKind.CONTACT:
        _let_orders_go(tx, connection, [row.id for row in batch], now)
    increment(tx, connection, {"push.requests": 1, "push.records": len(batch), "push.accepted": len(batch)})
    return len(ours)


def release_failed(
    tx: Tx,
    connection: str,
    batch: Sequence[ClaimedPush],
    claim: UUID,
    *,
    now: datetime,
    due_at: datetime,
    outcome: str,
    batch_max: int | None = None,
    may_be_there: bool = False,
) -> int:
    """The push failed. A moment of which nobody knows whether it arrived is held, all else is due again."""
    changed = tx.execute(
        _OURS
        + """
        UPDATE outbox o SET
            state = CASE WHEN o.kind = 'moment' AND %(may_be_there)s THEN 'held' ELSE 'due' END,
            due_at = %(due_at)s, claim = NULL, leased_until = NULL, batch_max = coalesce(%(batch_max)s, o.batch_max)
        FROM ours WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.id = ours.id""",
        _batch(connection, batch, claim) | {"may_be_there": may_be_there, "due_at": due_at, "batch_max": batch_max},
    )
    _note(tx, connection, batch, outcome, now, None)
    increment(tx, connection, {"push.requests": 1, "push.records": len(batch)})
    return changed


def release_unsent(tx: Tx, connection: str, batch: Sequence[ClaimedPush], claim: UUID) -> int:
    """Return records of this claim that were not sent after all: due again at once, as if nobody had taken them."""
    if not batch:
        return 0
    return tx.execute(
        _OURS  # noqa: S608 - a constant beginning
        + """
        UPDATE outbox o SET state = 'due', claim = NULL, leased_until = NULL, attempts = greatest(o.attempts - 1, 0),
            sent = CASE WHEN o.attempts > 1 THEN o.sent END
        FROM ours WHERE o.connection = %(connection)s AND o.kind = %(kind)s AND o.id = ours.id""",
        _batch(connection, batch, claim),
    )


def dead_letter(
    tx: Tx,
    connection: str,
    records: Sequence[tuple[RecordKind, str, bytes | None]],
    code: str,
    now: datetime,
    claim: UUID | None = None,
) -> list[str]:
    """Dead letters: (kind, id, the hash that was refused). Anything desired again since then stays as it is, and for
    the holder of a claim anything that it no longer holds.

    Returns the subjects that were buried, to open their cases with.
    """
    rows = tx.fetch_all(
        """WITH refused AS (
               SELECT o.connection, o.kind, o.id FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS r (kind, id, hash)
                 ON o.kind = r.kind AND o.id = r.id
               WHERE o.connection = %(connection)s AND o.state IN ('leased', 'accepted', 'held', 'due', 'applied')
                 AND o.desired = coalesce(r.hash, o.desired) AND (%(claim)s::uuid IS NULL OR o.claim = %(claim)s::uuid)
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = 'buried', case_code = %(code)s, claim = NULL, leased_until = NULL,
               settled_at = %(now)s, is_known = false
           FROM refused r WHERE o.connection = r.connection AND o.kind = r.kind AND o.id = r.id
           RETURNING o.kind || ':' || o.id AS subject""",
        {
            "connection": connection,
            "code": code,
            "now": now,
            "claim": claim,
            "kinds": [r[0].value for r in records],
            "ids": [r[1] for r in records],
            "hashes": [r[2] for r in records],
        },
    )
    if rows:
        increment(tx, connection, {"push.refused": len(rows)})
    return [row["subject"] for row in rows]


def confirm_applied(
    tx: Tx, connection: str, records: Sequence[tuple[RecordKind, str, bytes]], now: datetime
) -> list[str]:
    """These records are there: (kind, id, hash). Only what was sent with that hash and not changed since is settled.

    Returns the subjects that were settled, to close their cases with.
    """
    rows = tx.fetch_all(
        """WITH there AS (
               SELECT o.connection, o.kind, o.id FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS r (kind, id, hash)
                 ON o.kind = r.kind AND o.id = r.id
               WHERE o.connection = %(connection)s AND o.state IN ('accepted', 'held') AND o.sent = r.hash
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = CASE WHEN o.desired = o.sent THEN 'applied' ELSE 'due' END, settled = o.sent,
               settled_at = %(now)s, is_known = true, doubts = 0
           FROM there r WHERE o.connection = r.connection AND o.kind = r.kind AND o.id = r.id
           RETURNING o.kind || ':' || o.id AS subject""",
        {
            "connection": connection,
            "now": now,
            "kinds": [r[0].value for r in records],
            "ids": [r[1] for r in records],
            "hashes": [r[2] for r in records],
        },
    )
    if rows:
        increment(tx, connection, {"push.applied": len(rows)})
    return [row["subject"] for row in rows]


def requeue(tx: Tx, connection: str, records: Sequence[tuple[RecordKind, str, bytes]], due_at: datetime) -> int:
    """A read-back showed something else, or nothing: these are due again."""
    return tx.execute(
        """WITH again AS (
               SELECT o.connection, o.kind, o.id FROM outbox o
               JOIN unnest(%(kinds)s::text[], %(ids)s::text[], %(hashes)s::bytea[]) AS r (kind, id, hash)
                 ON o.kind = r.kind AND o.id = r.id
               WHERE o.connection = %(connection)s AND o.state IN ('accepted', 'held', 'applied') AND o.sent = r.hash
               ORDER BY o.kind, o.id FOR UPDATE OF o)
           UPDATE outbox o SET state = 'due', due_at = %(due_at)s, is_known = false, doubts = least(o.doubts + 1, 30000)
           FROM again r WHERE o.connection = r.connection AND o.kind = r.kind AND o.id = r.id""",
        {
            "connection": connection,
            "due_at": due_at,
            "kinds": [r[0].value for r in records],
            "ids": [r[1] for r in records],
            "hashes": [r[2] for r in records],
        },
    )


class Retried(Struct, frozen=True):
    """A dead letter that is due again, and the store's record behind it."""

    kind: str
    id: str
    store: str
    subject: str | None


def retry_dead_letters(
    tx: Tx, connection: str, subjects: Sequence[str], now: datetime, *, store: str | None = None
) -> list[Retried]:
    """Dead letters go again as they are: those named as Ometria names them (order:uk:1) or, in a store, as it does
    (order:1). A moment goes only by its own name.

    One that could not be said in Ometria's words has no body; only mapping it again can help.
    """
    return tx.fetch_as(
        Retried,
        """WITH again AS (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %(connection)s AND state = 'buried' AND body IS NOT NULL
                 AND ((kind, id) IN (SELECT split_part(s, ':', 1), substr(s, strpos(s, ':') + 1)
                                     FROM unnest(%(subjects)s::text[]) AS t (s))
                      OR (store = %(store)s::text AND subject = ANY(%(subjects)s::text[]) AND kind <> 'moment'))
               ORDER BY kind, id FOR UPDATE)
           UPDATE outbox o SET state = 'due', case_code = NULL, due_at = %(now)s, since = %(now)s, attempts = 0,
               doubts = 0, batch_max = 100, lane = %(lane)s, is_known = false
           FROM again a WHERE o.connection = a.connection AND o.kind = a.kind AND o.id = a.id
           RETURNING o.kind, o.id, o.store, o.subject""",
        {"connection": connection, "subjects": list(subjects), "store": store, "now": now, "lane": Lane.REPAIR.rank},
    )


def prune_attempts(tx: Tx, before: datetime, limit: int) -> int:
    """Forget attempts made before a time; how many, fewer than `limit` when none are left."""
    return tx.execute(
        "DELETE FROM attempt WHERE ctid = ANY(ARRAY(SELECT ctid FROM attempt WHERE at < %s LIMIT %s))", (before, limit)
    )


# -- below: shared by the above ---------------------------------------------------------------------------------------

_OURS = """
WITH ours AS (
    SELECT id FROM outbox
    WHERE connection = %(connection)s AND kind = %(kind)s AND id = ANY(%(ids)s) AND state = 'leased'
      AND claim = %(claim)s ORDER BY id FOR UPDATE
)"""


def _batch(connection: str, batch: Sequence[ClaimedPush], claim: UUID) -> dict[str, object]:
    return {"connection": connection, "kind": batch[0].kind.value, "ids": [row.id for row in batch], "claim": claim}


def _let_orders_go(tx: Tx, connection: str, contacts: Sequence[str], now: datetime) -> None:
    """Orders that gave these contacts a head start may follow."""
    tx.execute(
        """UPDATE outbox SET due_at = %(now)s, waits_for = NULL WHERE (connection, kind, id) IN (
               SELECT connection, kind, id FROM outbox
               WHERE connection = %(connection)s AND waits_for = ANY(%(contacts)s) AND state = 'due'
                 AND due_at > %(now)s ORDER BY kind, id FOR UPDATE)""",
        {"connection": connection, "contacts": list(contacts), "now": now},
    )


def _note(
    tx: Tx, connection: str, batch: Sequence[ClaimedPush], outcome: str, now: datetime, request_id: str | None
) -> None:
    tx.execute(
        """INSERT INTO attempt (connection, kind, record_id, lane, at, outcome, waited, request_id, hash)
           SELECT %(connection)s, %(kind)s, a.id, a.lane, %(now)s, %(outcome)s, a.waited, %(request_id)s, a.hash
           FROM unnest(%(ids)s::text[], %(lanes)s::smallint[], %(waited)s::real[], %(hashes)s::bytea[])
             AS a (id, lane, waited, hash)""",
        {
            "connection": connection,
            "kind": batch[0].kind.value,
            "now": now,
            "outcome": outcome,
            "request_id": request_id,
            "ids": [row.id for row in batch],
            "lanes": [row.lane.rank for row in batch],
            "waited": [max(0.0, (now - row.since).total_seconds()) for row in batch],
            "hashes": [row.hash for row in batch],
        },
    )
