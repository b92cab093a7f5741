"""What a record was in Ometria before, in the fields that we send: a reading tells more than a push may say."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

encode = msgspec.json.Encoder(decimal_format="number").encode
"""A record as it is pushed: amounts are numbers."""


def restrict_to_fields(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Ometria's record in the fields of ours; instructions (@…) as ours has them, what it lacks cleared.

    Of lists each entry has the fields that any entry of ours has.
    """
    return {name: value if name.startswith("@") else _part(value, theirs.get(name)) for name, value in ours.items()}


def _part(ours: Any, theirs: Any) -> Any:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return restrict_to_fields(ours, theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        shape: dict[str, Any] = {}
        for one in ours:
            if isinstance(one, Mapping):
                shape |= one
        return [restrict_to_fields(shape, one) if isinstance(one, Mapping) and shape else one for one in theirs]
    if isinstance(ours, int | float | Decimal) and not isinstance(ours, bool) and isinstance(theirs, str):
        return _number(theirs)
    return theirs


def _number(text: str) -> Decimal | str:
    """Ometria writes amounts as texts, and takes them as numbers."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text
