"""How refunds and their transactions are written, in refunds/create and inside orders."""

from __future__ import annotations

from typing import Any

from sims.shopify.rest import lines, parts
from sims.shopify.state import NOTHING, Order, Refund, RefundLine, Store, Transaction, World, gid


def refund(world: World, store: Store, order: Order, one: Refund) -> dict[str, Any]:
    """Write a refund."""
    zone, currency, presentment = store.shop.iana_timezone, order.currency, order.presentment_currency
    back = next((each for each in order.returns if each.id == one.return_id), None)
    return {
        "id": one.id,
        "order_id": order.id,
        "created_at": parts.local(one.created_at, zone),
        "note": one.note,
        "user_id": None,
        "processed_at": parts.local(one.processed_at, zone),
        "duties": [],
        "total_duties_set": parts.bag(NOTHING, currency, presentment),
        "return": {"id": back.id, "admin_graphql_api_id": gid("Return", back.id)} if back else None,
        "refund_shipping_lines": [
            {
                "id": each.id,
                "shipping_line": {"id": each.shipping_line_id},
                "subtotal_amount_set": parts.bag(each.subtotal, currency, presentment),
                "tax_amount_set": parts.bag(each.tax, currency, presentment),
            }
            for each in one.shipping
        ],
        "restock": one.restock,
        "admin_graphql_api_id": gid("Refund", one.id),
        "order_adjustments": [
            {
                "id": each.id,
                "amount": parts.amount(each.amount.shop),
                "amount_set": parts.bag(each.amount, currency, presentment),
                "kind": "refund_discrepancy",
                "order_id": order.id,
                "reason": "Refund discrepancy",
                "refund_id": one.id,
                "tax_amount": parts.amount(each.tax_amount.shop),
                "tax_amount_set": parts.bag(each.tax_amount, currency, presentment),
            }
            for each in one.adjustments
        ],
        "refund_line_items": [_line(store, order, each) for each in one.lines],
        "transactions": [transaction(world, store, order, each) for each in one.transactions],
    }


def transaction(world: World, store: Store, order: Order, one: Transaction) -> dict[str, Any]:
    """Write a movement of money; whether in the customer's currency or the shop's is ASSUMED, so a switch decides."""
    zone = store.shop.iana_timezone
    in_shop = world.transactions_in_shop_money
    return {
        "id": one.id,
        "order_id": order.id,
        "kind": one.kind.lower(),
        "gateway": one.gateway,
        "status": one.status.lower(),
        "message": None,
        "created_at": parts.local(one.created_at, zone),
        "test": order.test,
        "authorization": None,
        "location_id": None,
        "user_id": None,
        "parent_id": one.parent_id,
        "processed_at": parts.local(one.processed_at, zone),
        "device_id": None,
        "error_code": None if one.status in ("SUCCESS", "PENDING") else "processing_error",
        "source_name": order.source_name,
        "receipt": {},
        "amount": parts.amount(one.amount.shop if in_shop else one.amount.presentment),
        "currency": order.currency if in_shop else order.presentment_currency,
        "payment_id": f"{order.name}.{one.id % 10}",
        "total_unsettled_set": {
            "presentment_money": {"amount": "0.0", "currency": order.presentment_currency},
            "shop_money": {"amount": "0.0", "currency": order.currency},
        },
        "manual_payment_gateway": one.gateway == "manual",
        "amount_rounding": None,
        "admin_graphql_api_id": gid("OrderTransaction", one.id),
    }


def _line(store: Store, order: Order, one: RefundLine) -> dict[str, Any]:
    currency, presentment = order.currency, order.presentment_currency
    line = next(each for each in order.lines if each.id == one.line_id)
    return {
        "id": one.id,
        "quantity": one.quantity,
        "line_item_id": one.line_id,
        "location_id": store.locations[0].id if one.restock_type != "NO_RESTOCK" else None,
        "restock_type": one.restock_type.lower(),
        "subtotal": float(one.subtotal.shop),
        "total_tax": float(one.total_tax.shop),
        "subtotal_set": parts.bag(one.subtotal, currency, presentment),
        "total_tax_set": parts.bag(one.total_tax, currency, presentment),
        "line_item": lines.slim(store, order, line),
    }
