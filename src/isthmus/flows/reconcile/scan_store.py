"""Look at a store: page through what it lists, and hold each record against ours."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from isthmus.drift.sql import observations as drift
from isthmus.drift.sql.observations import KINDS, Observation
from isthmus.flows.context import ShopContext
from isthmus.flows.reconcile import order_totals
from isthmus.flows.reconcile.run_context import UNLOADED, Blind, RunContext
from isthmus.mapping import order as orders
from isthmus.model.customer import Customer
from isthmus.model.order import Order
from isthmus.model.product import Product
from isthmus.records.sql import store as records
from isthmus.records.sql.store import StoredRecord
from isthmus.runs.sql import watermarks as runs
from isthmus.runs.sql.watermarks import HistoryCoverage
from isthmus.shopify.parse.listing_node import ListedRecord

CONSENT = "email_consent"
"""The path of a difference about consent."""


def scan_store(held: RunContext, step: str, store: str, kind: str, cursor: str | None, n: int) -> int:
    """All of one kind that a store lists, or what changed there in the window; how many those are."""
    shop, context = held.context.shops[store], held.context
    with held.db.transaction() as tx:
        history = runs.history_coverage(tx, context.connection, store, kind)
    if not history.is_loaded:
        held.blind.append(Blind("store", store, kind, UNLOADED))
        return n
    total = held.patiently(lambda: shop.reader.count(kind)) if held.asked.is_full else None
    while held.goes_on():
        at, after = held.now(), cursor
        page = held.patiently(lambda: shop.reader.tallies(kind, after, held.asked.since))  # noqa: B023 - called at once
        with held.db.transaction() as tx:
            keys = [(kind, store, str(tally.id)) for tally in page.listed]
            known = records.load_records(tx, context.connection, keys, context.packer)
            rows = [
                _seen(shop, kind, tally, kept, at)
                for tally in page.listed
                if (kept := known.get((kind, store, str(tally.id)))) is not None or _is_ours_to_know(tally, history)
            ]
            drift.insert_observations(tx, context.connection, held.id, "store", rows)
            held.note_before_history(store, kind, len(page.listed) - len(rows))
            n += len(page.listed)
            held.note_read(store, at)
            held.move(tx, step, page.cursor, n, total)
        held.tell_step(step, n, total, is_done=page.cursor is None)
        if page.cursor is None:
            return n
        cursor = page.cursor
    return n


def first_difference(tally: ListedRecord, kept: StoredRecord | None) -> str | None:
    """Where a store's listing tells of something that we missed; "" for a record that we do not have."""
    if kept is None or kept.record is None:
        return ""
    is_current = isinstance(kept.record, Customer) and tally.updated_at >= kept.updated_at
    # Named first whatever else changed: a statement about consent has no more than the grace period.
    if is_current and isinstance(kept.record, Customer) and _of_consent(tally, kept.record):
        return CONSENT
    if tally.updated_at != kept.updated_at:
        return "updated_at" if tally.updated_at > kept.updated_at else None
    match kept.record:
        case Order() as order:
            return _of_order(tally, order)
        case Customer() as customer:
            return _of_customer(tally, customer)
        case Product() as product:
            if tally.status != product.status:
                return "status"
            has_other = tally.n_variants is not None and product.is_whole and tally.n_variants != len(product.variants)
            return "variants" if has_other else None
    return None


def describe_listed(kind: str, tally: ListedRecord, shop: ShopContext) -> dict[str, Any]:
    """A listed record for people to read, naming nobody."""
    told: dict[str, Any] = {"updated_at": tally.updated_at.isoformat()}
    match kind:
        case "order":
            told |= order_totals.totals_of_listing(tally, shop.rules).said()
        case "customer":
            consent_at = tally.consent_at.isoformat() if tally.consent_at else None
            told |= {"has_email": tally.has_email, "email_consent": tally.consent, "email_consent_at": consent_at}
        case "product":
            told |= {"status": tally.status, "variants": tally.n_variants}
    return told


def describe_stored(kept: StoredRecord | None, shop: ShopContext) -> dict[str, Any] | None:
    """The same of our record; None where we have none."""
    if kept is None:
        return None
    told: dict[str, Any] = {"updated_at": kept.updated_at.isoformat()}
    match kept.record:
        case None:
            told["deleted"] = True
        case Order() as order:
            told |= order_totals.totals_of_order(order, shop.rules).said()
        case Customer() as customer:
            consent = customer.email_consent
            told |= {
                "has_email": customer.email is not None,
                "email_consent": consent.state if consent else None,
                "email_consent_at": consent.updated_at.isoformat() if consent and consent.updated_at else None,
            }
        case Product() as product:
            told |= {"status": product.status, "variants": len(product.variants)}
    return told


def _is_ours_to_know(tally: ListedRecord, history: HistoryCoverage) -> bool:
    """Whether a record that we never heard of should be known: not one from before the history that was loaded."""
    if history.since is None or tally.created_at >= history.since:
        return True
    return history.asked_at is not None and tally.updated_at >= history.asked_at


def _of_order(tally: ListedRecord, order: Order) -> str | None:
    if (tally.cancelled_at is None) != (order.cancelled_at is None):
        return "cancelled_at"
    if tally.financial_status != order.financial_status:
        return "financial_status"
    net = tally.net_payment if tally.financial_status in orders.PAID else tally.current_total
    return "net" if order_totals.to_mills(net) != order_totals.to_mills(orders.net_revenue(order)) else None


def _of_customer(tally: ListedRecord, customer: Customer) -> str | None:
    if not customer.is_read:
        return None
    return "email" if tally.has_email != (customer.email is not None) else None


def _of_consent(tally: ListedRecord, customer: Customer) -> str | None:
    """Consent is only missed when the shop's is the later one: a statement of ours may be newer than the reading."""
    if not customer.is_read:
        return None
    consent = customer.email_consent
    if tally.consent is None or (consent is not None and consent.state == tally.consent):
        return None
    ours_at = consent.updated_at if consent else None
    return CONSENT if ours_at is None or _is_later(tally.consent_at, ours_at) else None


def _is_later(theirs: datetime | None, ours: datetime) -> bool:
    return theirs is not None and theirs > ours


def _seen(shop: ShopContext, kind: str, tally: ListedRecord, kept: StoredRecord | None, at: datetime) -> Observation:
    money: Mapping[str, Any] = {}
    if kind == "order":
        it = order_totals.totals_of_listing(tally, shop.rules)
        money = {name: getattr(it, name) for name in it.__struct_fields__}
    path = first_difference(tally, kept)
    return Observation(
        kind=KINDS[kind],
        id=f"{shop.rules.namespace}{tally.id}",
        at=at,
        store=shop.name,
        number=tally.id,
        version=tally.updated_at,
        path=path,
        says=None
        if path is None
        else {"theirs": describe_listed(kind, tally, shop), "ours": describe_stored(kept, shop)},
        name=tally.name,
        is_test=tally.is_test,
        **money,
    )
