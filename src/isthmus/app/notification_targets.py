"""Where messages go: what `notify.url` may hold, and how two addresses are told apart without giving them away."""

import re
from hashlib import blake2b
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from isthmus.connections.secrets import is_reference, resolve_secret

# A comma may stand in an address; what follows the next one begins with a scheme or is a reference.
_BETWEEN = re.compile(r"\s*,\s*(?=(?:https?|mailto|smtps?|env|file):)")


class NotificationTarget(Struct, frozen=True):
    """Where messages go. `name` tells two addresses apart and gives neither away."""

    name: str
    scheme: str
    url: str

    def __repr__(self) -> str:
        return f"Address({self.name})"


def parse_targets(setting: str | None) -> list[NotificationTarget]:
    """The addresses behind `notify.url`: one or several with commas, each written out or as a reference.

    Raises BlockedError `integration.secret_missing` for a reference that leads nowhere, ValueError for what is no
    address; neither repeats it.
    """
    found = []
    for part in split_targets(setting or ""):
        text = resolve_secret(part, "notify.url").reveal() if is_reference(part) else part
        found += [_address(one) for one in split_targets(text)]
    return found


def split_targets(text: str) -> list[str]:
    """The parts of a setting that holds several."""
    return [part for part in _BETWEEN.split(text.strip()) if part]


def check_target(url: str) -> None:
    """Raise ValueError, in words that do not repeat it, unless something can be sent to an address."""
    parts = urlsplit("" if re.search(r"\s", url) else url)
    match parts.scheme:
        case "http" | "https" if parts.hostname:
            return
        case "mailto" if "@" in parts.path:
            return
        case "smtp" | "smtps" if parts.hostname:
            if not parse_qs(parts.query).get("to"):
                raise ValueError('a mail server needs a recipient: "smtp://host:587/?to=ops@example.com"')
            return
    raise ValueError('must be an address such as "https://host/path", "mailto:ops@example.com" or "smtp://host/?to=…"')


def _address(url: str) -> NotificationTarget:
    check_target(url)
    scheme = urlsplit(url).scheme
    return NotificationTarget(f"{scheme}:{blake2b(url.encode(), digest_size=4).hexdigest()}", scheme, url)
