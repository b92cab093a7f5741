"""The operating checklist: what must hold every day and every month, who owns it, and how it is judged."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from isthmus.cases.catalogue import Owner, Severity
from isthmus.governance import calendar
from isthmus.ops import judges
from isthmus.ops.judges import DAY, NIGHTLY, Judge, Result
from isthmus.ops.standing.facts import Facts

_RESULTS = list(Result)
_SEVERITIES = list(Severity)


class Item(Struct, frozen=True, kw_only=True):
    """One line: what must hold, how it is judged in words and by what, who owns it, and where the steps are."""

    key: str
    what: str
    how: str
    owner: Owner
    guide: str
    judge: Judge
    is_noted: bool = False
    """Whether a person says that it was done, always or where the program cannot look."""
    is_of_stores: bool = False
    """Whether it rests on what the stores tell, so that of a store that the app left nothing can be known."""


class Line(Struct, frozen=True, kw_only=True):
    """One line, evaluated."""

    key: str
    what: str
    result: Result
    said: str
    since: datetime | None
    severity: Severity
    owner: Owner
    guide: str


def evaluate(items: Sequence[Item], facts: Facts) -> list[Line]:
    """Every line as it stands, the most urgent first.

    Where the app was uninstalled from a store, a line that rests on stores is judged by the others alone and could not
    look at that one.
    """
    lines = []
    seen = facts.of_other_stores()
    for item in items:
        judged = item.judge(seen) if item.is_of_stores else item.judge(facts)
        if item.is_of_stores and facts.left:
            judged = judges.unseen(judged, facts.left, is_any_left=facts.is_any_store_left)
        lines.append(
            Line(
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


def page(items: Sequence[Item]) -> str:
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
    Item(
        key="open",
        what="The connection is open",
        how="neither a failure nor a person has shut it, or a lane of it",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#watching",
        judge=judges.is_open,
    ),
    Item(
        key="lanes",
        what="No lane is late",
        how="the oldest work waits at most 60 s (realtime), 15 min (repair), three intervals (enrichment)",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#watching",
        judge=judges.lanes,
    ),
    *(
        Item(
            key=f"cases:{owner}",
            what=f"No case of the {owner} is pressing",
            how="none open that is urgent or high, is due within a week, or is normal and a week old",
            owner=owner,
            guide=_CASES,
            judge=judges.cases_of(owner),
        )
        for owner in Owner
    ),
    Item(
        key="reconciled",
        what="Both sides were compared, and agree",
        how="the last reconciliation over everything is at most a day old, all that it and those after it compared"
        " agrees, and nothing was not judged but what is excluded, before an accepted horizon or in flight",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/platform.differs.md",
        judge=judges.reconciled(NIGHTLY),
        is_of_stores=True,
    ),
    Item(
        key="missed",
        what="Webhooks arrive",
        how="fewer than 10 changes of a topic came by poll alone in the last day",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/integration.missed_webhook.md",
        judge=judges.missed,
        is_of_stores=True,
    ),
    Item(
        key="silent",
        what="No topic is silent",
        how="none is quieter than its store's own rhythm explains",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/integration.webhook_silent.md",
        judge=judges.silent,
        is_of_stores=True,
    ),
    Item(
        key="polls",
        what="The polls run",
        how="each has looked within three of its intervals",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/storefront.unavailable.md",
        judge=judges.polls,
        is_of_stores=True,
    ),
    Item(
        key="subscriptions",
        what="Subscriptions are as they should be",
        how="the daily look found none amiss",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/integration.subscriptions_differ.md",
        judge=judges.ground(["integration.subscriptions_differ"]),
        is_of_stores=True,
    ),
    Item(
        key="compliance",
        what="Privacy requests reach us",
        how='by the app\'s own configuration; with subscriptions = "api" a person says every year that shopify.app.toml'
        " names the compliance topics, since no API tells",
        owner=Owner.PRIVACY,
        guide=_CONNECT,
        judge=judges.compliance,
        is_noted=True,
        is_of_stores=True,
    ),
    Item(
        key="versions",
        what="The API version lasts",
        how="the daily look found that it answers, and more than 90 days",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/storefront.api_version_ends.md",
        judge=judges.ground(
            ["storefront.api_version", "storefront.webhook_version", *(code for _, code in calendar.WARNINGS)]
        ),
        is_of_stores=True,
    ),
    Item(
        key="scopes",
        what="The app may read what it needs",
        how="the daily look found every scope, and none changed",
        owner=Owner.STORE,
        guide="docs/runbooks/storefront.scopes_changed.md",
        judge=judges.ground(["storefront.scope_missing", "storefront.scopes_changed"]),
        is_of_stores=True,
    ),
    Item(
        key="people",
        what="Customers' data are given",
        how="the newest customers have addresses",
        owner=Owner.STORE,
        guide="docs/runbooks/storefront.protected_data_missing.md",
        judge=judges.ground(["storefront.protected_data_missing"]),
        is_of_stores=True,
    ),
    Item(
        key="settings",
        what="The shop's settings mean what they meant",
        how="currency, zone, taxes, SMS consent at checkout, accounts, plan and domain are as last agreed to",
        owner=Owner.STORE,
        guide="docs/runbooks/storefront.setting_changed.md",
        judge=judges.ground(["storefront.setting_changed", "storefront.moved", "integration.currency_differs"]),
        is_of_stores=True,
    ),
    Item(
        key="secrets",
        what="Every secret can be had",
        how="each reference in the connection leads to one",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/integration.secret_missing.md",
        judge=judges.ground(["integration.secret_missing"]),
    ),
    Item(
        key="token",
        what="Shopify takes our token",
        how="it answered today; a fixed token does not tell its end",
        owner=Owner.STORE,
        guide="docs/runbooks/storefront.token_refused.md",
        judge=judges.ground(["storefront.token_refused"]),
        is_of_stores=True,
    ),
    Item(
        key="limits",
        what="Ometria takes as much as we believe",
        how="at most 2 % of a day's pushes were answered 429",
        owner=Owner.PLATFORM,
        guide="docs/runbooks/platform.limit_differs.md",
        judge=judges.ground(["platform.limit_differs"]),
    ),
    Item(
        key="pruned",
        what="What is old is gone",
        how="the nightly prune ran, and nothing is older than its retention",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#retention",
        judge=judges.pruned,
    ),
    Item(
        key="disk",
        what="The disk has room",
        how="at least a tenth of it is free; of a database on another machine a person says so every month",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#the-database",
        judge=judges.disk,
        is_noted=True,
    ),
    Item(
        key="told",
        what="Somebody is told",
        how="no message waits for more than five minutes; without notify.url a person says every quarter who is told",
        owner=Owner.OPERATOR,
        guide="docs/howto/be-told.md",
        judge=judges.told,
        is_noted=True,
    ),
)
"""What is looked at every day."""

MONTHLY = (
    Item(
        key="whole",
        what="Everything was compared, and agrees",
        how="the last reconciliation without a window is at most a month old, and is as good as the daily one",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/platform.differs.md",
        judge=judges.reconciled(31 * DAY),
        is_of_stores=True,
    ),
    Item(
        key="audit",
        what="The audit was read",
        how="a person says within a month that they read its report",
        owner=Owner.STORE,
        guide=_CONNECT,
        judge=judges.audited,
        is_noted=True,
    ),
    Item(
        key="consent_audit",
        what="Consent agrees on both sides",
        how="the last consent audit is at most a month old, read both sides to the end, and left nobody unexplained",
        owner=Owner.PRIVACY,
        guide="docs/howto/consent.md",
        judge=judges.consent,
        is_of_stores=True,
    ),
    Item(
        key="consent_boxes",
        what="The checkout asks for consent as agreed",
        how="a person looked at Settings, Checkout in the Shopify admin within a month, since no API tells",
        owner=Owner.PRIVACY,
        guide="docs/runbooks/storefront.setting_changed.md",
        judge=judges.noted("consent_boxes", 31 * DAY),
        is_noted=True,
    ),
    Item(
        key="days_left",
        what="The API version lasts another quarter",
        how="more than 120 days by the calendar",
        owner=Owner.OPERATOR,
        guide="docs/runbooks/storefront.api_version_ends.md",
        judge=judges.versions(120),
    ),
    Item(
        key="rotation",
        what="Secrets are young",
        how="none is unchanged for a year, no rotation is left unfinished",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#rotating-secrets",
        judge=judges.secrets,
    ),
    Item(
        key="access_review",
        what="Only those who should have access",
        how="a person went through it within a quarter",
        owner=Owner.OPERATOR,
        guide=f"{_HANDOVER}#access",
        judge=judges.noted("access_review", 92 * DAY),
        is_noted=True,
    ),
    Item(
        key="restore_test",
        what="A backup was restored",
        how="a person did it within a quarter",
        owner=Owner.OPERATOR,
        guide=f"{_RUN}#backups",
        judge=judges.noted("restore_test", 92 * DAY),
        is_noted=True,
    ),
    Item(
        key="alarm_test",
        what="An alarm was made to ring",
        how="a person heard it within a quarter",
        owner=Owner.OPERATOR,
        guide="docs/howto/be-told.md",
        judge=judges.noted("alarm_test", 92 * DAY),
        is_noted=True,
    ),
    Item(
        key="handover",
        what="The handover page is true",
        how="a person read it within half a year",
        owner=Owner.OPERATOR,
        guide=_HANDOVER,
        judge=judges.noted("handover", 184 * DAY),
        is_noted=True,
    ),
    Item(
        key="retention",
        what="Retention is what was agreed",
        how="a person compared the two within a year",
        owner=Owner.PRIVACY,
        guide=f"{_RUN}#retention",
        judge=judges.noted("retention", 366 * DAY),
        is_noted=True,
    ),
)
"""What is looked at every month."""

LISTS = {"daily": DAILY, "monthly": MONTHLY}
NOTED = {item.key: item for items in LISTS.values() for item in items if item.is_noted}
"""What a person can sign off, by its key."""
