"""Write the `shopify.app.toml` of the merchant's own app: scopes, topics, privacy endpoints, API version.

https://shopify.dev/docs/apps/build/cli-for-apps/app-configuration
"""

import json
from collections.abc import Sequence

from msgspec import Struct

from isthmus.shopify.topics import COMPLIANCE, CONSENT_SCOPE, DELIVERY_SCOPES, HISTORY_SCOPE, SCOPES, SUBSCRIBED


class AppConfig(Struct, frozen=True):
    """What differs from app to app. `hook_url` is where webhooks go, `url` what the admin opens: the dashboard."""

    name: str
    client_id: str
    url: str
    hook_url: str
    api_version: str
    redirect_urls: tuple[str, ...] = ()
    reads_all_orders: bool = True


def render_app_config(app: AppConfig) -> str:
    """The whole file as text, ready for `shopify app deploy`.

    Deploying it owns the subscriptions, so Shopify never deletes them for failed deliveries.
    """
    scopes = sorted({*SCOPES, *DELIVERY_SCOPES, CONSENT_SCOPE, *((HISTORY_SCOPE,) if app.reads_all_orders else ())})
    return f"""\
# Written by `isthmus app-config`. Deploy with `shopify app deploy`.
client_id = {_text(app.client_id)}
name = {_text(app.name)}
application_url = {_text(app.url)}
embedded = false

[access_scopes]
# {HISTORY_SCOPE} must be requested in the app's settings first.
# {CONSENT_SCOPE} is for opt-outs made in Ometria; nothing else is written.
scopes = {_text(",".join(scopes))}

[auth]
redirect_urls = {_list(app.redirect_urls or (app.url,))}

[webhooks]
api_version = {_text(app.api_version)}

  [[webhooks.subscriptions]]
  topics = {_list(SUBSCRIBED)}
  uri = {_text(app.hook_url)}

  # The three privacy topics every app must answer: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
  [[webhooks.subscriptions]]
  compliance_topics = {_list(COMPLIANCE)}
  uri = {_text(app.hook_url)}
"""


def _text(value: str) -> str:
    # TOML's basic strings are JSON's, but for characters outside the basic plane, which stay as they are.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(values: Sequence[str]) -> str:
    return "[\n" + "".join(f"    {_text(value)},\n" for value in values) + "  ]"
