"""What goes over the wire for one change of state, or for many at once (docs/howto/notifications.md has the shape)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from isthmus.notifications.transitions import AlertChange

STORM = 10
"""More changes than this at once become one message."""

LISTED = 50
"""How many of them such a message lists."""


class Notice(Struct, frozen=True):
    """One change of state that was noted. `took` names the addresses that have it already."""

    connection: str
    id: int
    key: str
    state: AlertChange
    at: datetime
    body: dict[str, Any]
    attempts: int
    took: list[str]


def build_messages(notices: Sequence[Notice]) -> list[dict[str, Any]]:
    """The messages that tell of these changes of one connection, oldest first."""
    digests = [single_message(notice) for notice in notices if notice.state is AlertChange.DIGEST]
    changes = [single_message(notice) for notice in notices if notice.state is not AlertChange.DIGEST]
    return [*(changes if len(changes) <= STORM else [summary_message(changes)]), *digests]


def single_message(notice: Notice) -> dict[str, Any]:
    """The message that tells of one change; its id is the same however often it is sent."""
    body = {name: value for name, value in notice.body.items() if value not in (None, "", [])}
    head = {
        "id": f"{notice.connection}-{notice.id}",
        "at": wire_time(notice.at),
        "connection": notice.connection,
        "key": notice.key,
        "state": notice.state.value,
    }
    return {**head, "text": body.pop("text", None) or message_sentence(notice.connection, notice.state, body), **body}


def summary_message(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One message for many changes, which lists the first of them."""
    first, last = found[0], found[-1]
    listed = found[:LISTED]
    lines = [f"{first['connection']}: {len(found)} changes at once", *(message["text"] for message in listed)]
    if len(found) > len(listed):
        lines.append(f"and {len(found) - len(listed)} more")
    return {
        "id": f"{first['id']}-{last['id'].rpartition('-')[2]}",
        "at": last["at"],
        "connection": first["connection"],
        "key": "many",
        "state": "changed",
        "what": "many",
        "text": "\n".join(lines),
        "n": len(found),
        "items": listed,
    }


def message_sentence(connection: str, state: AlertChange, body: dict[str, Any]) -> str:
    """What happened, in one line that a person reads on a telephone."""
    name = f"{connection}, {body['store']}" if body.get("store") else connection
    text = f"{name}: {state.value}: {body.get('title', '')}".rstrip(": ")
    if body.get("what") == "case" and body.get("n", 1) != 1:
        text += f" ({body['n']:,} of it)"
    beside = ", ".join(str(body[part]) for part in ("severity", "owner") if body.get(part))
    if beside:
        text += f" [{beside}]"
    if state is AlertChange.OPENED and body.get("remedy"):
        text += f". {body['remedy']}"
    return text


def wire_time(at: datetime) -> str:
    """A time as it goes over the wire: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
