"""Do what a case's remedy says: put back what it is about, then look again at what opened it."""

from collections.abc import Callable

from msgspec import Struct

from isthmus.app.context import App
from isthmus.cases.sql import recheck
from isthmus.cases.sql.cases import Case
from isthmus.commands import backfill, check_config_changes, monitor_subscriptions, notify, takeover
from isthmus.commands.reconcile import Reconciler
from isthmus.flows import duplicates, enrich, identifiers, remedy
from isthmus.flows.consent import audit as consent_audit
from isthmus.flows.consent import poll_profiles
from isthmus.flows.consent.write_back import write_back
from isthmus.flows.merges import execute
from isthmus.flows.poll import KINDS, poll_checkouts, poll_records
from isthmus.flows.recheck import close_finished_cases
from isthmus.flows.reconcile.run_context import ReconcileRequest
from isthmus.flows.replay import Replayed, replay_case
from isthmus.model.failure import Failure

Look = Callable[[App, Case], object]


class Done(Struct, frozen=True):
    """What came of a replay: what went back, whether anybody looked again, why not, and the case as it is now."""

    case: Case
    back: Replayed
    is_looked: bool = False
    failure: str = ""

    @property
    def is_closed(self) -> bool:
        return self.case.state != "open"

    @property
    def is_under_way(self) -> bool:
        """Whether an earlier replay put back what the case is about, and nothing of it has failed since."""
        at = self.case.replayed_at
        return not self.is_closed and self.back.is_nothing and at is not None and at >= self.case.last_at

    @property
    def is_anything(self) -> bool:
        return self.is_looked or self.is_closed or self.is_under_way or not self.back.is_nothing


def carry_out_remedy(app: App, number: int, by: str) -> Done | None:
    """Do what the remedy of a case says. None where there is no such case; one that is over is left as it is."""
    case = remedy.get_case(app.db, number)
    if case is None:
        return None
    if case.state == "resolved":
        return Done(case, Replayed())
    context = None
    if case.connection in app.names() and app.trouble(case.connection) is None:
        context = app.context(case.connection)
    _, back = replay_case(app.db, number, app.clock.now(), by, context)
    look = LOOKS.get(case.code)
    why = ""
    if look is not None:
        remedy.mark_replayed(app.db, number, app.clock.now(), by)
        try:
            look(app, case)
        except Failure as error:
            why = f"{error.code}: {error.detail}".rstrip(": ")
    if context is not None:
        close_finished_cases(app.db, context)
    return Done(remedy.get_case(app.db, number) or case, back, is_looked=look is not None and not why, failure=why)


# What looks again ----------------------------------------------------------------------------------------------------


def _ground(app: App, case: Case) -> None:
    check_config_changes.check_config_changes(app, case.connection)


def _listings(app: App, case: Case) -> None:
    """Everything is listed, of the store that the case names or of all; a history is loaded."""
    if case.subject.startswith("load:"):
        _history(app, case)
        return
    context = app.context(case.connection)
    for store in context.shops if case.store not in context.shops else [case.store]:
        for kind in KINDS:
            poll_records(app.db, context, store, kind)
        poll_checkouts(app.db, context, store)


def _webhooks(app: App, case: Case) -> None:
    monitor_subscriptions.monitor_subscriptions(app, case.connection)


def _duplicates(app: App, case: Case) -> None:
    duplicates.find_duplicates(app.db, app.context(case.connection))


def _identifiers(app: App, case: Case) -> None:
    identifiers.remap_resolved_conflicts(app.db, app.context(case.connection))


def _profile(app: App, case: Case) -> None:
    """The profile that the case names, or those behind the customer's address."""
    context = app.context(case.connection)
    kind, _, name = case.subject.partition(":")
    if kind == "profile":
        poll_profiles.read_profiles(app.db, context, [name])
    else:
        poll_profiles.read_profiles(app.db, context, [], remedy.addresses_of_case(app.db, case))


def _consent(app: App, case: Case) -> None:
    consent_audit.run_consent_audit(app.db, app.context(case.connection))


def _write_back(app: App, case: Case) -> None:
    """What the shop did not take is written once more, now."""
    context = app.context(case.connection)
    remedy.retry_store_update(app.db, case, context.clock.now())
    write_back(app.db, context)


def _merge(app: App, case: Case) -> None:
    """The merge that Ometria refused is asked for again."""
    context = app.context(case.connection)
    remedy.retry_merge(app.db, case, context.clock.now())
    execute.run_next_merge(app.db, context)


def _reconciliation(app: App, case: Case) -> None:
    Reconciler(app).run(case.connection, ReconcileRequest(repair=True))


def _history(app: App, case: Case) -> None:
    """What could not be loaded is asked for again."""
    kind = case.subject.removeprefix("load:").partition(":")[0]
    kinds = [kind] if kind in KINDS else list(KINDS)
    backfill.run_backfill(app, case.connection, [case.store], kinds, since=None, again=False, tell=lambda _: None)


def _takeover(app: App, case: Case) -> None:
    takeover.take_over(app, case.connection, dry_run=False, tell=lambda _: None)


def _fields(app: App, case: Case) -> None:
    """A round through the custom fields of the store, from the beginning."""
    context = app.context(case.connection)
    for kind in ("customer", "product"):
        name = f"metafields:{kind}"
        remedy.restart_scan(app.db, case, name)
        while enrich.scan_page(app.db, context, case.store, name):
            pass


def _platform(app: App, case: Case) -> None:
    """Ometria answers a reading with our key at our address: what shut the connection is over."""
    context = app.context(case.connection)
    context.platform.errors()
    remedy.resume_answered(app.db, case, context.clock.now())


def _messages(app: App, _: Case) -> None:
    notify.retry_notification(app)


def _stored(app: App, case: Case) -> None:
    """This version can use what is stored."""
    app.forget()
    app.connected(case.connection)
    remedy.is_connection_usable(app.db, case, app.clock.now())


LOOKS: dict[str, Look] = {
    **dict.fromkeys(
        (
            "storefront.protected_data_missing",
            "storefront.scope_missing",
            "storefront.api_version",
            "storefront.moved",
            "storefront.api_version_ends",
            "storefront.api_version_ends_soon",
            "storefront.api_version_ends_now",
            "storefront.webhook_version",
            "storefront.scopes_changed",
            "storefront.setting_changed",
            "integration.currency_differs",
            "integration.secret_missing",
            "platform.limit_differs",
        ),
        _ground,
    ),
    **dict.fromkeys((*recheck.OF_POLLS, "integration.search_ignored"), _listings),
    **dict.fromkeys(
        (
            "integration.subscriptions_differ",
            "integration.subscription_refused",
            "integration.webhook_silent",
            "integration.missed_webhook",
            "integration.previous_secret_in_use",
            "storefront.unusual_changes",
        ),
        _webhooks,
    ),
    **dict.fromkeys(
        (
            "consent.blocked_by_listing",
            "consent.unproven_resubscribe",
            "consent.opt_out_refused",
            "consent.guest_opted_out",
            "consent.unnamed_opt_out",
        ),
        _profile,
    ),
    **dict.fromkeys(
        (
            "integration.left_behind",
            "platform.duplicate_order",
            "platform.foreign_writer",
            "platform.overwritten",
        ),
        _reconciliation,
    ),
    **dict.fromkeys(("platform.key_refused", "platform.not_the_api"), _platform),
    "identity.shared_address": _duplicates,
    "identity.shared_phone": _duplicates,
    "identity.conflict": _identifiers,
    "consent.unreadable_call": _consent,
    "storefront.consent_refused": _write_back,
    "platform.merge_refused": _merge,
    "storefront.bulk_failed": _history,
    "platform.takeover_conflict": _takeover,
    "storefront.metafield_type": _fields,
    "integration.notify_failed": _messages,
    "integration.connection_unusable": _stored,
}
"""By code, what looks again at what opened the case. The others are about work, which is put back."""
