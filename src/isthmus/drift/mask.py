"""What may be shown of a value on which two sides differ: everything but what names a person."""

import re
from decimal import Decimal
from typing import Any

PLAIN = frozenset(
    (
        "id",
        "web_id",
        "customer_id",
        "product_id",
        "variant_id",
        "sku",
        "status",
        "is_valid",
        "currency",
        "collection",
        "store",
        "store_ids",
        "country_id",
        "country_code",
        "marketing_optin",
        "force_optin",
        "timestamp",
        "timestamp_acquired",
        "timestamp_subscribed",
        "timestamp_unsubscribed",
        "dt_updated_marketing",
        "channel",
        "payment_method",
        "shipping_method",
        "coupon_code",
        "title",
        "url",
        "image_url",
        "type",
        "label",
        "parent_id",
        "fulfilment_status",
        "financial_status",
        "cancel_reason",
        "discount_codes",
        "locale",
        "account_state",
        "email_consent",
        "email_consent_at",
        "updated_at",
    )
)
"""Fields whose words name nobody; of any other text only its shape is shown."""

_DIGIT = re.compile(r"\d")


def mask_value(path: str, value: Any) -> Any:
    """A value found at a dotted path, fit for a report: numbers, flags and plain words as they are, the rest masked."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Decimal):
        return str(value)
    last = next((part for part in reversed(path.split(".")) if not part.isdigit()), "")
    if isinstance(value, str):
        return value if last in PLAIN and "@" not in value else mask_text(value)
    if isinstance(value, (list, tuple)):
        return f"{len(value)} of them"
    return "…"


def mask_text(text: str) -> str:
    """The look of a text that may name somebody: j***@e***.com, +44*******12, a***."""
    if "@" in text:
        user, _, domain = text.rpartition("@")
        name, dot, top = domain.rpartition(".")
        return f"{user[:1]}***@{name[:1]}***{dot}{top}"
    if text[:1] == "+" or len(_DIGIT.findall(text)) > len(text) / 2:
        return f"{text[:3]}{'*' * max(0, len(text) - 5)}{text[-2:]}" if len(text) > 5 else "***"
    return f"{text[:1]}***" if text else ""


def value_at(record: Any, path: str) -> Any:
    """What stands at a dotted path of a record; None where it has nothing there."""
    for part in path.split(".") if path else ():
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, (list, tuple)) and part.isdigit() and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record
