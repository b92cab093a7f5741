"""Announce what a store states in unusual numbers: a bulk edit, an app gone wrong, or a person who pressed a button.

It is carried out all the same, since Shopify is the source of truth. Whoever runs the shop should know in time.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import msgspec

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows.context import ConnectionContext
from isthmus.flows.webhook_gaps import ActivityReport
from isthmus.runs.unusual_volume import TIMES, busiest_day, count_last_day, is_unusual
from isthmus.safety.limits import LEAST, change_limit
from isthmus.safety.sql import changes

CODE = "storefront.unusual_changes"

ANNOUNCED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "orders/delete": ("order", "orders deleted"),
        "orders/cancelled": ("order", "orders cancelled"),
        "products/delete": ("product", "products deleted"),
        "customers/delete": ("customer", "customers deleted"),
        "customers/redact": ("customer", "erasures of customers asked for"),
        "customers_email_marketing_consent/update": ("customer", "changes of email consent"),
        "customers_marketing_consent/update": ("customer", "changes of text message consent"),
    }
)
"""Topics whose unusual numbers are announced: the kind of record that the limit is a share of, and what they say."""

DAILY = frozenset(
    {"orders/cancelled", "customers_email_marketing_consent/update", "customers_marketing_consent/update"}
)
"""Topics of everyday life: how much of them is usual nobody can tell before KNOWN_FOR has been counted."""

KNOWN_FOR = timedelta(days=7)


def report_unusual_volume(db: Database, context: ConnectionContext, store: str, counts: ActivityReport) -> list[str]:
    """Open a case for each topic that came unusually often within 24 hours, count up those of which more came, close
    those of which that is over; the topics. A case's count is the most that came within 24 hours."""
    now = context.clock.now()
    found: dict[str, Touch] = {}
    counted = counts.topics
    is_known = counts.begun is not None and now - counts.begun >= KNOWN_FOR
    with db.transaction() as tx:
        for topic, (kind, what) in ANNOUNCED.items():
            hours = counted[topic].hours if topic in counted else {}
            n, before = count_last_day(hours, now), busiest_day(hours, now)
            if not is_unusual(n, before, LEAST) or (topic in DAILY and not is_known):
                continue  # nearly always, and nothing has to be counted for it
            n_sent = changes.count_sent(tx, context.connection, store, kind)
            most = change_limit(n_sent, context.max_share)
            if is_unusual(n, before, most):
                usual = max(most, TIMES * before)
                found[topic] = Touch(CODE, topic, store, f"{n} {what} within 24 hours; up to {usual} are usual", n)
        open_, ignored = (
            {
                case.subject: case.n
                for case in cases.list_cases(tx, context.connection, code=CODE, state=state, limit=1000)
                if case.store == store
            }
            for state in ("open", "ignored")
        )
        known = ignored | open_
        further = [msgspec.structs.replace(one, n=one.n - known.get(topic, 0)) for topic, one in found.items()]
        cases.open_or_count(tx, context.connection, [one for one in further if one.n > 0], now)
        cases.resolve_by_code(
            tx,
            context.connection,
            CODE,
            now,
            "watch",
            subjects=sorted(open_.keys() - found.keys()),
            store=store,
            note="no more than usual came within 24 hours",
        )
    return list(found)
