"""The golden pairs: what went in, what must come out, and why, one folder per case.

`python tests/golden/golden_pairs.py` writes every out.json again; read the difference before you commit it.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from isthmus.customer_metrics.properties import calculate_metrics
from isthmus.mapping import contact, custom_event, order, product
from isthmus.mapping.rules import CUSTOM_EVENTS, STATUSES, Rules
from isthmus.model.checkout import Checkout
from isthmus.model.customer import Customer
from isthmus.model.lane import Lane
from isthmus.model.order import Order
from isthmus.model.order_totals import OrderTotalsRow
from isthmus.model.product import Product
from isthmus.model.service_hold import ServiceHoldState
from isthmus.model.shared_property import SharedProperty
from isthmus.model.write import Write

HERE = Path(__file__).parent
RULES: dict[str, Any] = {
    "store": "uk",
    "namespace": "uk:",
    "domain": "acme-uk.myshopify.com",
    "storefront_url": "https://acme.example",
    "currency": "GBP",
    "live_since": "2026-05-01T00:00:00Z",
    "hash_key": "a2V5",
    "contact_properties": ["tags"],
    "hold_for": {},
}


def cases() -> list[str]:
    return sorted(str(path.parent.relative_to(HERE)) for path in HERE.glob("*/*/in.json"))


def written(case: str) -> str:
    """What the mapping says of a case, laid out as out.json is."""
    given = msgspec.json.decode((HERE / case / "in.json").read_bytes())
    writes = _MAPS[case.partition("/")[0]](given, _rules(given.get("rules", {})))
    return "\n".join(_shown(write) for write in writes)


def expected(case: str) -> str:
    return (HERE / case / "out.json").read_text()


def _rules(changed: dict[str, Any]) -> Rules:
    names = {"statuses": dict.fromkeys(STATUSES), "event_names": dict.fromkeys(CUSTOM_EVENTS)}
    merged = {**RULES, **changed}
    for field, keys in names.items():
        if field in merged:
            merged[field] = {key: merged[field].get(key, key) for key in keys}
    return msgspec.convert(merged, Rules)


def _shown(write: Write) -> str:
    """One write; the body keeps its decimals as they are sent."""
    body = msgspec.Raw(write.body) if write.body else None
    shown = {name: getattr(write, name) for name in write.__struct_fields__ if name not in ("body", "sale", "ours")}
    for name in ("opts_in_sms", "opts_out", "forces", "is_retired"):
        if not shown[name]:
            del shown[name]
    if write.sale is not None:
        shown["sale"] = write.sale
    if write.ours is not None:
        shown["ours"] = write.ours
    return msgspec.json.format(msgspec.json.encode({**shown, "body": body}), indent=2).decode() + "\n"


def _order(given: dict[str, Any], rules: Rules) -> list[Write]:
    record = msgspec.convert(given["order"], Order)
    is_deleted = given.get("is_deleted", False)
    return [order.map_order(record, given["person"], rules, Lane.REALTIME, is_deleted=is_deleted)]


def _contact(given: dict[str, Any], rules: Rules) -> list[Write]:
    record = msgspec.convert(given["customer"], Customer)
    was_opted_in = given.get("was_opted_in", False)
    held = msgspec.convert(given.get("held", {}), SharedProperty)
    if "has_heir" in given:
        return [
            contact.map_retired_contact(
                record, given["person"], rules, Lane.REALTIME, was_opted_in=was_opted_in, has_heir=given["has_heir"]
            )
        ]
    return [
        contact.map_contact(
            record,
            given["person"],
            rules,
            Lane.REALTIME,
            hold=msgspec.convert(given.get("hold"), ServiceHoldState | None),
            worth=calculate_metrics(msgspec.convert(given.get("sales", []), list[OrderTotalsRow])),
            email_consent=record.email_consent,
            sms_consent=record.sms_consent,
            was_opted_in=was_opted_in,
            must_force=given.get("must_force", False),
            was_forced=given.get("was_forced", False),
            held=held,
        )
    ]


def _product(given: dict[str, Any], rules: Rules) -> list[Write]:
    record = msgspec.convert(given["product"], Product)
    if given.get("is_retired"):
        return product.map_removed_product(record, rules, Lane.REALTIME)
    if "before" in given:
        return product.map_removed_variants(msgspec.convert(given["before"], Product), record, rules, Lane.REALTIME)
    return product.map_product(record, rules, Lane.ENRICHMENT)


def _moment(given: dict[str, Any], rules: Rules) -> list[Write]:
    now = msgspec.convert(given["now"], datetime)
    if "checkout" in given:
        return [
            custom_event.event_of_checkout(msgspec.convert(given["checkout"], Checkout), given["person"], rules, now)
        ]
    lane = Lane(given.get("lane", "realtime"))
    was = msgspec.convert(given.get("was"), Order | None)
    placed = msgspec.convert(given["order"], Order)
    return custom_event.events_of_order(placed, rules, now, lane, was=was, person=given["person"])


_MAPS = {"contact": _contact, "moment": _moment, "order": _order, "product": _product}


if __name__ == "__main__":
    for case in cases():
        (HERE / case / "out.json").write_text(written(case))
    sys.stdout.write(f"{len(cases())} pairs written\n")
