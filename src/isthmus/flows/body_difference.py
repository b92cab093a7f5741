"""What a case of a difference shows: both values, the push that sent ours, the store and the order's name."""

from collections.abc import Mapping
from typing import Any

import msgspec

from isthmus.cases.sql.cases import Touch
from isthmus.drift.mask import mask_value
from isthmus.drift.mask import value_at as at_path
from isthmus.flows.context import ConnectionContext
from isthmus.model.write import RecordKind


def describe_write_difference(
    context: ConnectionContext,
    kind: str,
    own: str,
    path: str | None,
    ours: Mapping[str, Any] | None,
    theirs: Mapping[str, Any] | None,
    request_id: str | None,
) -> dict[str, Any]:
    """Of a platform record: what we sent and what Ometria has at the path where they differ, masked where it names
    somebody. Without a path Ometria has no such record.
    """
    told: dict[str, Any] = {"store": store_of_id(context, own)}
    if kind == "order" and ours and isinstance(name := ours.get("web_id"), str):
        told["order"] = name
    if path:
        told |= {
            "at": path,
            "sent": mask_value(path, at_path(ours, path)),
            "ometria_has": mask_value(path, at_path(theirs, path)),
        }
    elif theirs is None:
        told["ometria_has"] = "no such record"
    told["request_id"] = request_id
    return {name: value for name, value in told.items() if value is not None or name in ("sent", "ometria_has")}


def describe_refusal(
    context: ConnectionContext, kind: RecordKind, own: str, body: bytes, code: str, detail: str, request_id: str | None
) -> Touch:
    """The case of a platform record that was refused: what was said of it, the store, the order's name, the push."""
    sent = msgspec.json.decode(body)
    told: dict[str, Any] = {"store": store_of_id(context, own)}
    if kind is RecordKind.ORDER and isinstance(name := sent.get("web_id"), str):
        told["order"] = name
    told = {name: value for name, value in (told | {"request_id": request_id}).items() if value is not None}
    return Touch(
        code, f"{kind}:{own}", "", "; ".join(filter(None, (detail, difference_as_text(told)))), difference=told
    )


def store_of_id(context: ConnectionContext, own: str) -> str | None:
    """The store whose namespace a platform id begins with, the longest of several."""
    fitting = [shop for shop in context.shops.values() if own.startswith(shop.rules.namespace)]
    return max(fitting, key=lambda shop: len(shop.rules.namespace)).name if fitting else None


def difference_as_text(told: Mapping[str, Any]) -> str:
    """The same as one line, which begins with the place of the difference."""
    sides = [f"{label} {_shown(told[name])}" for name, label in _SIDES.items() if name in told]
    words = [f"at {told['at']}: {', '.join(sides)}" if "at" in told else ", ".join(sides)] if sides else []
    words += [f"{label} {told[name]}" for name, label in _LABELS.items() if told.get(name)]
    return "; ".join(words)


_SIDES = {
    "store_has": "the shop has",
    "we_have": "we have",
    "desired": "desired",
    "mapped": "the rules make",
    "sent": "sent",
    "ometria_has": "Ometria has",
}
_LABELS = {"order": "order", "store": "store", "request_id": "request"}


def _shown(value: Any) -> str:
    return "nothing" if value is None else str(value)
