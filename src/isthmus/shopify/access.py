"""What `connect` looks at: what the shop is, what it lets us do, and whether its webhooks find us."""

from datetime import date
from typing import Any

from msgspec import Struct

from isthmus.model.failure import RejectedError
from isthmus.shopify import documents
from isthmus.shopify.client import Shopify
from isthmus.shopify.topics import CONSENT_SCOPE, HISTORY_SCOPE, SCOPES, SUBSCRIBED, topic_enum_name
from isthmus.shopify.webhooks import Subscription, SubscriptionPlan, plan_subscriptions

COMPLIANCE = (
    "privacy requests (customers/data_request, customers/redact, shop/redact) cannot be subscribed to by API: name them"
    " as compliance_topics in the app's shopify.app.toml (isthmus app-config FILE prints it) and deploy it"
)
"""What subscriptions = "api" leaves to the app's own configuration."""


class Expected(Struct, frozen=True):
    """What the connection file says of a store. `uri` is where its webhooks should arrive; None when not public yet.
    `first_visible` is the day from which an app without the scope for all orders sees them.
    """

    domain: str
    currency: str
    uri: str | None = None
    is_subscribed_by_app: bool = True
    is_horizon_accepted: bool = False
    first_visible: date | None = None


class AccessFinding(Struct, frozen=True):
    """Something that is not as it should be. A blocking one would make us do wrong or nothing at all; one that
    `is_accepted` is as the connection file says.
    """

    code: str
    detail: str
    is_blocking: bool = True
    is_accepted: bool = False


class Access(Struct, frozen=True):
    """What was found. `plan` is what subscribing by the API would do; None when the app's configuration does it."""

    domain: str
    name: str
    currency: str
    presentment_currencies: tuple[str, ...]
    timezone: str
    scopes: tuple[str, ...]
    findings: tuple[AccessFinding, ...]
    plan: SubscriptionPlan | None = None
    visible_since: date | None = None
    """From which day on the app sees orders; None where it sees orders of any age, or where nobody asked."""

    @property
    def sees_all_orders(self) -> bool:
        return HISTORY_SCOPE in self.scopes


def inspect_access(shop: Shopify, expected: Expected) -> Access:
    """Compare a shop with what is expected of it; changes nothing. Raises what the client raises."""
    data = shop.graphql(documents.SHOP, {})
    found = data["shop"]
    scopes = tuple(sorted(scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]))
    listed = list_subscriptions(shop)
    todo = None
    if expected.uri is not None and not expected.is_subscribed_by_app:
        todo = plan_subscriptions(listed, expected.uri, SUBSCRIBED)
    return Access(
        domain=found["myshopifyDomain"],
        name=found["name"],
        currency=found["currencyCode"],
        presentment_currencies=tuple(found["enabledPresentmentCurrencies"]),
        timezone=found["ianaTimezone"],
        scopes=scopes,
        findings=(
            *_of_shop(found, expected),
            *_of_scopes(scopes, expected),
            *_of_version(shop, data["publicApiVersions"]),
            *_of_subscriptions(listed, expected, todo),
        ),
        plan=todo,
        visible_since=None if missing_scopes(scopes)[1] else expected.first_visible,
    )


def missing_scopes(scopes: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Scopes that the pipeline needs and that are not granted; and whether orders older than 60 days may be seen."""
    # A write scope includes its read scope: https://shopify.dev/docs/api/usage/access-scopes
    held = {*scopes, *("read_" + scope.removeprefix("write_") for scope in scopes if scope.startswith("write_"))}
    return tuple(scope for scope in SCOPES if scope not in held), HISTORY_SCOPE in held


def may_write_consent(scopes: tuple[str, ...]) -> bool:
    """Whether consent may be written to the shop."""
    return CONSENT_SCOPE in scopes


def list_subscriptions(shop: Shopify) -> list[Subscription]:
    """Every webhook subscription made through the API; those of an app configuration are not listed by Shopify."""
    found: list[Subscription] = []
    cursor: str | None = None
    while True:
        page = shop.graphql(documents.SUBSCRIPTIONS, {"after": cursor})["page"]
        found += [
            Subscription(
                id=node["id"],
                topic=node["topic"],
                uri=node["uri"],
                format=node["format"],
                filter=node["filter"] or None,
                include_fields=tuple(node["includeFields"]),
                api_version=node["apiVersion"]["handle"],
            )
            for node in page["nodes"]
        ]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        cursor = page["pageInfo"]["endCursor"]


def apply_subscription_plan(shop: Shopify, todo: SubscriptionPlan, uri: str) -> None:
    """Carry out a plan: create first, so that no topic is without a subscription meanwhile, then delete.

    Only what stands in the way of a creation goes before it.

    Raises RejectedError `integration.subscription_refused` with Shopify's own words, which name no person.
    """
    for gid in todo.first:
        _delete(shop, gid)
    for topic in todo.create:
        made = shop.graphql(documents.SUBSCRIBE, {"topic": topic_enum_name(topic), "uri": uri})
        try:
            _must(topic, made["webhookSubscriptionCreate"])
        except RejectedError:
            # Another process of ours may have been quicker since the plan was made; then the address is taken by us.
            if not any(
                (one.topic, one.uri) == (topic_enum_name(topic), uri) and one.is_whole
                for one in list_subscriptions(shop)
            ):
                raise
    for gid in todo.delete:
        if gid not in todo.first:
            _delete(shop, gid)


def _delete(shop: Shopify, gid: str) -> None:
    deleted = shop.graphql(documents.UNSUBSCRIBE, {"id": gid})
    try:
        _must(gid, deleted["webhookSubscriptionDelete"])
    except RejectedError:
        if any(one.id == gid for one in list_subscriptions(shop)):
            raise


def _must(what: str, payload: dict[str, Any] | None) -> None:
    errors = [str(error["message"]) for error in (payload or {}).get("userErrors", ())]
    if payload is None or errors:
        raise RejectedError("integration.subscription_refused", f"{what}: {'; '.join(errors) or 'no answer'}")


def _of_shop(found: dict[str, Any], expected: Expected) -> list[AccessFinding]:
    findings = []
    if found["myshopifyDomain"].lower() != expected.domain.lower():
        findings.append(AccessFinding("storefront.moved", f"the shop calls itself {found['myshopifyDomain']}"))
    if found["currencyCode"] != expected.currency:
        detail = f"the shop's currency is {found['currencyCode']}, the connection says {expected.currency}"
        findings.append(AccessFinding("integration.currency_differs", detail))
    return findings


def _of_scopes(scopes: tuple[str, ...], expected: Expected) -> list[AccessFinding]:
    missing, sees_history = missing_scopes(scopes)
    findings = [AccessFinding("storefront.scope_missing", ", ".join(missing))] if missing else []
    if not sees_history:
        since = f" from {expected.first_visible} on" if expected.first_visible else " of the last 60 days"
        detail = f"{HISTORY_SCOPE}: without it the app sees orders{since} only"
        is_accepted = expected.is_horizon_accepted
        detail += ', as orders.horizon = "60d" accepts' if is_accepted else ""
        findings.append(AccessFinding("storefront.scope_missing", detail, is_blocking=False, is_accepted=is_accepted))
    if not may_write_consent(scopes):
        detail = f"{CONSENT_SCOPE}: without it opt-outs made in Ometria are not written to the shop"
        findings.append(AccessFinding("storefront.scope_missing", detail, is_blocking=False))
    return findings


def _of_version(shop: Shopify, versions: list[dict[str, Any]]) -> list[AccessFinding]:
    supported = sorted(version["handle"] for version in versions if version["supported"])
    if shop.served_version not in (None, shop.api_version):
        detail = f"asked for {shop.api_version}, answered by {shop.served_version}; supported: {', '.join(supported)}"
        return [AccessFinding("storefront.api_version", detail)]
    if shop.api_version not in supported:
        detail = f"{shop.api_version} is not supported; {', '.join(supported)} are"
        return [AccessFinding("storefront.api_version", detail, is_blocking=False)]
    return []


def _of_subscriptions(
    listed: list[Subscription], expected: Expected, todo: SubscriptionPlan | None
) -> list[AccessFinding]:
    if expected.uri is None:
        return []
    if todo is not None:
        detail = f"{len(todo.create)} topics to subscribe, {len(todo.delete)} subscriptions to delete"
        is_done = not todo.create and not todo.delete
        findings = [] if is_done else [AccessFinding("integration.subscriptions_differ", detail, is_blocking=False)]
        return [
            *findings,
            AccessFinding("integration.subscriptions_differ", COMPLIANCE, is_blocking=False, is_accepted=True),
        ]
    doubled = sum(subscription.uri == expected.uri for subscription in listed)
    if not doubled:
        return []
    detail = f"{doubled} subscriptions made through the API come on top of the app's own: everything arrives twice"
    return [AccessFinding("integration.subscriptions_differ", detail, is_blocking=False)]
