"""Look at Ometria: page through what it lists, and hold each record against what we desire."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from isthmus.drift import mask
from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.observations import KINDS, Observation, OutboxRow
from isthmus.flows import shared_properties
from isthmus.flows.read_budget import OVERLAP, PAGE, acquire_shared_read_slot
from isthmus.flows.reconcile import order_totals
from isthmus.flows.reconcile.run_context import RunContext
from isthmus.model.write import RecordKind
from isthmus.ometria.responses import decode_json, parse_time
from isthmus.outbox import plan
from isthmus.safety.earlier import encode, restrict_to_fields

OPTED_IN = "EXPLICITLY_OPTEDIN"
PLATFORM = "Ometria"
"""How Ometria is called among the sides that were read."""
CHANGED = ("dt_object_updated", "dt_object_observed", "dt_observed", "timestamp_update")
"""Where Ometria says when a record last changed, the surest first; an order says nothing of it."""


def scan_platform(held: RunContext, step: str, kind: str, cursor: str | None, n: int) -> int:
    """All of one kind that Ometria lists, or what changed there in the window; how many those are.

    Pages are by offset over a set that changes meanwhile, so a row can be skipped: absence is always confirmed by a
    reading of its own.
    """
    offset = int(cursor or 0)
    with held.db.transaction() as tx:
        total = drift.count_outbox_rows(tx, held.context.connection, KINDS[kind]) if held.asked.is_full else None
    while held.goes_on():
        acquire_shared_read_slot(held.db, held.context)
        at, first = held.now(), offset
        page = held.patiently(lambda: _page(held, kind, first))  # noqa: B023 - called at once
        named = {(KINDS[kind], str(item["id"])): item for item in page if item.get("id") is not None}
        is_last = len(page) < PAGE
        with held.db.transaction() as tx:
            known = drift.outbox_rows(tx, held.context.connection, list(named))
            rows = [observe_record(held, key, item, known.get(key), at) for key, item in named.items()]
            drift.insert_observations(tx, held.context.connection, held.id, "platform", rows)
            found = {own: item for (_, own), item in named.items()}
            shared_properties.save_foreign_properties(tx, held.context, RecordKind(KINDS[kind]), found, at, held.now())
            offset += len(page) if is_last else len(page) - OVERLAP
            n += len(page) if is_last else len(page) - OVERLAP
            held.note_read(PLATFORM, at)
            held.move(tx, step, str(offset), n, total)
        held.tell_step(step, n, total, is_done=is_last)
        if is_last:
            return n
    return n


def read_record(held: RunContext, kind: str, own: str) -> dict[str, Any] | None:
    """One record as Ometria has it now (`kind` in its words); None when it says that it has none."""
    acquire_shared_read_slot(held.db, held.context)
    context = held.context
    match kind:
        case "contact":
            return held.patiently(lambda: context.platform.contact(context.collection, own))
        case "order":
            return held.patiently(lambda: context.platform.order(own))
    return held.patiently(lambda: context.platform.product(own))


def observe_record(
    held: RunContext, key: tuple[str, str], item: Mapping[str, Any], known: OutboxRow | None, at: datetime
) -> Observation:
    """A record as Ometria has it, held against the write that we desire of it."""
    kind, own = key
    path: str | None = None
    says: dict[str, Any] | None = None
    would_opt_in = False
    before: bytes | None = None
    if known is None:
        # Under an id that only we give, or in the collection that is ours alone: somebody else's hand.
        path = "" if kind == "contact" or _looks_ours(held, own) else None
    elif known.body is not None:
        body = decode_json(held.context.packer.unpack(known.body))
        path = plan.first_difference(
            shared_properties.without_shared_properties(held.context, RecordKind(kind), body), item
        )
        would_opt_in = kind == "contact" and is_opting_in(body, item)
        if path is not None:
            says = {
                side: mask.mask_value(path, mask.value_at(it, path)) for side, it in (("theirs", item), ("ours", body))
            }
            before = held.context.packer.pack(encode(restrict_to_fields(body, item)))
    money: Mapping[str, Any] = {}
    if kind == "order":
        it = order_totals.totals_of_platform_record(item)
        money = {name: getattr(it, name) for name in it.__struct_fields__}
    number = known.subject.partition(":")[2] if known is not None and known.subject else ""
    return Observation(
        kind=kind,
        id=own,
        at=at,
        store=known.store if known else None,
        number=int(number) if number.isdecimal() else None,
        version=next((found for name in CHANGED if (found := parse_time(item.get(name)))), None),
        against=known.desired if known else None,
        path=path,
        says=says,
        name=_text(item.get("web_id")),
        seller=_text(item.get("store")) if kind == "order" else None,
        writer=_text(item.get("source")),
        would_opt_in=would_opt_in,
        before=before,
        **money,
    )


def is_opting_in(body: Mapping[str, Any], there: Mapping[str, Any] | None) -> bool:
    """Whether sending this contact would opt somebody in, by email or SMS, who is not opted in there."""
    theirs = there or {}
    by_email = body.get("marketing_optin") == OPTED_IN and theirs.get("marketing_optin") != OPTED_IN
    return by_email or (_sms(body) and not _sms(theirs))


def _page(held: RunContext, kind: str, offset: int) -> list[dict[str, Any]]:
    context, since = held.context, held.asked.since
    match kind:
        case "customer":
            return context.platform.contacts(context.collection, offset=offset, limit=PAGE, since=since)
        case "order":
            return context.platform.orders(offset=offset, limit=PAGE, since=since)
    return context.platform.products(offset=offset, limit=PAGE)


def _looks_ours(held: RunContext, own: str) -> bool:
    spaces = [shop.rules.namespace for shop in held.context.shops.values()]
    return any(space and own.startswith(space) and own.removeprefix(space).isdecimal() for space in spaces)


def _sms(record: Mapping[str, Any]) -> bool:
    channels = record.get("channels")
    sms = channels.get("sms") if isinstance(channels, Mapping) else None
    return isinstance(sms, Mapping) and sms.get("allow_marketing") is True


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
