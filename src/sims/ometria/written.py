"""What a stored object is after a push: replaced, or merged field by field.

Sources: https://support.ometria.com/support/solutions/articles/7000045353-merge (@merge copies what is not set),
https://support.ometria.com/hc/en-gb/articles/360011617238 (a partial record is merged: the `lenient` switch),
https://ometria-api-reference.readme.io/docs/orders-endpoint (orders whole). What clears a field is a switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sims.ometria.switches import Switches
from sims.ometria.validate import OPTED_IN, OPTED_OUT

COMMANDS = ("@merge", "@add_to_lists", "@remove_from_lists")
_TRUTH = {True: OPTED_IN, False: OPTED_OUT}
_FREE = ("@type", "@profile_id")


def over(
    before: Mapping[str, Any] | None, sent: Mapping[str, Any], switches: Switches, known: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the object that results from `sent` on top of `before`: shallow, arrays and objects taken whole."""
    by_default = switches.merge_default == "lenient" and switches.clear != "omit"
    is_merge = sent.get("@type") != "custom_event" and sent.get("@merge", by_default) is True
    record = dict(before) if before is not None and is_merge else {}
    for name, value in sent.items():
        if name in COMMANDS or (switches.unknown_keys == "ignore" and name not in known and name not in _FREE):
            continue
        if _clears(value, switches):
            record.pop(name, None)
        elif value is not None:
            record[name] = value
        elif before is not None and name in before:
            record[name] = before[name]
    chosen = record.get("marketing_optin")
    if isinstance(chosen, bool):
        record["marketing_optin"] = _TRUTH[chosen]
    return record


def _clears(value: Any, switches: Switches) -> bool:
    return (value is None and switches.clear == "null") or (value == "" and switches.clear == "empty")
