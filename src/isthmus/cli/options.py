"""What people type, understood: record ids, times, files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.kit import duration
from isthmus.kit.config_errors import ConfigError, UnknownError

if TYPE_CHECKING:
    from isthmus.app.context import App


def parse_number(text: str, option: str) -> int:
    """A Shopify id, also as a global id or behind the namespace that Ometria knows it by."""
    last = text.strip().rpartition("/")[2].partition("?")[0].rpartition(":")[2]
    if not last.isdecimal():
        raise ConfigError(f"{option}: {text!r} is no Shopify id; write its number")
    return int(last)


def parse_order(app: "App", name: str, text: str, option: str = "--order") -> int:
    """An order's number by what people call it: #1009 or 1009, or an id as `number` takes it.

    ConfigError where several stores have an order of that name, or where the text is neither.
    """
    from isthmus.ops import order_names

    bare = text.strip()
    is_id = bare.rpartition("/")[2].partition("?")[0].rpartition(":")[2].isdecimal() and not bare.startswith("#")
    if is_id and order_names.is_number_known(app.db, name, "order", parse_number(text, option)):
        return parse_number(text, option)
    found = order_names.orders_by_name(app.db, name, bare)
    if len(found) > 1:
        ids = ", ".join(f"{own} in {store}" for store, own in found)
        raise ConfigError(f"{option}: {text!r} is the name of several orders: {ids}; give one of these ids")
    if found:
        return found[0][1]
    if bare.startswith("#"):
        raise UnknownError(f"Nothing is known of order {bare}.")
    if not is_id:
        raise ConfigError(f"{option}: there is no order {text!r}; write its name (#1009) or its Shopify id")
    return parse_number(text, option)


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """A date, a time, or how long ago: 2026-11-23, 2026-11-23T09:00, 2h. Nothing has changed since a time to come."""
    try:
        return now - timedelta(seconds=duration.parse_duration(text).total_seconds())
    except ValueError:
        pass
    except OverflowError:
        raise ConfigError(f"{option}: {text!r} is longer ago than there are dates") from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f'{option}: {text!r} must be like "2h", "2026-11-23" or "2026-11-23T09:00"') from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now:
        until = f"{now.astimezone(UTC):%Y-%m-%dT%H:%M} (UTC)"
        raise ConfigError(f"{option}: {text!r} is in the future; give a time before {until}")
    return at


def require_parent_folder(*files: Path | None) -> None:
    """Refuse a file that could not be written when the work is done; ConfigError names it."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise ConfigError(f"{file}: there is no folder {file.absolute().parent}")
