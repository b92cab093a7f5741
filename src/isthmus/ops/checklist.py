"""The operating checklist: what must hold every day and every month, who owns it, and how it is judged."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases.catalogue import CaseOwner, Severity
from isthmus.config_changes import calendar
from isthmus.ops import checklist_rules
from isthmus.ops.alerting_queries.facts import ChecklistFacts
from isthmus.ops.checklist_rules import DAY, NIGHTLY, Judge, Result

_RESULTS = list(Result)
_SEVERITIES = list(Severity)


class ChecklistItem(Struct, frozen=True, kw_only=True):
    """One line: what must hold, how it is judged in words and by what, who owns it, and where the steps are."""

    key: str
    what: str
    how: str
    owner: CaseOwner
    guide: str
    judge: Judge
    is_noted: bool = False
    """Whether a person says that it was done, always or where the program cannot look."""
    is_of_stores: bool = False
    """Whether it rests on what the stores tell, so that of a store that the app left nothing can be known."""


class ChecklistLine(Struct, frozen=True, kw_only=True):
    """One line, evaluated."""

    key: str
    what: str
    result: Result
    said: str
    since: datetime | None
    severity: Severity
    owner: CaseOwner
    guide: str


def evaluate_checklist(items: Sequence[ChecklistItem], facts: ChecklistFacts) -> list[ChecklistLine]:
    """Every line as it stands, the most urgent first.

    Where the app was uninstalled from a store, a line that rests on stores is judged by the others alone and could not
    look at that one.
    """
    lines = []
    seen = facts.of_other_stores()
    for item in items:
        judged = item.judge(seen) if item.is_of_stores else item.judge(facts)
        if item.is_of_stores and facts.left:
            judged = checklist_rules.with_uninstalled_stores(judged, facts.left, is_any_left=facts.is_any_store_left)
        lines.append(
            ChecklistLine(
                key=item.key,
                what=item.what,
                result=judged.result,
                said=judged.said,
                since=judged.since,
                severity=judged.severity,
                owner=item.owner,
                guide=item.guide,
            )
        )
    return sorted(lines, key=lambda line: (_RESULTS.index(line.result), _SEVERITIES.index(line.severity)))


def checklist_page(items: Sequence[ChecklistItem]) -> str:
    """The same as a table for docs/handover/checklist.md."""
    lines = ["| what | judged by | owner | steps |", "|---|---|---|---|"]
    for item in items:
        name = item.guide.rpartition("/")[2].partition("#")[0].removesuffix(".md")
        path = item.guide.removeprefix("docs/")
        lines.append(f"| {item.what} | {item.how} | {item.owner} | [{name}](../{path}) |")
    return "\n".join(lines) + "\n"


_RUN = "docs/howto/run-in-production.md"
_CASES = "docs/reference/cases.md"
_CONNECT = "docs/howto/connect-a-store.md"
_HANDOVER = "docs/handover/checklist.md"

DAILY = (
    ChecklistItem(
        key="open",
        what="The connection is open",
        how="neither a failure nor a person has shut it, or a lane of it",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#watching",
        judge=checklist_rules.judge_connection_open,
    ),
    ChecklistItem(
        key="lanes",
        what="No lane is late",
        how="the oldest work waits at most 60 s (realtime), 15 min (repair), three intervals (enrichment)",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#watching",
        judge=checklist_rules.judge_lanes,
    ),
    *(
        ChecklistItem(
            key=f"cases:{owner}",
            what=f"No case of the {owner} is pressing",
            how="none open that is urgent or high, is due within a week, or is normal and a week old",
            owner=owner,
            guide=_CASES,
            judge=checklist_rules.judge_cases_of(owner),
        )
        for owner in CaseOwner
    ),
    ChecklistItem(
        key="reconciled",
        what="Both sides were compared, and agree",
        how="the last reconciliation over everything is at most a day old, all that it and those after it compared"
        " agrees, and nothing was not judged but what is excluded, before an accepted horizon or in flight",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/platform.differs.md",
        judge=checklist_rules.judge_reconciled(NIGHTLY),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="missed",
        what="Webhooks arrive",
        how="fewer than 10 changes of a topic came by poll alone in the last day",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/integration.missed_webhook.md",
        judge=checklist_rules.judge_missed,
        is_of_stores=True,
    ),
    ChecklistItem(
        key="silent",
        what="No topic is silent",
        how="none is quieter than its store's own rhythm explains",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/integration.webhook_silent.md",
        judge=checklist_rules.judge_silent_topics,
        is_of_stores=True,
    ),
    ChecklistItem(
        key="polls",
        what="The polls run",
        how="each has looked within three of its intervals",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/storefront.unavailable.md",
        judge=checklist_rules.judge_polls,
        is_of_stores=True,
    ),
    ChecklistItem(
        key="subscriptions",
        what="Subscriptions are as they should be",
        how="the daily look found none amiss",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/integration.subscriptions_differ.md",
        judge=checklist_rules.judge_config_changes(["integration.subscriptions_differ"]),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="compliance",
        what="Privacy requests reach us",
        how='by the app\'s own configuration; with subscriptions = "api" a person says every year that shopify.app.toml'
        " names the compliance topics, since no API tells",
        owner=CaseOwner.PRIVACY,
        guide=_CONNECT,
        judge=checklist_rules.judge_compliance,
        is_noted=True,
        is_of_stores=True,
    ),
    ChecklistItem(
        key="versions",
        what="The API version lasts",
        how="the daily look found that it answers, and more than 90 days",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/storefront.api_version_ends.md",
        judge=checklist_rules.judge_config_changes(
            ["storefront.api_version", "storefront.webhook_version", *(code for _, code in calendar.WARNINGS)]
        ),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="scopes",
        what="The app may read what it needs",
        how="the daily look found every scope, and none changed",
        owner=CaseOwner.STORE,
        guide="docs/runbooks/storefront.scopes_changed.md",
        judge=checklist_rules.judge_config_changes(["storefront.scope_missing", "storefront.scopes_changed"]),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="people",
        what="Customers' data are given",
        how="the newest customers have addresses",
        owner=CaseOwner.STORE,
        guide="docs/runbooks/storefront.protected_data_missing.md",
        judge=checklist_rules.judge_config_changes(["storefront.protected_data_missing"]),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="settings",
        what="The shop's settings mean what they meant",
        how="currency, zone, taxes, SMS consent at checkout, accounts, plan and domain are as last agreed to",
        owner=CaseOwner.STORE,
        guide="docs/runbooks/storefront.setting_changed.md",
        judge=checklist_rules.judge_config_changes(
            ["storefront.setting_changed", "storefront.moved", "integration.currency_differs"]
        ),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="secrets",
        what="Every secret can be had",
        how="each reference in the connection leads to one",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/integration.secret_missing.md",
        judge=checklist_rules.judge_config_changes(["integration.secret_missing"]),
    ),
    ChecklistItem(
        key="token",
        what="Shopify takes our token",
        how="it answered today; a fixed token does not tell its end",
        owner=CaseOwner.STORE,
        guide="docs/runbooks/storefront.token_refused.md",
        judge=checklist_rules.judge_config_changes(["storefront.token_refused"]),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="limits",
        what="Ometria takes as much as we believe",
        how="at most 2 % of a day's pushes were answered 429",
        owner=CaseOwner.PLATFORM,
        guide="docs/runbooks/platform.limit_differs.md",
        judge=checklist_rules.judge_config_changes(["platform.limit_differs"]),
    ),
    ChecklistItem(
        key="pruned",
        what="Retention enforced",
        how="the nightly prune ran, and nothing is older than its retention",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#retention",
        judge=checklist_rules.judge_retention,
    ),
    ChecklistItem(
        key="disk",
        what="Disk space",
        how="at least a tenth of it is free; of a database on another machine a person says so every month",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#the-database",
        judge=checklist_rules.judge_disk,
        is_noted=True,
    ),
    ChecklistItem(
        key="told",
        what="Notifications delivered",
        how="no message waits for more than five minutes; without notify.url a person says every quarter who is told",
        owner=CaseOwner.OPERATOR,
        guide="docs/howto/notifications.md",
        judge=checklist_rules.judge_notifications,
        is_noted=True,
    ),
)
"""What is looked at every day."""

MONTHLY = (
    ChecklistItem(
        key="whole",
        what="Everything was compared, and agrees",
        how="the last reconciliation without a window is at most a month old, and is as good as the daily one",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/platform.differs.md",
        judge=checklist_rules.judge_reconciled(31 * DAY),
        is_of_stores=True,
    ),
    ChecklistItem(
        key="audit",
        what="The audit was read",
        how="a person says within a month that they read its report",
        owner=CaseOwner.STORE,
        guide=_CONNECT,
        judge=checklist_rules.judge_audit_review,
        is_noted=True,
    ),
    ChecklistItem(
        key="consent_audit",
        what="Consent agrees on both sides",
        how="the last consent audit is at most a month old, read both sides to the end, and left nobody unexplained",
        owner=CaseOwner.PRIVACY,
        guide="docs/howto/consent.md",
        judge=checklist_rules.judge_consent_audit,
        is_of_stores=True,
    ),
    ChecklistItem(
        key="consent_boxes",
        what="The checkout asks for consent as agreed",
        how="a person looked at Settings, Checkout in the Shopify admin within a month, since no API tells",
        owner=CaseOwner.PRIVACY,
        guide="docs/runbooks/storefront.setting_changed.md",
        judge=checklist_rules.judge_sign_off("consent_boxes", 31 * DAY),
        is_noted=True,
    ),
    ChecklistItem(
        key="days_left",
        what="The API version lasts another quarter",
        how="more than 120 days by the calendar",
        owner=CaseOwner.OPERATOR,
        guide="docs/runbooks/storefront.api_version_ends.md",
        judge=checklist_rules.judge_api_versions(120),
    ),
    ChecklistItem(
        key="rotation",
        what="Secrets rotated",
        how="none is unchanged for a year, no rotation is left unfinished",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#rotating-secrets",
        judge=checklist_rules.judge_secrets,
    ),
    ChecklistItem(
        key="access_review",
        what="Access reviewed",
        how="a person went through it within a quarter",
        owner=CaseOwner.OPERATOR,
        guide=f"{_HANDOVER}#access",
        judge=checklist_rules.judge_sign_off("access_review", 92 * DAY),
        is_noted=True,
    ),
    ChecklistItem(
        key="restore_test",
        what="A backup was restored",
        how="a person did it within a quarter",
        owner=CaseOwner.OPERATOR,
        guide=f"{_RUN}#backups",
        judge=checklist_rules.judge_sign_off("restore_test", 92 * DAY),
        is_noted=True,
    ),
    ChecklistItem(
        key="alarm_test",
        what="Alert test done",
        how="a person heard it within a quarter",
        owner=CaseOwner.OPERATOR,
        guide="docs/howto/notifications.md",
        judge=checklist_rules.judge_sign_off("alarm_test", 92 * DAY),
        is_noted=True,
    ),
    ChecklistItem(
        key="handover",
        what="Handover page reviewed",
        how="a person read it within half a year",
        owner=CaseOwner.OPERATOR,
        guide=_HANDOVER,
        judge=checklist_rules.judge_sign_off("handover", 184 * DAY),
        is_noted=True,
    ),
    ChecklistItem(
        key="retention",
        what="Retention is what was agreed",
        how="a person compared the two within a year",
        owner=CaseOwner.PRIVACY,
        guide=f"{_RUN}#retention",
        judge=checklist_rules.judge_sign_off("retention", 366 * DAY),
        is_noted=True,
    ),
)
"""What is looked at every month."""

LISTS = {"daily": DAILY, "monthly": MONTHLY}
NOTED = {item.key: item for items in LISTS.values() for item in items if item.is_noted}
"""What a person can sign off, by its key."""
