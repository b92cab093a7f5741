"""List everything in the account that is not ours: resumable, in our share of the account's readings."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from isthmus.db.pool import Database, Tx
from isthmus.flows.context import ConnectionContext
from isthmus.flows.read_budget import OVERLAP, PAGE, acquire_shared_read_slot
from isthmus.flows.reconcile import order_totals
from isthmus.flows.reconcile.run_context import RunProgress
from isthmus.flows.takeover.id_mapping import hash_buyer
from isthmus.identity.foreign_match import Theirs, last_number_in, normalise_order_name
from isthmus.identity.sql import foreign
from isthmus.model.failure import TransientError
from isthmus.ometria.client import OmetriaClient
from isthmus.runs.sql import watermarks as runs

WAITS = tuple(timedelta(seconds=s) for s in (1, 3, 10, 30))
"""A page that is not answered is asked for again after these; then the listing stops, and goes on when asked again."""

KINDS = ("product", "order")
"""What is listed, in this order: an order's lines name products."""

ANYWHERE = ""
"""The store of marks that are about the whole account."""


def listing_mark(kind: str) -> str:
    return f"takeover:{kind}"


def is_listed(tx: Tx, connection: str) -> bool:
    """Whether the account was listed to its end."""
    marks = runs.load_watermarks(tx, connection)
    return all(
        (one := marks.get((ANYWHERE, listing_mark(kind)))) is not None and one.done_at is not None for kind in KINDS
    )


def list_account(
    db: Database, context: ConnectionContext, *, tell: Callable[[RunProgress], None] = lambda _: None
) -> None:
    """List products and orders again, or go on where a listing stopped. Raises what the client raises."""
    with db.transaction() as tx:
        marks = runs.load_watermarks(tx, context.connection)
        known = [marks.get((ANYWHERE, listing_mark(kind))) for kind in KINDS]
        if all(one is not None and one.done_at is not None for one in known):
            runs.restart_loads(tx, context.connection, ANYWHERE, [listing_mark(kind) for kind in KINDS])
        runs.create_watermarks(
            tx, context.connection, ANYWHERE, [listing_mark(kind) for kind in KINDS], context.clock.now()
        )
    for kind in KINDS:
        _list(db, context, kind, tell)


def parse_platform_record(kind: str, item: Mapping[str, Any], hash_key: bytes) -> Theirs:
    """A record as Ometria has it; nothing that names a person is kept."""
    own = str(item["id"])
    if kind == "product":
        return Theirs(id=own, number=last_number_in(own), is_variant=item.get("is_variant") is True)
    money = order_totals.totals_of_platform_record(item)
    customer = item.get("customer")
    buyer: Mapping[str, Any] = customer if isinstance(customer, Mapping) else {}
    email, customer_id, web_id = buyer.get("email"), buyer.get("id"), item.get("web_id")
    return Theirs(
        id=own,
        number=last_number_in(own),
        name=normalise_order_name(str(web_id)) if web_id is not None else None,
        who=hash_buyer(email, hash_key) if isinstance(email, str) else None,
        customer=last_number_in(str(customer_id)) if customer_id is not None else None,
        currency=money.currency,
        gross_mills=money.gross_mills,
        net_mills=money.net_mills,
        is_valid=money.is_valid,
        placed_at=money.placed_at,
    )


def read_page(platform: OmetriaClient, kind: str, offset: int, limit: int = PAGE) -> list[dict[str, Any]]:
    """One page of what the account holds of a kind, oldest first."""
    listed = platform.products if kind == "product" else platform.orders
    return listed(offset=offset, limit=limit)


def _list(db: Database, context: ConnectionContext, kind: str, tell: Callable[[RunProgress], None]) -> None:
    with db.transaction() as tx:
        held = runs.load_watermarks(tx, context.connection)[ANYWHERE, listing_mark(kind)]
    if held.done_at is not None or held.at is None:
        return
    offset, n, is_last = int(held.cursor or 0), held.n, False
    while not is_last:
        items = _patiently(db, context, kind, offset)
        rows = [parse_platform_record(kind, item, context.hash_key) for item in items if item.get("id") is not None]
        is_last = len(items) < PAGE
        step = len(items) if is_last else len(items) - OVERLAP
        offset, n, now = offset + step, n + step, context.clock.now()
        with db.transaction() as tx:
            foreign.upsert_foreign_records(tx, context.connection, kind, rows, now)
            if is_last:
                foreign.delete_unseen(tx, context.connection, kind, held.at)
            runs.save_cursor(
                tx, context.connection, ANYWHERE, listing_mark(kind), None if is_last else str(offset), step, now
            )
        tell(RunProgress(f"Ometria's {kind}s", n, None, is_done=is_last))


def _patiently(db: Database, context: ConnectionContext, kind: str, offset: int) -> list[dict[str, Any]]:
    for wait in WAITS:
        acquire_shared_read_slot(db, context)
        try:
            return read_page(context.platform, kind, offset)
        except TransientError as failure:
            context.clock.wait(max(wait, failure.retry_after or timedelta()).total_seconds())
    acquire_shared_read_slot(db, context)
    return read_page(context.platform, kind, offset)
