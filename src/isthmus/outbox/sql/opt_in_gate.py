"""While an opt-out of a person is on its way, or was heard of and is not mapped yet, no opt-in of theirs goes out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from isthmus.db.pool import Tx
from isthmus.model.consent import OUT
from isthmus.model.lane import Lane
from isthmus.model.write import PERMITTING

OPT_OUT_STATES = sorted(OUT)

AGAIN_AFTER = timedelta(seconds=2)
"""How soon an opt-in that was held back is looked at again."""

RETURNING = "returning"
"""The mark of a store that is coming back into the connection: nothing of it is sent yet."""

HELD = f"""EXISTS (SELECT FROM watermark r WHERE r.connection = o.connection AND r.store = o.store
                     AND r.name = '{RETURNING}')"""
"""Of an outbox row `o`: its store is coming back."""

BLOCKED_BY_OPT_OUT = """
    (o.opts_in OR o.sms_address IS NOT NULL) AND (
        -- an opt-out was heard of that the body does not know of
        (SELECT count(*) FROM consent_claim c WHERE c.connection = o.connection AND c.state = ANY(%(outs)s)
           AND (c.channel, c.address) IN (('email', CASE WHEN o.opts_in THEN o.address END), ('sms', o.sms_address))
        ) > o.n_outs
        -- another contact of the person is being opted out
        OR EXISTS (SELECT FROM outbox x WHERE x.connection = o.connection AND x.kind = 'contact' AND x.opts_out
                     AND x.state IN ('due', 'leased', 'accepted') AND x.address = o.address AND x.id <> o.id)
        -- the opt-out of somebody who is gone, and had the address before, is being withdrawn
        OR EXISTS (SELECT FROM outbox x WHERE x.connection = o.connection AND x.kind = 'contact' AND x.is_retired
                     AND x.state IN ('due', 'leased', 'accepted') AND x.address = o.address AND x.id <> o.id)
        -- this one was, and nobody knows yet that it arrived
        OR (o.opted_out_at > %(unsettled)s AND o.opted_out_at > coalesce(o.settled_at, '-infinity'))
        -- a shop is being told of an opt-out
        OR EXISTS (SELECT FROM consent_write w WHERE w.connection = o.connection
                     AND w.address IN (o.address, o.sms_address)
                     AND w.state = 'UNSUBSCRIBED' AND w.status IN ('due', 'leased'))
        -- an opt-out was inferred of the person, and waits in a plan
        OR EXISTS (SELECT FROM plan_item i WHERE i.connection = o.connection AND i.state = 'held'
                     AND i.cause = 'absence' AND i.address = o.address)
        OR EXISTS (SELECT FROM plan_item i WHERE i.connection = o.connection AND i.state = 'held'
                     AND i.cause = 'absence' AND i.sms_address = o.sms_address)
    )
"""
"""Of an outbox row `o`, a contact's. `unsettled` is since when a push may still be unsettled."""


def defer_blocked(tx: Tx, connection: str, lanes: Sequence[Lane], now: datetime, unsettled: datetime) -> int:
    """Let opt-ins that are held back stand aside for a moment, so that no slot is spent on waiting for them."""
    return tx.execute(
        f"""UPDATE outbox SET due_at = %(later)s WHERE (connection, kind, id) IN (
                SELECT o.connection, o.kind, o.id FROM outbox o
                WHERE o.connection = %(connection)s AND o.kind = ANY(%(kinds)s) AND o.lane = ANY(%(lanes)s)
                  AND o.state = 'due' AND o.due_at <= %(now)s AND ({BLOCKED_BY_OPT_OUT})
                ORDER BY o.kind, o.id LIMIT 1000 FOR UPDATE SKIP LOCKED)""",  # noqa: S608 - a constant condition
        {
            "connection": connection,
            "lanes": [lane.rank for lane in lanes],
            "now": now,
            "later": now + AGAIN_AFTER,
            "unsettled": unsettled,
            "outs": OPT_OUT_STATES,
            "kinds": list(PERMITTING),
        },
    )
