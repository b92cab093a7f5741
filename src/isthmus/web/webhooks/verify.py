"""Who may speak for a shop: which connections a delivery is for, by its domain and by the secret that signed it."""

import hmac
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from isthmus.shopify import webhooks


class StoreSecret(Struct, frozen=True):
    """A store of a connection, as the webhook endpoint needs to know it."""

    connection: str
    store: str
    domain: str
    secret: str
    previous_secret: str | None = None


class VerifiedStore(Struct, frozen=True):
    """A connection and store that a delivery is for, and whether the secret that signed it is on its way out."""

    connection: str
    store: str
    is_previous: bool


class WebhookVerifier:
    """Everything the endpoint knows about who may call; immutable, and replaced as a whole when something changes.

    `past` are the (connection, secret) pairs ever used, good for the compliance topics alone, since Shopify sends those
    after everything else about a shop may be gone. `hook_secrets` are those of Ometria's automations, by connection.
    """

    def __init__(
        self,
        doors: Iterable[StoreSecret],
        past: Iterable[tuple[str, str]] = (),
        hook_secrets: Mapping[str, str] | None = None,
    ) -> None:
        domains: dict[str, list[StoreSecret]] = {}
        for door in doors:
            domains.setdefault(door.domain.lower(), []).append(door)
        self._domains = {domain: _Ring(found) for domain, found in domains.items()}
        self._everywhere = _Ring([door for found in domains.values() for door in found], past)
        self._hook_secrets = dict(hook_secrets or {})

    def knows(self, domain: str) -> bool:
        return domain in self._domains

    def open(self, domain: str, body: bytes, signature: str) -> list[VerifiedStore]:
        """The connections of a known domain whose secret signed this body; none if it was signed by nobody we know."""
        return self._domains[domain].open(body, signature)

    def open_for_compliance(self, domain: str, body: bytes, signature: str) -> list[VerifiedStore]:
        """As `open`, with every secret ever known; where the domain is not the secret's own, the store is empty."""
        matches = self._domains[domain].open(body, signature) if domain in self._domains else []
        if matches:
            return matches
        owners = {match.connection: match.is_previous for match in self._everywhere.open(body, signature)}
        stores = (
            {match.connection: match.store for match in self._domains[domain].all} if domain in self._domains else {}
        )
        return [VerifiedStore(connection, stores.get(connection, ""), old) for connection, old in owners.items()]

    def has_hook(self, connection: str) -> bool:
        return connection in self._hook_secrets

    def opens_hook(self, connection: str, secret: bytes) -> bool:
        """Whether this is the shared secret of the connection's Ometria automations; takes the same time for any."""
        return hmac.compare_digest(self._hook_secrets.get(connection, "").encode(), secret) and bool(secret)


class _Ring:
    """Distinct secrets, current ones first, each with what it opens: a body is hashed once per secret, not per door."""

    def __init__(self, doors: Sequence[StoreSecret], past: Iterable[tuple[str, str]] = ()) -> None:
        opens: dict[str, dict[str, VerifiedStore]] = {}
        for door in doors:
            opens.setdefault(door.secret, {})[door.connection] = VerifiedStore(
                door.connection, door.store, is_previous=False
            )
        for door in doors:
            if door.previous_secret:
                match = VerifiedStore(door.connection, door.store, is_previous=True)
                opens.setdefault(door.previous_secret, {}).setdefault(door.connection, match)
        for connection, secret in past:
            opens.setdefault(secret, {}).setdefault(connection, VerifiedStore(connection, "", is_previous=True))
        opens.pop("", None)
        self._secrets = tuple(opens)
        self._opens = [list(matches.values()) for matches in opens.values()]
        self.all = [match for matches in self._opens for match in matches]

    def open(self, body: bytes, signature: str) -> list[VerifiedStore]:
        found = webhooks.verify_signature(body, signature, self._secrets)
        return [] if found is None else self._opens[found]
