"""Whether a delivery that asks a person to act can be what its topic says.

The signature covers the body and not the headers, so that a captured body can be sent again under any topic, and in
the name of any shop that shares the app's secret. What asks for an erasure, or says that the app is gone, must have
the shape of that and name the shop that it is counted for.
https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from typing import Any

from isthmus.shopify.parse import lenient

_ABOUT = frozenset({"shop_id", "shop_domain"})

_NEEDED = {
    "customers/data_request": _ABOUT | {"customer"},
    "customers/redact": _ABOUT | {"customer"},
    "shop/redact": _ABOUT,
    "app/uninstalled": frozenset({"id", "myshopify_domain"}),
}

_STRANGE = {
    "customers/data_request": frozenset({"orders_to_redact"}),
    "customers/redact": frozenset({"orders_requested", "data_request"}),
    "shop/redact": frozenset({"customer", "orders_to_redact", "orders_requested", "data_request"}),
    "app/uninstalled": frozenset({"customer", "line_items"}),
}
"""Keys that another of these topics has and this one has not."""

_PRIVACY = frozenset().union(*(_NEEDED[topic] | _STRANGE[topic] for topic in _NEEDED if topic != "app/uninstalled"))
"""All keys of the bodies of privacy topics."""


_NAMES_SHOP = {topic: "myshopify_domain" if topic == "app/uninstalled" else "shop_domain" for topic in _NEEDED}


def is_of_another_topic(topic: str, body: bytes) -> bool:
    """Whether a body is certainly that of another topic. One that cannot be read, or names nothing, may be of any: a
    duty is never lost for that."""
    if topic not in _NEEDED or (found := _read(body)) is None:
        return False
    keys = set(found)
    if keys == _ABOUT:
        return topic != "shop/redact"
    if _NEEDED[topic] <= keys:
        return bool(keys & _STRANGE[topic])
    return bool(keys - (_PRIVACY if topic != "app/uninstalled" else _NEEDED[topic]))


def is_of_another_shop(topic: str, body: bytes, domain: str) -> bool:
    """Whether a body names a shop, and not the one of this permanent domain."""
    if topic not in _NEEDED or (found := _read(body)) is None:
        return False
    named = found.get(_NAMES_SHOP[topic])
    return isinstance(named, str) and bool(named) and named.strip().lower() != domain.lower()


def _read(body: bytes) -> dict[str, Any] | None:
    """The body where it is an object that can be read."""
    try:
        found: Any = lenient.load_json(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
