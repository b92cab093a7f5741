"""What somebody may want to hear of: groups of cases, late lanes, finished runs, shut connections, the daily digest."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from isthmus.cases.catalogue import Severity, row_of
from isthmus.db.pool import Database, Row, Tx
from isthmus.model.basis import as_of_times, basis_document, verdict_sentence
from isthmus.model.lane import Lane
from isthmus.notifications.message import wire_time
from isthmus.notifications.transitions import AlertChange, AlertState
from isthmus.ops import sql as looks
from isthmus.ops.alerting_queries import compared, sql
from isthmus.ops.alerting_queries.sql import FinishedRun, OpenCases

PROMISES = {Lane.REALTIME: timedelta(seconds=60), Lane.REPAIR: timedelta(minutes=15)}
"""How long the oldest work of a lane may wait. Enrichment has three of its intervals; backfill promises nothing."""

INTERVALS = 3
LATELY = timedelta(days=2)
"""How far back a run is news."""

NAMES = {"reconcile": "Reconciliation", "audit": "Audit", "backfill": "Load of history"}
DAY = timedelta(days=1)
_SEVERITIES = list(Severity)


class Watch(Struct, frozen=True, kw_only=True):
    """What is told, and what it is told with. `trouble` is why the connection cannot begin to work, if it cannot."""

    enrichment_every: timedelta
    least: Severity = Severity.LOW
    digest_at: time = time(7, 0)
    url: str | None = None
    trouble: str | None = None


def slo_targets(enrichment_every: timedelta) -> dict[Lane, timedelta]:
    """How long the oldest work of each lane may wait before the lane is late."""
    return {**PROMISES, Lane.ENRICHMENT: max(INTERVALS * enrichment_every, PROMISES[Lane.REALTIME])}


def current_alerts(db: Database, connection: str, now: datetime, watch: Watch) -> list[AlertState]:
    """Everything that stands out at this moment, told or not. Names no person, holds no secret."""
    with db.transaction() as tx:
        looks.begin_snapshot(tx)
        shut = sql.connection_switches(tx, connection)
        if shut is None:
            return []
        groups = sql.open_cases_by_code(tx, connection)
        found = [_case(group, watch) for group in groups if _counts(group, watch.least)]
        found += [*_connection(shut, watch), *_lanes(sql.oldest_work(tx, connection), shut, now, watch)]
        found += [_run(run, watch) for run in sql.runs_ended_since(tx, connection, now - LATELY) if _is_news(run)]
        found += [_load(load, watch) for load in sql.loads_done_since(tx, connection, now - LATELY)]
        key = f"digest:{now.date()}"
        if now.time() >= watch.digest_at and not sql.was_ever_notified(tx, connection, key):
            found.append(AlertState(key, AlertChange.DIGEST, daily_digest(tx, connection, groups, now, watch)))
    return found


# Changes -------------------------------------------------------------------------------------------------------------


def _counts(group: OpenCases, least: Severity) -> bool:
    return _SEVERITIES.index(Severity(group.severity)) <= _SEVERITIES.index(least)


def _case(group: OpenCases, watch: Watch) -> AlertState:
    kind = row_of(group.code)
    body = {
        "what": "case",
        "code": group.code,
        "store": group.store,
        "title": kind.title,
        "cause": group.cause,
        "owner": group.owner,
        "severity": group.severity,
        "n": group.n,
        "detail": group.detail if group.n == 1 else "",
        "since": wire_time(group.first_at),
        "due_on": str(group.due_on) if group.due_on else None,
        "remedy": kind.remedy,
        "runbook": kind.runbook,
        "url": watch.url,
    }
    return AlertState(f"case:{group.code}:{group.store}", AlertChange.OPENED, body)


def _connection(shut: Row, watch: Watch) -> list[AlertState]:
    code = shut["blocked_code"] or watch.trouble
    if code:
        kind = row_of(code)
        title = f"Nothing goes through: {kind.title}"
        body = {
            "code": code,
            "title": title,
            "cause": kind.cause,
            "owner": kind.owner,
            "severity": kind.severity,
            "remedy": kind.remedy,
            "runbook": kind.runbook,
        }
        state = AlertChange.BLOCKED
    elif shut["paused_at"]:
        state, body = (
            AlertChange.PAUSED,
            {"title": "A person has paused the connection", "since": wire_time(shut["paused_at"])},
        )
    else:
        return []
    return [AlertState("connection", state, {"what": "connection", **body, "url": watch.url})]


def _lanes(oldest: Mapping[int, datetime], shut: Row, now: datetime, watch: Watch) -> list[AlertState]:
    """Late lanes; of one that is catching up, or shut, nothing is said: what was told of it stays."""
    is_shut = bool(shut["blocked_code"] or shut["paused_at"] or watch.trouble)
    found = []
    for lane, promise in slo_targets(watch.enrichment_every).items():
        waited = now - oldest[lane.rank] if lane.rank in oldest else timedelta()
        if waited <= promise / 2:
            continue
        is_judged = waited > promise and not is_shut and lane.value not in shut["paused_lanes"]
        body = {
            "what": "lane",
            "lane": lane.value,
            "title": f"The {lane} lane is late",
            "severity": Severity.HIGH,
            "owner": "integration operator",
            "oldest_seconds": int(waited.total_seconds()),
            "promise_seconds": int(promise.total_seconds()),
            "url": watch.url,
        }
        found.append(AlertState(f"lane:{lane}", AlertChange.LATE if is_judged else None, body))
    return found


def _is_news(run: FinishedRun) -> bool:
    """An hourly look that found nothing is none; an external API that kept it from looking has a case of its own."""
    is_light = run.asked.get("since") is not None
    return run.state == "failed" or not is_light or bool((run.result or {}).get("n_findings"))


def _run(run: FinishedRun, watch: Watch) -> AlertState:
    result = run.result or {}
    n = int(result.get("n_findings") or 0)
    state = AlertChange.FAILED if run.state == "failed" else AlertChange.FINISHED
    title = f"{NAMES.get(run.what, run.what.capitalize())} {run.id}"
    if "n_findings" in result:
        title += f" found {n:,} differences" if n != 1 else " found 1 difference"
    if "verdict" in result:
        title += f": {result['verdict']}"
    basis = compared.basis_of_run(run)
    if basis is not None:
        title += f". {verdict_sentence(basis)}"
    elif run.unseen:
        title += f"; could not see {run.unseen}"
    body = {
        "what": "run",
        "run": run.id,
        "run_of": run.what,
        "title": title,
        "n": n if "n_findings" in result else None,
        "started_at": wire_time(run.started_at),
        "basis": msgspec.to_builtins(basis_document(basis)) if basis is not None else None,
        "url": watch.url,
    }
    return AlertState(f"run:{run.id}", state, body)


def _load(load: Row, watch: Watch) -> AlertState:
    state = AlertChange.FAILED if load["n_failed"] else AlertChange.FINISHED
    title = f"The load of history: {load['n']:,} records"
    body = {"what": "run", "run_of": "backfill", "store": load["store"], "title": title, "url": watch.url}
    return AlertState(f"load:{load['store']}:{load['id']}", state, body)


# Once a day ----------------------------------------------------------------------------------------------------------


def daily_digest(tx: Tx, connection: str, groups: list[OpenCases], now: datetime, watch: Watch) -> dict[str, Any]:
    """What needs a person, by who that is, and how the last day was."""
    owners: dict[str, list[dict[str, Any]]] = {}
    for group in sorted(groups, key=lambda one: (_SEVERITIES.index(Severity(one.severity)), one.first_at)):
        owners.setdefault(group.owner, []).append(_line(group, now))
    missed = sql.missed_changes(tx, connection, now - DAY)
    news = sql.count_new_cases(tx, connection, now - DAY)
    basis = compared.records_known_to_agree(tx, connection, now)
    last = sql.last_ended_run(tx, connection, "reconcile")
    shut = sql.connection_switches(tx, connection) or {}
    body: dict[str, Any] = {
        "what": "digest",
        "title": f"{sum(group.n for group in groups):,} open cases",
        "n": sum(group.n for group in groups),
        "n_new": sum(news.values()),
        "new": {f"{code} {store}".strip(): n for (code, store), n in sorted(news.items())},
        "owners": owners,
        "basis": msgspec.to_builtins(basis_document(basis)),
        "says": f"{verdict_sentence(basis)}{f'; {as_of_times(basis)}' if as_of_times(basis) else ''}",
        "mode": shut.get("mode"),
        "blocked": shut.get("blocked_code"),
        "paused": shut.get("paused_at") is not None,
        "missed_webhooks": sum(one["n"] for one in missed),
        "missed_by_topic": {f"{one['store']} {one['topic']}": one["n"] for one in missed[:10]},
        "last_reconciliation": None
        if last is None
        else {"at": wire_time(last.ended_at), "n_findings": (last.result or {}).get("n_findings")},
        "url": watch.url,
    }
    return body | {"text": _page(connection, body)}


def _line(group: OpenCases, now: datetime) -> dict[str, Any]:
    kind = row_of(group.code)
    return {
        "code": group.code,
        "store": group.store,
        "title": kind.title,
        "severity": group.severity,
        "n": group.n,
        "age_days": (now - group.first_at).days,
        "due_on": str(group.due_on) if group.due_on else None,
        "is_assigned": bool(group.assigned),
        "runbook": kind.runbook,
    }


def _page(connection: str, body: Mapping[str, Any]) -> str:
    """The digest as people read it in a mail."""
    lines = [f"{connection}: {body['title']}, {body['n_new']:,} of them new since yesterday", f"{body['says']}."]
    if body["blocked"]:
        lines.append(f"Nothing goes through: {body['blocked']}")
    if body["paused"]:
        lines.append("Paused by a person")
    for owner, groups in body["owners"].items():
        lines += ["", f"For the {owner}:"]
        for one in groups:
            due = f", due {one['due_on']}" if one["due_on"] else ""
            store = f" in {one['store']}" if one["store"] else ""
            age = f"{one['age_days']} days old" if one["age_days"] != 1 else "1 day old"
            lines.append(f"- {one['severity']}: {one['n']:,} × {one['title']}{store} ({age}{due}) {one['runbook']}")
    last = body["last_reconciliation"]
    lines += ["", f"Missed webhooks in the last day: {body['missed_webhooks']:,}"]
    told = "never" if last is None else f"{last['at']}, {last['n_findings']} differences"
    lines.append(f"Last reconciliation: {told}")
    if body["url"]:
        lines.append(str(body["url"]))
    return "\n".join(lines)
