"""Read a connection as another version of isthmus stored it: with every key that it had then, not only those that its
file names.
"""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from isthmus.connections.config import ConnectionConfig
from isthmus.kit.config_errors import first_error
from isthmus.model.failure import BlockedError

CODE = "integration.connection_unusable"

RENAMED: Mapping[tuple[str, str], str] = MappingProxyType({("reconcile", "grace"): "grace_period"})
"""Keys of earlier versions (section, key), and what they are called now."""


def read_stored_connection(name: str, data: Any) -> ConnectionConfig:
    """The connection in what the database holds. Raises BlockedError where this version cannot use it.

    A key that has another name now keeps its value; one that this version does not know is left out: a later version
    that only added to the schema may have stored it, and works on it beside us.
    """
    known = deepcopy(data)
    for (section, former), now in RENAMED.items():
        part = known.get(section) if isinstance(known, dict) else None
        if isinstance(part, dict) and former in part:
            value = part.pop(former)
            part.setdefault(now, value)
    try:
        return ConnectionConfig.model_validate(known)
    except ValidationError as error:
        failure = error
    for found in failure.errors(include_input=False, include_url=False):
        if found["type"] == "extra_forbidden":
            _leave_out(known, found["loc"])
    try:
        return ConnectionConfig.model_validate(known)
    except ValidationError as error:
        why = first_error(error, ConnectionConfig)
        raise BlockedError(
            CODE, f"connection {name} as it is stored: {why}; put it right in its file and run `isthmus connect FILE`"
        ) from None


def stored_stores(data: Any) -> list[tuple[str, str, str, str | None]]:
    """Name, domain, secret and previous secret of every store, as references: webhooks are taken for a connection that
    nothing else can be done for."""
    found = []
    for store in _part(data, "stores", list):
        if isinstance(store, dict):
            name, domain, secret = (store.get(key) for key in ("name", "domain", "client_secret"))
            if isinstance(name, str) and isinstance(domain, str) and isinstance(secret, str):
                previous = store.get("previous_client_secret")
                found.append((name, domain, secret, previous if isinstance(previous, str) else None))
    return found


def stored_hook_secret(data: Any) -> str | None:
    """The reference of the secret that calls of Ometria's automations carry."""
    secret = _part(data, "ometria", dict).get("hook_secret")
    return secret if isinstance(secret, str) else None


def stored_takeover(data: Any) -> str | None:
    """What was decided about another writer."""
    decided = _part(data, "connection", dict).get("takeover")
    return decided if isinstance(decided, str) else None


def _part(data: Any, key: str, form: type[Any]) -> Any:
    part = data.get(key) if isinstance(data, dict) else None
    return part if isinstance(part, form) else form()


def _leave_out(data: Any, path: tuple[int | str, ...]) -> None:
    for step in path[:-1]:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        data.pop(path[-1], None)
