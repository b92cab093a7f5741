"""`POST /push`: what is looked at before a record is queued, and what the caller is told.

Sources: https://docs.ometria.com/docs/push-endpoint, https://docs.ometria.com/docs/ometria-data-api-introduction (100
records, 60 KB, one type per call, 429), https://support.ometria.com/support/solutions/articles/7000045354-push-api (the
queue and its headers). What refuses a whole call and what only a record is ASSUMED.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from sims.faults import Faults
from sims.ometria.account import Account, Batch
from sims.ometria.answers import TOO_LARGE, problem, too_many
from sims.ometria.limits import RECORD_BYTES, RECORDS_PER_PUSH
from sims.ometria.validate import TYPES
from sims.wire import Response, json_response

REQUESTS_KEPT = 10_000


def receive(account: Account, body: bytes, faults: Faults, now: datetime) -> Response:
    """Queue a push and return `{"status": "OK", "request_id", "accepted", "rejected"}`, or refuse it whole."""
    switches = account.switches
    try:
        raw = msgspec.json.decode(body, type=list[msgspec.Raw])
        records = [msgspec.json.decode(one) for one in raw]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return problem(400, "Payload invalid: Body is not a JSON array")
    if not 1 <= len(records) <= RECORDS_PER_PUSH:
        return problem(400, f"Payload invalid: Between 1 and {RECORDS_PER_PUSH} records are allowed")
    kinds = {record.get("@type") for record in records if isinstance(record, dict)}
    if len(kinds) > 1:
        return problem(400, "Payload invalid: Object types must not be mixed")
    too_large = [len(bytes(one)) > RECORD_BYTES for one in raw]
    if any(too_large) and switches.oversize == "call":
        return problem(400, TOO_LARGE)
    if account.backlog + len(records) > switches.queue_max:
        account.counts["push_queue_full"] += 1
        return too_many(queue_headers(account))
    accepted = [
        record for record, is_large in zip(records, too_large, strict=True) if not is_large and _fits(record, faults)
    ]
    request_id = _queue(account, accepted, len(records) - len(accepted), faults, now)
    answer = {"status": "OK", "request_id": request_id, "accepted": len(accepted)}
    answer["rejected"] = len(records) - len(accepted)
    return json_response(answer, switches.push_status, queue_headers(account))


def queue_headers(account: Account) -> dict[str, str]:
    """Return the queue's size headers, where the account has them."""
    limit = account.switches.queue_max
    if not account.switches.queue_headers:
        return {}
    return {"X-QueueSize-Limit": str(limit), "X-QueueSize-Remaining": str(max(0, limit - account.backlog))}


def _fits(record: Any, faults: Faults) -> bool:
    known = isinstance(record, dict) and record.get("@type") in TYPES
    return known and not faults.strikes("ometria.reject_sync")


def _queue(account: Account, accepted: list[dict[str, Any]], n_rejected: int, faults: Faults, now: datetime) -> str:
    switches, counts = account.switches, account.counts
    request_id = account.new_uuid()
    slow = float(faults.get("ometria.slow_application"))
    if slow:
        faults.count("ometria.slow_application")
    slow += float(faults.get("ometria.slow_per_record")) * len(accepted)
    due_at = now + timedelta(seconds=account.dice.uniform(switches.apply_min, switches.apply_max) + slow)
    if account.queue:
        due_at = max(due_at, account.queue[-1].due_at)
    if accepted:
        account.queue.append(Batch(request_id, due_at, accepted))
        account.backlog += len(accepted)
    counts["push_requests"] += 1
    counts["push_records"] += len(accepted) + n_rejected
    counts["push_accepted"] += len(accepted)
    counts["push_rejected"] += n_rejected
    if switches.push_status_path:
        status: dict[str, Any] = {"request_id": request_id, "status": "QUEUED" if accepted else "PROCESSED"}
        account.requests[request_id] = {**status, "accepted": len(accepted), "rejected": n_rejected, "errors": []}
        while len(account.requests) > REQUESTS_KEPT:
            account.requests.pop(next(iter(account.requests)))
    return request_id
