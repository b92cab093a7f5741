"""How each line of the operating checklist is judged: from the facts to ok, look, or could not look."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from isthmus.cases.catalogue import CaseOwner, Severity, row_of
from isthmus.config_changes import calendar
from isthmus.config_changes.result import CheckOutcome, CheckResult
from isthmus.model.basis import as_of_times, verdict_outcome, verdict_sentence
from isthmus.model.lane import Lane
from isthmus.ops.alerting_queries.compared import Chained
from isthmus.ops.alerting_queries.facts import ChecklistFacts
from isthmus.ops.alerting_queries.sql import FinishedRun, OpenCases
from isthmus.ops.notify import slo_targets


class Result(StrEnum):
    """What a line of the checklist comes to."""

    LOOK = "look"
    COULD_NOT_LOOK = "could not look"
    OK = "ok"


class LineResult(Struct, frozen=True):
    """The result, what was seen in a few words, since when it is so, and how soon somebody should look."""

    result: Result
    said: str
    since: datetime | None = None
    severity: Severity = Severity.NORMAL


Judge = Callable[[ChecklistFacts], LineResult]

DAY = timedelta(days=1)
NIGHTLY = timedelta(hours=26)
"""How old what is done each day may be: a day and two hours of grace."""

MANY_MISSED = 10
"""Changes of one topic in a day that no webhook told of, from which on somebody should look why."""

FULL = 0.9
"""The share of a disk from which on it is full: PostgreSQL needs room to breathe."""


def passed(said: str, since: datetime | None = None) -> LineResult:
    return LineResult(Result.OK, said, since)


def needs_attention(said: str, severity: Severity, since: datetime | None = None) -> LineResult:
    return LineResult(Result.LOOK, said, since, severity)


def unknown(said: str, since: datetime | None = None) -> LineResult:
    return LineResult(Result.COULD_NOT_LOOK, said, since)


def with_uninstalled_stores(judged: LineResult, left: Mapping[str, datetime], *, is_any_left: bool) -> LineResult:
    """What was judged of the other stores, with those that the app was uninstalled from, of which nothing is known."""
    names = ", ".join(sorted(left))
    said = f"{names}: could not look, the app was uninstalled"
    if is_any_left:
        said = f"{said}; other stores: {judged.said}"
    if judged.result is Result.LOOK and is_any_left:
        return LineResult(judged.result, said, judged.since, judged.severity)
    return unknown(said, min(left.values()))


# The pipeline -------------------------------------------------------------------------------------------------------


def judge_connection_open(facts: ChecklistFacts) -> LineResult:
    shut = facts.switches
    if facts.setup.trouble:
        return needs_attention(f"cannot begin to work: {facts.setup.trouble}", Severity.URGENT)
    if shut["blocked_code"]:
        return needs_attention(f"blocked by {shut['blocked_code']}", Severity.URGENT, shut["blocked_at"])
    if shut["paused_at"]:
        return needs_attention("paused by a person", Severity.HIGH, shut["paused_at"])
    if shut["paused_lanes"]:
        return needs_attention(f"paused: {', '.join(shut['paused_lanes'])}", Severity.NORMAL)
    return passed(str(shut["mode"]))


def judge_lanes(facts: ChecklistFacts) -> LineResult:
    late = []
    for lane, promise in slo_targets(facts.setup.enrichment_every).items():
        oldest = facts.oldest.get(lane.rank)
        if oldest is not None and facts.now - oldest > promise:
            late.append((oldest, f"{lane}: {format_span(facts.now - oldest)}, promised {format_span(promise)}"))
    if late:
        return needs_attention("; ".join(said for _, said in late), Severity.HIGH, min(oldest for oldest, _ in late))
    waits = [f"{lane} {format_span(facts.now - facts.oldest[lane.rank])}" for lane in Lane if lane.rank in facts.oldest]
    if waits:
        return passed(f"oldest: {', '.join(waits)}")
    return passed(
        "nothing waits" if facts.switches["mode"] == "live" else "nothing waits but what shadow mode keeps back"
    )


def judge_cases_of(owner: CaseOwner) -> Judge:
    """Open cases of one owner: pressing ones, and those that were left too long."""
    patience = {Severity.URGENT: timedelta(), Severity.HIGH: timedelta(), Severity.NORMAL: 7 * DAY}

    def judge(facts: ChecklistFacts) -> LineResult:
        own = [group for group in facts.groups if group.owner == owner]
        if not own:
            return passed("none")
        pressing = [group for group in own if _presses(group, facts.now, patience)]
        if not pressing:
            return passed(f"{sum(group.n for group in own):,} open, none pressing")
        first = min(pressing, key=lambda group: list(Severity).index(Severity(group.severity)))
        said = "; ".join(f"{group.n:,} × {group.code}{_due(group)}" for group in pressing)
        return needs_attention(said, Severity(first.severity), min(group.first_at for group in pressing))

    return judge


def _presses(group: OpenCases, now: datetime, patience: dict[Severity, timedelta]) -> bool:
    is_due = group.due_on is not None and (group.due_on - now.date()).days <= 7
    waits = patience.get(Severity(group.severity))
    return is_due or (waits is not None and now - group.first_at >= waits)


def _due(group: OpenCases) -> str:
    return f" (due {group.due_on})" if group.due_on else ""


def judge_polls(facts: ChecklistFacts) -> LineResult:
    every = facts.setup.poll_every
    found = {key: at for key, at in facts.marks.items() if key[1].startswith("poll:") and at is not None}
    if not found:
        return needs_attention("nothing is polled yet", Severity.HIGH)
    behind = {key: at for key, at in found.items() if facts.now - at > 3 * every}
    if behind:
        names = ", ".join(f"{store} {name.removeprefix('poll:')}" for store, name in sorted(behind))
        return needs_attention(f"standing still: {names}", Severity.HIGH, min(behind.values()))
    return passed(f"the last {format_span(facts.now - max(found.values()))} ago", max(found.values()))


def judge_missed(facts: ChecklistFacts) -> LineResult:
    n = sum(one["n"] for one in facts.missed)
    most = [f"{one['store']} {one['topic']}: {one['n']:,}" for one in facts.missed if one["n"] >= MANY_MISSED]
    return (
        needs_attention("; ".join(most), Severity.NORMAL)
        if most
        else passed(f"{n:,} changes came by poll alone in the last day")
    )


def judge_silent_topics(facts: ChecklistFacts) -> LineResult:
    groups = [group for group in facts.groups if group.code == "integration.webhook_silent"]
    if groups:
        stores = ", ".join(sorted({group.store for group in groups}))
        return needs_attention(f"silent: {stores}", Severity.HIGH, min(group.first_at for group in groups))
    return passed("none is silent")


# Comparisons ---------------------------------------------------------------------------------------------------------


def judge_reconciled(within: timedelta) -> Judge:
    """The last run over everything was not long ago, saw all sides, and found nothing; nor did those after it.

    A run over one kind or store, or over a window alone, says nothing of the rest.
    """

    def judge(facts: ChecklistFacts) -> LineResult:
        run = facts.runs.get("whole")
        if run is None:
            return needs_attention("never done", Severity.NORMAL)
        if facts.now - run.ended_at > within:
            return needs_attention(
                f"the last one is {format_span(facts.now - run.ended_at)} old", Severity.NORMAL, run.ended_at
            )
        chained = facts.compared
        return _of_run(run, chained if chained is not None and chained.whole.id == run.id else None)

    return judge


def _of_run(run: FinishedRun, chained: Chained | None) -> LineResult:
    result, basis = run.result or {}, None if chained is None else chained.basis
    if basis is None or chained is None:
        if result.get("n_findings"):
            return needs_attention(
                f"run {run.id} found {result['n_findings']:,} differences", Severity.NORMAL, run.ended_at
            )
        return unknown(f"run {run.id} did not say what it rests on: it is of an earlier version", run.ended_at)
    which = f"run {run.id}" if chained.last.id == run.id else f"runs {run.id} to {chained.last.id}"
    said, at = f"{which}: {verdict_sentence(basis)}; {as_of_times(basis)}", chained.last.ended_at
    if basis.n_differ:
        return needs_attention(said, Severity.NORMAL, at)
    return passed(said, at) if verdict_outcome(basis).is_green else unknown(said, at)


def judge_consent_audit(facts: ChecklistFacts) -> LineResult:
    """The last audit of consent is not long ago, compared everybody on both sides, and found nothing unexplained."""
    done = facts.accord
    if done is None:
        return needs_attention(f"never done; `isthmus consent audit {facts.connection}`", Severity.NORMAL)
    if facts.now - done.at > 31 * DAY:
        return needs_attention(f"the last one is {format_span(facts.now - done.at)} old", Severity.NORMAL, done.at)
    n = len(done.unexplained)
    if n:
        return needs_attention(
            f"the audit of {done.at:%Y-%m-%d}: the sides differ on {n:,} people", Severity.HIGH, done.at
        )
    if done.basis is None:
        return unknown(f"the audit of {done.at:%Y-%m-%d} is of an earlier version, and proves nothing", done.at)
    said = f"the audit of {done.at:%Y-%m-%d}: {verdict_sentence(done.basis)}"
    if not done.is_whole or not verdict_outcome(done.basis).is_green:
        return unknown(said, done.at)
    return passed(said, done.at)


def judge_audit_review(facts: ChecklistFacts) -> LineResult:
    """A person read the last report. That one was made says nothing about anybody having read it."""
    run, note = facts.runs.get("audit"), facts.notes.get("audit")
    made = run.ended_at if run else None
    how = f"`isthmus check sign-off {facts.connection} audit` once it is read"
    if note is None or facts.now - note.at > 31 * DAY:
        there = f"the last report is {format_span(facts.now - made)} old" if made else "no report was made"
        return needs_attention(f"{there}; {how}", Severity.NORMAL, note.at if note else made)
    return passed(f"{note.by}, {note.at:%Y-%m-%d}", note.at)


# The ground ----------------------------------------------------------------------------------------------------------


def judge_config_changes(codes: Collection[str]) -> Judge:
    """What the daily look found about these codes, if it looked lately."""

    def judge(facts: ChecklistFacts) -> LineResult:
        if facts.looked_at is None or facts.now - facts.looked_at > NIGHTLY:
            return unknown("nobody has looked since yesterday", facts.looked_at)
        own = [verdict for verdict in facts.verdicts if verdict.code in codes]
        found = [verdict for verdict in own if verdict.answer is CheckOutcome.FOUND]
        if found:
            severities = [Severity(row_of(verdict.code).severity) for verdict in found]
            return needs_attention(_said(found), min(severities, key=list(Severity).index), facts.looked_at)
        unseen = [verdict for verdict in own if verdict.answer is CheckOutcome.COULD_NOT_LOOK]
        if unseen or not own:
            return unknown(_said(unseen) or "nothing was looked at", facts.looked_at)
        return passed(_said([verdict for verdict in own if verdict.detail]) or "as it should be", facts.looked_at)

    return judge


def judge_api_versions(least: int) -> Judge:
    """Days until the pinned versions end, by the calendar alone."""

    def judge(facts: ChecklistFacts) -> LineResult:
        lefts = {
            store: calendar.days_until_end(pinned, facts.now.date()) for store, pinned in facts.setup.versions.items()
        }
        said = "; ".join(
            f"{store}: {facts.setup.versions[store]}, {f'{left} days left' if left is not None else 'no last day'}"
            for store, left in sorted(lefts.items())
        )
        shortest = min((left for left in lefts.values() if left is not None), default=None)
        if shortest is None:
            return unknown(said or "no store")
        if shortest > least:
            return passed(said)
        return needs_attention(said, Severity.URGENT if shortest <= 7 else Severity.HIGH)

    return judge


def judge_compliance(facts: ChecklistFacts) -> LineResult:
    """Privacy requests reach us by the app's own configuration, which no API tells."""
    if not facts.setup.by_api:
        return passed("the app's configuration subscribes to everything")
    stores = ", ".join(facts.setup.by_api)
    why = f'{stores}: subscriptions = "api" cannot hold compliance topics; the app\'s shopify.app.toml must name them'
    return _signed(facts, "compliance", 366 * DAY, why)


def judge_secrets(facts: ChecklistFacts) -> LineResult:
    if not facts.secrets:
        return unknown("nobody has looked yet")
    old = {key: at for key, at in facts.secrets.items() if facts.now - at > 365 * DAY}
    left = {key: at for key, at in facts.secrets.items() if "previous_" in key and facts.now - at > 7 * DAY}
    if left:
        return needs_attention(
            f"a finished rotation? still there: {', '.join(sorted(left))}", Severity.NORMAL, min(left.values())
        )
    if old:
        return needs_attention(f"older than a year: {', '.join(sorted(old))}", Severity.NORMAL, min(old.values()))
    oldest = min(facts.secrets.values())
    return passed(f"{len(facts.secrets)} known, unchanged for {format_span(facts.now - oldest)} at most", oldest)


# The machine ---------------------------------------------------------------------------------------------------------


def judge_retention(facts: ChecklistFacts) -> LineResult:
    at = facts.marks.get(("", "prune"))
    over = [
        name
        for name, keep in facts.setup.retention.items()
        if (oldest := facts.kept.get(name)) is not None and facts.now - oldest > keep + 2 * DAY
    ]
    if over:
        return needs_attention(f"older than agreed: {', '.join(sorted(over))}", Severity.HIGH, at)
    if at is None:
        since = facts.switches["connected_at"]
        if facts.now - since <= NIGHTLY:
            return passed("everything within its retention; its first night is still to come", since)
        return needs_attention("it never ran", Severity.NORMAL, since)
    if facts.now - at > NIGHTLY:
        return needs_attention(f"the last one is {format_span(facts.now - at)} old", Severity.NORMAL, at)
    return passed("everything within its retention", at)


def judge_disk(facts: ChecklistFacts) -> LineResult:
    used = f"the database takes {facts.size / 1e9:.2f} GB"
    if facts.setup.disk is None:
        return _signed(facts, "disk", 31 * DAY, f"{used}; its disk is another machine's")
    free, whole = facts.setup.disk
    said = f"{used}; {free / 1e9:.0f} GB of {whole / 1e9:.0f} GB are free"
    return needs_attention(said, Severity.HIGH) if free < (1 - FULL) * whole else passed(said)


def judge_notifications(facts: ChecklistFacts) -> LineResult:
    if not facts.setup.is_told:
        return _signed(
            facts, "told", 92 * DAY, "notify.url is not set: nobody is told, unless an alarm rests on /metrics"
        )
    n, since = facts.untold
    if n and since is not None and facts.now - since > timedelta(minutes=5):
        return needs_attention(f"{n:,} messages wait", Severity.HIGH, since)
    return passed("nothing waits to be told")


# What only people can say --------------------------------------------------------------------------------------------


def judge_sign_off(item: str, within: timedelta) -> Judge:
    """A person said that it was done, and that is not too long ago."""

    def judge(facts: ChecklistFacts) -> LineResult:
        note = facts.notes.get(item)
        if note is None:
            how = f"`isthmus check sign-off {facts.connection} {item}`"
            return needs_attention(f"a person must say so: {how}", Severity.LOW)
        beside = f": {note.text}" if note.text else ""
        said = f"{note.by}, {note.at:%Y-%m-%d}{beside}"
        return (
            passed(said, note.at)
            if facts.now - note.at <= within
            else needs_attention(f"long ago: {said}", Severity.LOW, note.at)
        )

    return judge


def _signed(facts: ChecklistFacts, item: str, within: timedelta, why: str) -> LineResult:
    """What this machine cannot look at and a person may have: they say so for a while."""
    note = facts.notes.get(item)
    if note is not None and facts.now - note.at <= within:
        return passed(f"{note.by}, {note.at:%Y-%m-%d}{f': {note.text}' if note.text else ''}", note.at)
    return unknown(f"{why}; a person may say so: `isthmus check sign-off {facts.connection} {item}`")


def _said(verdicts: Sequence[CheckResult]) -> str:
    """What was seen, each thing once, with the stores that it was seen of."""
    stores: dict[str, list[str]] = {}
    for verdict in verdicts:
        stores.setdefault(verdict.detail, []).append(verdict.store)
    return "; ".join(
        f"{', '.join(sorted(set(names)))}: {detail}" if any(names) else detail for detail, names in stores.items()
    )


def format_span(span: timedelta) -> str:
    """A span as people say it."""
    seconds = max(0, int(span.total_seconds()))
    for size, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
