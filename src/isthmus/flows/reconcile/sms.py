"""Compare the second contacts of accounts with double opt-in by text message.

They stand in collections of their own and hold an address and a permission, so that they are compared here and not with
the other contacts: what Ometria lists of both collections, then one by one what it did not list.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Tx
from isthmus.drift.attribute import Repair, cause_of_code
from isthmus.drift.sql import findings
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql import results as judged
from isthmus.drift.sql import sms as texting
from isthmus.drift.sql.findings import DriftFinding
from isthmus.drift.sql.observations import OutboxRow
from isthmus.drift.sql.results import AGREED, DIFFERS
from isthmus.flows import body_difference
from isthmus.flows.read_budget import OVERLAP, PAGE, acquire_shared_read_slot
from isthmus.flows.reconcile import scan_platform
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.mapping.sms_contact import ASKED, CONFIRMED
from isthmus.model.basis import NotJudgedReason
from isthmus.model.write import RecordKind
from isthmus.ometria.responses import decode_json
from isthmus.outbox import plan
from isthmus.outbox.sql import readback as proof

READS_AT_MOST = 400
"""Second contacts that are looked for one by one; more of them are said not to have been looked at."""

CASES = 20
"""Those that get a case each; the rest share one."""


class Compared(Struct, frozen=True):
    """One second contact that differs: where, both sides, and whether sending it again would opt somebody in."""

    own: str
    standing: OutboxRow
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any] | None
    path: str | None

    @property
    def code(self) -> str:
        return "platform.not_applied" if self.theirs is None else "platform.differs"

    @property
    def may_be_sent(self) -> bool:
        return not scan_platform.is_opting_in(self.ours, self.theirs)


def scan_sms_contacts(held: RunContext, step: str, cursor: str | None, n: int) -> int:  # noqa: ARG001 - from its first page again
    """All second contacts that there are; how many."""
    with held.db.transaction() as tx:
        if not texting.has_sms_contacts(tx, held.context.connection):
            return 0
    n = 0
    for collection in (ASKED, CONFIRMED):
        n += _listed(held, step, collection)
    n += _one_by_one(held, step)
    held.tell_step(step, n, None, is_done=True)
    return n


def _listed(held: RunContext, step: str, collection: str) -> int:
    offset = n = 0
    while held.goes_on():
        acquire_shared_read_slot(held.db, held.context)
        first = offset
        page = held.patiently(
            lambda: held.context.platform.contacts(collection, offset=first, limit=PAGE)  # noqa: B023 - called at once
        )
        items = {str(item["id"]): item for item in page if item.get("id") is not None}
        with held.db.transaction() as tx:
            known = drift.outbox_rows(tx, held.context.connection, [("sms", own) for own in items])
            _judge(tx, held, {own: known["sms", own] for own in items if ("sms", own) in known}, items, collection)
            offset += len(page) if len(page) < PAGE else len(page) - OVERLAP
            n += len(items)
            held.move(tx, step, None, n)
        if len(page) < PAGE:
            break
    return n


def _one_by_one(held: RunContext, step: str) -> int:
    """What no page listed: a page can be skipped, so each is asked for by itself."""
    with held.db.transaction() as tx:
        missing = texting.unjudged_sms_contacts(tx, held.context.connection, held.id, held.stores, READS_AT_MOST)
        known = drift.outbox_rows(tx, held.context.connection, [("sms", own) for own in missing])
    for own in missing:
        standing = known["sms", own]
        if standing.body is None:
            continue
        acquire_shared_read_slot(held.db, held.context)
        collection = decode_json(held.context.packer.unpack(standing.body))["@collection"]
        item = held.patiently(lambda: held.context.platform.contact(collection, own))  # noqa: B023 - called at once
        with held.db.transaction() as tx:
            _judge(tx, held, {own: standing}, {own: item} if item is not None else {}, collection)
            held.move(tx, step, None, len(missing))
    return len(missing)


def _judge(
    tx: Tx, held: RunContext, known: Mapping[str, OutboxRow], items: Mapping[str, Mapping[str, Any]], collection: str
) -> None:
    """Of these second contacts those that should stand in this collection."""
    results: dict[tuple[str, str], str] = {}
    bad: list[Compared] = []
    for own, standing in known.items():
        if standing.state != "applied" or standing.body is None or standing.store not in held.stores:
            continue
        body = decode_json(held.context.packer.unpack(standing.body))
        if body["@collection"] != collection:
            continue  # where it stood before it was confirmed
        item = items.get(own)
        path = plan.first_difference(body, item) if item is not None else None
        if item is not None and path is None:
            results["sms", own] = AGREED
        elif standing.settled_at is not None and held.now() - standing.settled_at < held.context.pace.drift_grace:
            results["sms", own] = NotJudgedReason.YOUNG.value
        else:
            results["sms", own] = DIFFERS
            bad.append(Compared(own, standing, body, item, path))
    judged.save_results(tx, held.context.connection, held.id, results)
    agreed = [f"sms:{own}" for (_, own), result in results.items() if result == AGREED]
    cases.resolve_subjects(tx, held.context.connection, agreed, "platform.", held.now(), by="reconcile")
    if bad:
        _write_down(tx, held, bad)


def _write_down(tx: Tx, held: RunContext, bad: Sequence[Compared]) -> None:
    """Findings and cases, and what may be sent again."""
    context, now = held.context, held.now()
    n_found = sum(
        n for (_, _, kind), n in findings.count_findings(tx, context.connection, held.id).items() if kind == "sms"
    )
    is_repaired = held.asked.repair and context.is_live
    touches, found = [], []
    for n, one in enumerate(bad, start=n_found):
        told = body_difference.describe_write_difference(
            context, "sms", one.own, one.path, one.ours, one.theirs, one.standing.request_id
        )
        said = body_difference.difference_as_text(told)
        if not one.may_be_sent:
            said += "; not sent again, as that would opt somebody in"
        if n < CASES:
            touches.append(Touch(one.code, f"sms:{one.own}", "", said, difference=told))
        else:
            touches.append(Touch(one.code, "second contacts", "", f"and more, all found by run {held.id}"))
        found.append(
            DriftFinding(
                kind="sms",
                id=one.own,
                store=one.standing.store,
                subject=one.standing.subject or "",
                code=one.code,
                cause=cause_of_code(one.code),
                detail=said,
                platform_says={"path": one.path} if one.path else None,
                repair=Repair.SEND if is_repaired and one.may_be_sent else None,
            )
        )
    findings.save_findings(tx, context.connection, held.id, found, now)
    cases.open_or_count(tx, context.connection, touches, now)
    if is_repaired:
        again = [
            (RecordKind.SMS, one.own, one.standing.desired) for one in bad if one.may_be_sent and one.standing.desired
        ]
        proof.requeue_unconfirmed(tx, context.connection, again, now)
