"""Everything that can go wrong, one row each: what it is, which layer is at fault, who acts, and what they do."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct


class Cause(StrEnum):
    """The layer at fault."""

    STOREFRONT = "storefront"
    INTEGRATION = "integration"
    PLATFORM = "platform"


class Owner(StrEnum):
    """Who can end it."""

    STORE = "store team"
    OPERATOR = "integration operator"
    PLATFORM = "platform team"
    PRIVACY = "privacy officer"


class Severity(StrEnum):
    """How soon: urgent wakes somebody, high is today's work, normal this week's, low is good to know."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Row(Struct, frozen=True, kw_only=True):
    """One kind of case. `due_days` is set where a law sets a date, counted from the first report."""

    code: str
    title: str
    cause: Cause
    owner: Owner
    severity: Severity
    remedy: str
    due_days: int | None = None

    @property
    def runbook(self) -> str:
        """Where the steps are, below the root of the project."""
        return f"docs/runbooks/{self.code}.md"


def row(code: str) -> Row:
    """The row of a code. One that nobody entered is our own mistake and still makes a case."""
    return CATALOGUE.get(code) or Row(
        code=code,
        title="A failure without a catalogue row",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Treat it as internal.bug and report the code to whoever maintains isthmus.",
    )


_STOREFRONT = (
    Row(
        code="storefront.unreadable_body",
        title="A webhook body cannot be read",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Let the next poll read the record, and report the topic if its shape has changed.",
    ),
    Row(
        code="storefront.unreadable_record",
        title="A record read from Shopify cannot be understood",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Look at the record in the Shopify admin, mend the field that the case names, then replay it.",
    ),
    Row(
        code="storefront.access_denied",
        title="Shopify refuses a reading that the road needs",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.HIGH,
        remedy="Release a version of the app with the scope that the case names and let the store accept it.",
    ),
    Row(
        code="storefront.bulk_failed",
        title="Shopify could not write a part of the history",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Run the backfill again when Shopify is well; report the span named here to Shopify if it stays.",
    ),
    Row(
        code="storefront.merge_failed",
        title="The shop could not merge two customers",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.LOW,
        remedy="See in the Shopify admin what stands in the way of merging the two, or leave them as they are.",
    ),
    Row(
        code="storefront.token_refused",
        title="Shopify no longer accepts our credentials",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.URGENT,
        remedy="Check that the app is installed, put the current client secret or token in place, and resume.",
    ),
    Row(
        code="storefront.shop_closed",
        title="The shop is closed, frozen or locked",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.URGENT,
        remedy="Have the shop's owner settle its state with Shopify, then resume the connection.",
    ),
    Row(
        code="storefront.protected_data_missing",
        title="The app is not approved to see customer data",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.URGENT,
        remedy="Request protected customer data access, level 2, in the app's settings and wait for approval.",
    ),
    Row(
        code="storefront.scope_missing",
        title="The app lacks a scope",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.HIGH,
        remedy="Deploy the configuration that app-config prints and let the store accept the new scopes.",
    ),
    Row(
        code="storefront.app_uninstalled",
        title="The app was uninstalled from the shop",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.URGENT,
        remedy="Ask the store whether it was meant; if not, install the app again, connect, and resume.",
    ),
    Row(
        code="storefront.api_version",
        title="Shopify answers with another API version",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Move the store's api_version, and the app's webhook version, to one that Shopify supports.",
    ),
    Row(
        code="storefront.unavailable",
        title="Shopify could not be reached for long",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Wait for Shopify to recover: what waits is tried again every few minutes, by itself.",
    ),
    Row(
        code="storefront.unexplained",
        title="Shopify answers with errors that it does not explain",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Nothing is lost: it is tried again until it passes. Ask Shopify about the request that the case names.",
    ),
    Row(
        code="storefront.throttled",
        title="Shopify throttles us for long",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Find what else spends the app's query budget, or read less often, then replay what was buried.",
    ),
    Row(
        code="storefront.consent_unknown_state",
        title="A consent state that nobody has mapped",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Decide what the new state means, add it to the consent table in a release, then replay.",
    ),
    Row(
        code="storefront.metafield_type",
        title="A custom field is not of the type that the mapping file expects",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.NORMAL,
        remedy="Give the field its type back, or say the new one in the mapping file and connect again.",
    ),
    Row(
        code="storefront.moved",
        title="The shop has another address",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.URGENT,
        remedy="Put the shop's permanent domain and its address into the connection, connect again, and resume.",
    ),
    Row(
        code="storefront.api_version_ends",
        title="The pinned API version ends within 90 days",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Plan the move of api_version, and of the app's webhook version, to a newer one before its last day.",
    ),
    Row(
        code="storefront.api_version_ends_soon",
        title="The pinned API version ends within 30 days",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Move api_version, and the app's webhook version, to a newer one this week.",
    ),
    Row(
        code="storefront.api_version_ends_now",
        title="The pinned API version ends within a week",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.URGENT,
        remedy="Move api_version to a newer one today, since Shopify soon answers with another without saying so.",
    ),
    Row(
        code="storefront.webhook_version",
        title="The app's webhooks are of another API version",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Deploy the configuration that app-config prints, which names the connection's version.",
    ),
    Row(
        code="storefront.scopes_changed",
        title="The app's scopes are not what they were",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.NORMAL,
        remedy="Find out who changed them; if it was meant, resolve the case, and the new scopes count from then on.",
    ),
    Row(
        code="storefront.setting_changed",
        title="A setting of the shop changed what its data mean",
        cause=Cause.STOREFRONT,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Ask the store whether it was meant and follow it up; resolving the case agrees to the new value.",
    ),
)

_INTEGRATION = (
    Row(
        code="integration.unknown_topic",
        title="A webhook topic that isthmus does not know",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.LOW,
        remedy="Remove the topic from the subscription, or ask for it to be supported; nothing was lost.",
    ),
    Row(
        code="internal.bug",
        title="A failure that nobody foresaw",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Report the place that the case names, and replay after the fix.",
    ),
    Row(
        code="integration.poison_row",
        title="A row of work ends its worker again and again",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Look at the worker's log for what killed it, mend that, then replay the row alone.",
    ),
    Row(
        code="integration.search_ignored",
        title="Shopify ignored a search filter of ours",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Update isthmus, or move api_version to one whose filters it knows; polls stand still meanwhile.",
    ),
    Row(
        code="integration.record_too_large",
        title="A record is larger than the platform takes",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Trim what the mapping adds to the record (custom properties, tags), then replay it.",
    ),
    Row(
        code="integration.secret_missing",
        title="A secret cannot be found",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.URGENT,
        remedy="Give every process the variable or file that the case names, restart it, and resume.",
    ),
    Row(
        code="integration.previous_secret_in_use",
        title="Webhooks are still signed with the previous secret",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Finish the rotation at Shopify before previous_client_secret is removed from the connection.",
    ),
    Row(
        code="integration.webhook_silent",
        title="A store's webhooks have gone silent",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Check the subscriptions and the public address, deploy the app's configuration again, then reconcile.",
    ),
    Row(
        code="integration.missed_webhook",
        title="A change that no webhook told us of",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.LOW,
        remedy="Nothing to repair, since the poll brought it; if these pile up, look at the subscriptions.",
    ),
    Row(
        code="integration.missed_change",
        title="The shop says something that we have not heard",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Nothing, when the run read it again; many at once mean that webhooks and polls were both away.",
    ),
    Row(
        code="integration.missed_deletion",
        title="We have a record that the shop no longer has",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Nothing, when the run read it again; see that the delete and merge topics are subscribed.",
    ),
    Row(
        code="integration.stale_mapping",
        title="What should be sent is not what the rules make of the record",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Nothing, when the run mapped it again; if it comes back, report it with the field that the case names.",
    ),
    Row(
        code="integration.left_behind",
        title="A record of ours that we no longer send is still in Ometria",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Ask the platform team to delete it, since no record can be deleted over the API.",
    ),
    Row(
        code="integration.currency_differs",
        title="The shop's currency is not the connection's",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Correct the store's currency in the connection, connect again, and replay its orders.",
    ),
    Row(
        code="integration.query_refused",
        title="Shopify refused a query of ours",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Update isthmus, or move api_version back to one that it knows; then replay what was buried.",
    ),
    Row(
        code="integration.query_too_expensive",
        title="One record costs more than a query may",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Report the record, which is larger than a single query can read, and let it wait.",
    ),
    Row(
        code="integration.subscription_refused",
        title="Shopify refused a webhook subscription",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Mend what Shopify's words name, usually a scope or web.public_url, and connect again.",
    ),
    Row(
        code="integration.subscriptions_differ",
        title="Webhook subscriptions are not as they should be",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Nothing where isthmus owns them, since it makes them anew; else remove those made through the API.",
    ),
    Row(
        code="identity.shared_address",
        title="Different people answer to one address",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.LOW,
        remedy="Ask whose the address is and give the others their own in Shopify; until then they are one to Ometria.",
    ),
    Row(
        code="identity.shared_phone",
        title="Different people share a phone number or a mailbox",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.LOW,
        remedy="Nothing is merged; where the number is not theirs, correct it in Shopify.",
    ),
    Row(
        code="platform.merge_refused",
        title="Ometria does not merge two people",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.NORMAL,
        remedy="Ask Ometria whether merging is enabled for the account; the two stay as they are.",
    ),
    Row(
        code="identity.conflict",
        title="Two people claim one identifier",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Decide whose the address is, and correct or merge the customers in Shopify; it closes by itself.",
    ),
    Row(
        code="integration.plan_stopped",
        title="More would change than may change without a person",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.URGENT,
        remedy="Look at the plan with `isthmus plans list`, then confirm it with `isthmus plans confirm` or refuse it.",
    ),
    Row(
        code="integration.notify_failed",
        title="Messages about the state of things do not arrive",
        cause=Cause.INTEGRATION,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Correct notify.url or what stands behind it, then try it with `isthmus check notify`.",
    ),
)

_PRIVACY = (
    Row(
        code="privacy.data_request",
        title="A person asks what is known about them",
        cause=Cause.STOREFRONT,
        owner=Owner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Collect the person's data and give it to the store within 30 days.",
        due_days=30,
    ),
    Row(
        code="privacy.redact_customer",
        title="A person's data must be erased",
        cause=Cause.STOREFRONT,
        owner=Owner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Erase the person here and in Ometria within 30 days, and note when it was done.",
        due_days=30,
    ),
    Row(
        code="privacy.redact_shop",
        title="A shop's data must be erased",
        cause=Cause.STOREFRONT,
        owner=Owner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Erase everything of the shop within 30 days of its request.",
        due_days=30,
    ),
)

_PLATFORM = (
    Row(
        code="platform.key_refused",
        title="Ometria refuses the API key",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.URGENT,
        remedy="Create a key in Ometria's settings, put it where the connection looks for it, and resume.",
    ),
    Row(
        code="platform.not_the_api",
        title="The address does not answer as Ometria's API",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.URGENT,
        remedy="Correct ometria.base_url in the connection, connect again, and resume.",
    ),
    Row(
        code="platform.rate_limited",
        title="Ometria limits our requests for long",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Lower push_per_second or find who else uses the account's limit, then replay what was buried.",
    ),
    Row(
        code="platform.backlog",
        title="Ometria's queue is full",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Pause the backfill lane until the queue has drained, and ask Ometria if it does not.",
    ),
    Row(
        code="platform.unavailable",
        title="Ometria could not be reached for long",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Wait for Ometria to recover, then replay what was buried meanwhile.",
    ),
    Row(
        code="platform.refused",
        title="Ometria refused a record",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Mend the field that the case names, in Shopify or in the mapping, then replay the record.",
    ),
    Row(
        code="platform.too_large",
        title="A record is too large for a server in front of Ometria",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Raise the body limit of the proxy between isthmus and Ometria, then replay the record.",
    ),
    Row(
        code="platform.refused_batch",
        title="Ometria refused a push as malformed",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Mend what the answer says is wrong with the record that was left alone, then replay it.",
    ),
    Row(
        code="platform.refused_read",
        title="Ometria refused a reading as malformed",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Report the call that the case names; pushes go on, but nothing is verified by reading back.",
    ),
    Row(
        code="platform.read_path_unknown",
        title="A reading path is not there in this account",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Ask Ometria for the right path; set read_back to 0 until then.",
    ),
    Row(
        code="platform.not_applied",
        title="Ometria accepted a record and does not have it",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Replay the record once; if it is gone again, give Ometria the request id that the case names.",
    ),
    Row(
        code="platform.differs",
        title="Ometria says something else than was sent",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.NORMAL,
        remedy="Look who else writes the field that the case names, settle who owns it, then replay.",
    ),
    Row(
        code="platform.overwritten",
        title="Somebody else changed our record in Ometria",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.NORMAL,
        remedy="Find out who writes it and settle who owns the field; ours goes again where that opts nobody in.",
    ),
    Row(
        code="platform.duplicate_order",
        title="One order is in Ometria under two ids",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Stop the other writer, or adopt its ids; have one of the two deleted, since its revenue counts twice.",
    ),
    Row(
        code="platform.ambiguous_moment",
        title="Nobody can say whether a moment arrived",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Look for the event in Ometria; replay it only if it is not there.",
    ),
    Row(
        code="platform.unanswered",
        title="Ometria never answers a push of this record",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Give Ometria the record's id, and replay it when they have found what it hangs on.",
    ),
    Row(
        code="platform.foreign_writer",
        title="Another integration writes the same records",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.URGENT,
        remedy="Decide how isthmus takes over from the native importer and say so in takeover before going live.",
    ),
    Row(
        code="platform.takeover_conflict",
        title="An order may be there already, under another writer's id",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Compare the two orders, have theirs mended or deleted, and run isthmus takeover again.",
    ),
    Row(
        code="platform.limit_differs",
        title="Ometria takes fewer pushes than the connection believes",
        cause=Cause.PLATFORM,
        owner=Owner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Ask Ometria for the account's limit and set push_per_second to it, or find who else uses it up.",
    ),
)

_CONSENT = (
    Row(
        code="storefront.consent_refused",
        title="A shop does not take an opt-out, or does not keep it",
        cause=Cause.STOREFRONT,
        owner=Owner.STORE,
        severity=Severity.HIGH,
        remedy="Unsubscribe the customer in the Shopify admin, and find the app that subscribes them again.",
    ),
    Row(
        code="consent.blocked_by_listing",
        title="Somebody subscribed again, and an old contact keeps them out",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.NORMAL,
        remedy="Look at the contact that the case names; remove it, or leave the person opted out and say so.",
    ),
    Row(
        code="consent.unproven_resubscribe",
        title="Ometria writes to somebody who never proved that they want it",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.NORMAL,
        remedy="Find where the opt-in came from; record it in the shop with its date, or opt the person out.",
    ),
    Row(
        code="consent.opt_out_refused",
        title="Ometria writes to somebody who opted out",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.URGENT,
        remedy="Opt the person out in Ometria by hand, then find the contact that overrules ours.",
    ),
    Row(
        code="consent.guest_opted_out",
        title="Somebody opted out whom no shop knows",
        cause=Cause.PLATFORM,
        owner=Owner.STORE,
        severity=Severity.LOW,
        remedy="Nothing need be done: the opt-out is kept and holds when they become a customer.",
    ),
    Row(
        code="consent.unnamed_opt_out",
        title="An opt-out from Ometria names no address",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Look the profile up in Ometria and unsubscribe the person in the shop by hand.",
    ),
    Row(
        code="consent.unreadable_call",
        title="A call of an automation cannot be understood",
        cause=Cause.PLATFORM,
        owner=Owner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Give the webhook node the body that docs/howto/consent.md shows, then replay the call.",
    ),
)


def _by_code(rows: Iterable[Row]) -> Mapping[str, Row]:
    return MappingProxyType({row.code: row for row in rows})


CATALOGUE = _by_code((*_STOREFRONT, *_INTEGRATION, *_PRIVACY, *_PLATFORM, *_CONSENT))
"""Every row by its code."""
