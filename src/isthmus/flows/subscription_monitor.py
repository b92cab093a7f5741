"""Watch once a minute that a shop still tells us everything: subscriptions, the last change, misses, silence; and
announce what it tells in unusual numbers.

What can be put right is put right at once, and what was lost meanwhile is fetched: a poll begins where the last one
that was answered ended, so it reaches back before whatever was lost since.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows import case_reporting, missed_webhooks, unusual_volume, webhook_gaps
from isthmus.flows.context import ConnectionContext
from isthmus.flows.poll import poll_checkouts, poll_records
from isthmus.model.failure import Failure, RejectedError
from isthmus.runs.sql import watermarks as runs
from isthmus.shopify import access, webhooks
from isthmus.shopify.access import Expected
from isthmus.shopify.client import Shopify
from isthmus.shopify.topics import SUBSCRIBED, TOPICS, TopicKind
from isthmus.shopify.webhooks import SubscriptionAudit, SubscriptionPlan

MARK = "watch"
"""The watermark that says when a connection was last watched."""

DIFFER = "integration.subscriptions_differ"
REFUSED = "integration.subscription_refused"
VERSION = "storefront.webhook_version"
PREVIOUS = "integration.previous_secret_in_use"

QUIET = timedelta(days=1)
"""So long nothing may have been signed with a secret before it counts as out of use."""

_POLLED = {
    TopicKind.ORDER: "order",
    TopicKind.CUSTOMER: "customer",
    TopicKind.CONSENT: "customer",
    TopicKind.PRODUCT: "product",
    TopicKind.STOCK: "product",
    TopicKind.CHECKOUT: "checkout",
}


class MonitorResult(Struct, frozen=True):
    """What a look found: subscriptions repaired, changes missed, silent topics, and how much a poll then brought."""

    n_repaired: int = 0
    n_missed: int = 0
    silent: tuple[tuple[str, str], ...] = ()
    n_recovered: int = 0


def monitor_subscriptions(db: Database, context: ConnectionContext, expected: Mapping[str, Expected]) -> MonitorResult:
    """Look at every store of a connection. `expected` says of each where its webhooks should arrive and who sees to it.

    A look that fails closes no case; the next one is a minute away.
    """
    with db.transaction() as tx:
        runs.advance_watermark(tx, context.connection, "", MARK, context.clock.now(), 0)
    until = webhook_gaps.count_deliveries(db, context)
    n_repaired = n_missed = n_recovered = 0
    quiet: list[tuple[str, str]] = []
    for store in context.shops:
        kinds: set[str] = set()
        wanted = expected.get(store)
        if wanted is not None and wanted.uri is not None:
            repaired = _subscriptions(db, context, store, wanted)
            n_repaired += len(repaired)
            kinds |= {_POLLED[TOPICS[topic].kind] for topic in repaired if TOPICS[topic].kind in _POLLED}
        missed_webhooks.check_for_missed_changes(db, context, store)
        judged = missed_webhooks.judge_missed_changes(db, context, store)
        n_missed += sum(len(changes) for changes in judged.missed.values())
        n_recovered += _recover(db, context, store, kinds | set(judged.to_poll))
        counts = webhook_gaps.load_activity(db, context, store, until)
        quiet += [(store, topic) for topic in webhook_gaps.report_silent_topics(db, context, store, counts, until)]
        unusual_volume.report_unusual_volume(db, context, store, counts)
    with db.transaction() as tx:
        now = context.clock.now()
        cases.resolve_by_code(tx, context.connection, PREVIOUS, now, "watch", quiet_since=now - QUIET)
    return MonitorResult(n_repaired, n_missed, tuple(quiet), n_recovered)


def _recover(db: Database, context: ConnectionContext, store: str, kinds: set[str]) -> int:
    """Fetch what was lost, from where the last poll that was answered ended; how many records that were."""
    n = sum(poll_records(db, context, store, kind) for kind in sorted(kinds - {"checkout"}))
    return n + (poll_checkouts(db, context, store) if "checkout" in kinds else 0)


# Subscriptions -------------------------------------------------------------------------------------------------------


def _subscriptions(db: Database, context: ConnectionContext, store: str, expected: Expected) -> Sequence[str]:
    """Hold a store's subscriptions against what they should be; the topics that had to be subscribed again."""
    client, uri, now = context.shops[store].client, expected.uri, context.clock.now()
    if client is None or uri is None:
        return ()
    try:
        listed = access.list_subscriptions(client)
    except Failure:
        return ()  # could not look; whatever shuts the shop to us is told by the polls
    if expected.is_subscribed_by_app:
        # Those of the app's own configuration cannot be listed; whatever is listed comes on top of them.
        doubled = sum(one.uri == uri for one in listed)
        told = f"{doubled} subscriptions made through the API come on top of the app's own: everything arrives twice"
        _say(db, context, store, DIFFER, told if doubled else "", now)
        return ()
    found = webhooks.audit_subscriptions(listed, uri, SUBSCRIBED, client.api_version)
    versions = f"the app's webhooks are of {', '.join(found.versions)}, the connection asks for {client.api_version}"
    if found.versions:
        _say(db, context, store, VERSION, versions, now)  # the daily look says when it is over: it reads the app's own
    if found.plan.is_done:
        for code in (DIFFER, REFUSED):
            _say(db, context, store, code, "", now)
        return ()
    made, refused = _repair(client, found, uri)
    done = f"; {len(made)} made again" + (f", {len(refused)} refused" if refused else "")
    # No list of changes tells what was deleted or merged in the gap: the comparison of the next night does.
    gone = [topic for topic in made if topic.endswith(("/delete", "/merge"))]
    lost = f"; deletions since then are found by the nightly reconciliation ({', '.join(gone)})" if gone else ""
    with db.transaction() as tx:
        n = len(found.plan.create) + len(found.plan.delete)
        cases.open_or_count(tx, context.connection, [Touch(DIFFER, "", store, found.detail + done + lost, n=n)], now)
        cases.open_or_count(
            tx, context.connection, [case_reporting.case_for(one, store=store) for one in refused[:1]], now
        )
    return made


def _repair(client: Shopify, found: SubscriptionAudit, uri: str) -> tuple[list[str], list[Failure]]:
    """Carry out a plan topic by topic, so that one that is refused keeps no other from being repaired."""
    made: list[str] = []
    refused: list[Failure] = []
    steps = [SubscriptionPlan((), (gid,), (gid,)) for gid in found.plan.first]
    steps += [SubscriptionPlan((topic,), ()) for topic in found.plan.create]
    steps += [SubscriptionPlan((), (gid,)) for gid in found.plan.delete if gid not in found.plan.first]
    for step in steps:
        try:
            access.apply_subscription_plan(client, step, uri)
            made += step.create
        except RejectedError as failure:
            refused.append(failure)
        except Failure as failure:
            refused.append(failure)
            break  # the shop cannot be reached now; the next look goes on
    return made, refused


def _say(db: Database, context: ConnectionContext, store: str, code: str, detail: str, now: datetime) -> None:
    """Open or close the one case of a store that this look decides."""
    with db.transaction() as tx:
        if not detail:
            cases.resolve_by_code(tx, context.connection, code, now, "watch", subjects=[""], store=store)
        elif (code, store, "") not in cases.open_subjects(tx, context.connection, [code]):
            cases.open_or_count(tx, context.connection, [Touch(code, "", store, detail)], now)
