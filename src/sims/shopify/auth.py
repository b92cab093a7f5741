"""Access tokens of a store's app: granted for client credentials, valid 24 hours, revocable.

https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from sims.shopify import access
from sims.shopify.state import Shop
from sims.wire import Request, Response, json_response

EXPIRES_IN = 86_399
"""Seconds a client-credentials token lives, as documented."""

INVALID_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Token:
    """What a token opens, and until when; a static token has no end."""

    shop: str
    expires_at: datetime | None


@dataclass(slots=True)
class Tokens:
    """Every token handed out; kept by value."""

    rng: random.Random
    known: dict[str, Token] = field(default_factory=dict)

    def grant(self, shop: Shop, now: datetime, lifetime: int | None = EXPIRES_IN) -> str:
        """Hand out a new token for a shop; `lifetime` in seconds, None for one that never expires."""
        value = f"shpat_{self.rng.getrandbits(128):032x}"
        self.known[value] = Token(shop.domain, now + timedelta(seconds=lifetime) if lifetime is not None else None)
        return value

    def opens(self, value: str, shop: Shop, now: datetime) -> bool:
        """Say whether a token is good for a shop now."""
        token = self.known.get(value)
        if token is None or token.shop != shop.domain or not shop.is_installed:
            return False
        return token.expires_at is None or now < token.expires_at

    def revoke(self, domain: str | None = None) -> int:
        """Forget the tokens of one shop, or of all; returns how many."""
        gone = [value for value, token in self.known.items() if domain in (None, token.shop)]
        for value in gone:
            del self.known[value]
        return len(gone)


def exchange(tokens: Tokens, shop: Shop, request: Request, scopes: frozenset[str], now: datetime) -> Response:
    """Answer `POST /admin/oauth/access_token`, with a JSON or a form body."""
    form = _form(request)
    if form is None:
        return _refuse("invalid_request", "The request body could not be read.")
    secrets = (shop.client_secret, shop.old_client_secret)  # either, while one is rotated: ASSUMED
    if form.get("client_id") != shop.client_id or form.get("client_secret", "") not in secrets:
        return _refuse("invalid_client", "The client credentials are invalid.")
    if not shop.is_installed:
        return _refuse("app_not_installed", "The app is not installed on this shop.")
    if form.get("grant_type") != "client_credentials":
        return _refuse("unsupported_grant_type", "The grant type is not supported.")
    token = tokens.grant(shop, now)
    return json_response({"access_token": token, "scope": ",".join(sorted(scopes)), "expires_in": EXPIRES_IN})


def list_scopes(scopes: frozenset[str]) -> Response:
    """Answer `GET /admin/oauth/access_scopes.json`."""
    return json_response({"access_scopes": [{"handle": handle} for handle in access.handles(scopes)]})


def invalid_token() -> Response:
    """Answer a call whose token is missing, unknown, revoked or expired."""
    return json_response({"errors": INVALID_TOKEN}, 401)


def _form(request: Request) -> dict[str, Any] | None:
    if "json" in request.headers.get("content-type", ""):
        try:
            body = request.json()
        except msgspec.DecodeError:
            return None
        return body if isinstance(body, dict) else None
    try:
        return dict(parse_qsl(request.body.decode()))
    except UnicodeDecodeError:
        return None


def _refuse(error: str, description: str) -> Response:
    # The error names are documented; the texts and the status 400 are ASSUMED.
    return json_response({"error": error, "error_description": description}, 400)
