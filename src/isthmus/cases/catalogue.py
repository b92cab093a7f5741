"""Everything that can go wrong, one row each: what it is, which layer is at fault, who acts, and what they do."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from isthmus.cases import storefront
from isthmus.cases.row import CaseOwner, CaseRow, Cause, Severity

__all__ = ["CATALOGUE", "WARNINGS", "CaseOwner", "CaseRow", "Cause", "Severity", "row_of"]


def row_of(code: str) -> CaseRow:
    """The row of a code. One that nobody entered is our own mistake and still makes a case."""
    return CATALOGUE.get(code) or CaseRow(
        code=code,
        title="A failure without a catalogue row",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Treat it as internal.bug and report the code to whoever maintains isthmus.",
    )


_INTEGRATION = (
    CaseRow(
        code="integration.unknown_topic",
        title="A webhook topic that isthmus does not know",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.LOW,
        remedy=(
            "Deploy what `isthmus app-config FILE` prints, which subscribes to no unknown topic; the case closes "
            "a day after the last delivery. After an update that knows the topic, replay the case."
        ),
    ),
    CaseRow(
        code="internal.bug",
        title="An unexpected failure",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Report the place that the case names; after the update, `isthmus cases replay ID`.",
        follows_record=True,
    ),
    CaseRow(
        code="integration.poison_row",
        title="An event crashes its worker again and again",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Look at the worker's log for what killed it, correct that, then `isthmus cases replay ID`.",
        follows_record=True,
    ),
    CaseRow(
        code="integration.search_ignored",
        title="Shopify ignored a search filter of ours",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Update isthmus, or set api_version to one whose filters it knows, then `isthmus cases replay ID`; "
            "polls stand still meanwhile."
        ),
    ),
    CaseRow(
        code="integration.record_too_large",
        title="A record is larger than Ometria takes",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Shorten the record in Shopify, or what the mapping adds to it (custom properties, tags), then "
            "`isthmus cases replay ID`."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.secret_missing",
        title="A secret cannot be found",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Give every process the variable or file that the case names and restart it, then `isthmus resume "
            "NAME` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="integration.connection_unusable",
        title="A stored connection cannot be used by this version",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Put the key that the case names right in the connection's file, or run the same version everywhere, then "
            "`isthmus connect FILE`."
        ),
    ),
    CaseRow(
        code="integration.previous_secret_in_use",
        title="Webhooks are still signed with the previous secret",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Finish the rotation at Shopify before previous_client_secret is removed; a day after the last such "
            "delivery, `isthmus cases replay ID` finds it over."
        ),
    ),
    CaseRow(
        code="integration.webhook_silent",
        title="A store's webhooks stopped arriving",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Check web.public_url, deploy what `isthmus app-config FILE` prints, change a test record of that "
            "topic, then `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="integration.missed_webhook",
        title="A change that no webhook reported",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.LOW,
        remedy=(
            "Nothing to repair, since the poll brought it. An hour without another, `isthmus cases replay ID` "
            "finds it over; if they pile up, check the subscriptions."
        ),
        is_warning=True,
    ),
    CaseRow(
        code="integration.missed_change",
        title="Shopify has a change that isthmus missed",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Run `isthmus cases replay ID`, which reads the record again; many at once mean that webhooks and "
            "polls were both away."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.missed_deletion",
        title="isthmus has a record that Shopify no longer has",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Run `isthmus cases replay ID`, which reads the record again; check that the delete and merge topics "
            "are subscribed."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.stale_mapping",
        title="What should be sent is not what the rules make of the record",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Run `isthmus cases replay ID`, which maps the record again; if it comes back, report it with the "
            "field that the case names."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.repair_returns",
        title="A repair did not hold: the same difference returns",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Run `isthmus cases replay ID`, which repairs the record now; if it comes back, report it with the field "
            "that the case names."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.left_behind",
        title="A record of ours that we no longer send is still in Ometria",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Ask the platform team to delete it, since no record can be deleted over the API; then `isthmus cases "
            "replay ID` looks whether it is gone."
        ),
    ),
    CaseRow(
        code="integration.currency_differs",
        title="The shop's currency is not the connection's",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Correct the store's currency in the connection file, then `isthmus connect FILE` and `isthmus cases "
            "replay ID`."
        ),
    ),
    CaseRow(
        code="integration.query_refused",
        title="Shopify refused a query of ours",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Update isthmus, or set api_version back to one that it knows; then `isthmus cases replay ID`.",
        follows_record=True,
    ),
    CaseRow(
        code="integration.query_too_expensive",
        title="One record costs more than a query may",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Report the record, which is larger than a single query can read; after the update, `isthmus cases "
            "replay ID`."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="integration.subscription_refused",
        title="Shopify refused a webhook subscription",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Correct what Shopify's words name, usually a scope or web.public_url, then `isthmus connect FILE` "
            "and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="integration.subscriptions_differ",
        title="Webhook subscriptions are not as they should be",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Where isthmus owns them it makes them again: `isthmus cases replay ID` looks whether it has. "
            "Otherwise remove those made through the API first."
        ),
    ),
    CaseRow(
        code="identity.shared_address",
        title="Different people answer to one address",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.LOW,
        remedy=(
            "Ask whose the address is and give the others their own in Shopify, then `isthmus cases replay ID`; "
            "until then they are one person to Ometria."
        ),
        is_warning=True,
    ),
    CaseRow(
        code="identity.shared_phone",
        title="Different people share a phone number or a mailbox",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.LOW,
        remedy=(
            "Nothing is merged. Where the number is not theirs, correct it in Shopify, then `isthmus cases replay ID`."
        ),
        is_warning=True,
    ),
    CaseRow(
        code="platform.merge_refused",
        title="Ometria does not merge two people",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.NORMAL,
        remedy=(
            "Ask Ometria whether merging is enabled for the account, then `isthmus cases replay ID` asks for the "
            "merge again; until then the two stay as they are."
        ),
        is_warning=True,
    ),
    CaseRow(
        code="identity.conflict",
        title="Two people claim one identifier",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Decide whose the address is, and correct or merge the customers in Shopify; `isthmus cases replay "
            "ID` reads the profiles again."
        ),
    ),
    CaseRow(
        code="integration.plan_stopped",
        title="More records would change than are allowed without approval",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Look at the plan with `isthmus plans list NAME`, open its examples in Shopify, then "
            "`isthmus plans confirm ID` with the plan's number, or refuse it."
        ),
    ),
    CaseRow(
        code="integration.notify_failed",
        title="Notifications do not arrive",
        cause=Cause.INTEGRATION,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Correct notify.url or what stands behind it, then `isthmus check notify`.",
    ),
)

_PRIVACY = (
    CaseRow(
        code="privacy.data_request",
        title="A person asks what is known about them",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Collect the person's data and give it to the store within 30 days.",
        due_days=30,
    ),
    CaseRow(
        code="privacy.redact_customer",
        title="A person's data must be erased",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Erase the person here and in Ometria within 30 days, and note when it was done.",
        due_days=30,
    ),
    CaseRow(
        code="privacy.redact_shop",
        title="A shop's data must be erased",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.PRIVACY,
        severity=Severity.HIGH,
        remedy="Erase everything of the shop within 30 days of its request.",
        due_days=30,
    ),
)

_PLATFORM = (
    CaseRow(
        code="platform.key_refused",
        title="Ometria refuses the API key",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.URGENT,
        remedy=(
            "Create a key in Ometria's settings, put it where the connection looks for it, then `isthmus resume "
            "NAME` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="platform.not_the_api",
        title="The address does not answer as Ometria's API",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Correct ometria.base_url in the connection file, then `isthmus connect FILE`, `isthmus resume NAME` "
            "and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="platform.rate_limited",
        title="Ometria has limited our requests for more than a few minutes",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Lower push_per_second and `isthmus connect FILE`, or find who else uses the account's limit; the "
            "case closes with the next push that is accepted."
        ),
    ),
    CaseRow(
        code="platform.backlog",
        title="Ometria's queue is full",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Run `isthmus pause NAME --lane backfill` until the queue has drained, then `isthmus resume NAME "
            "--lane backfill`; ask Ometria if it does not drain."
        ),
    ),
    CaseRow(
        code="platform.unavailable",
        title="Ometria cannot be reached",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Wait for Ometria to recover: the case closes with the next push. Then `isthmus replay NAME --since "
            "2d` processes what failed meanwhile."
        ),
    ),
    CaseRow(
        code="platform.refused",
        title="Ometria refused a record",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=("Correct the field that the case names, in Shopify or in the mapping, then `isthmus cases replay ID`."),
    ),
    CaseRow(
        code="platform.too_large",
        title="A record is too large for a server in front of Ometria",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy="Raise the body limit of the proxy between isthmus and Ometria, then `isthmus cases replay ID`.",
    ),
    CaseRow(
        code="platform.refused_batch",
        title="Ometria refused a push as malformed",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Correct what the answer says is wrong with the record, then `isthmus cases replay ID`.",
    ),
    CaseRow(
        code="platform.refused_read",
        title="Ometria refused a reading as malformed",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Report the call that the case names; pushes go on, but nothing is verified by reading back. After "
            "the update, `isthmus cases replay ID` tries the reading again."
        ),
    ),
    CaseRow(
        code="platform.read_path_unknown",
        title="A read path does not exist in this account",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Ask Ometria for the right path, then `isthmus cases replay ID` tries the reading again; set "
            "read_back to 0 until then."
        ),
    ),
    CaseRow(
        code="platform.not_applied",
        title="Ometria accepted a record and does not have it",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Run `isthmus cases replay ID`, which sends the record again; if it is gone again, give Ometria the "
            "request id that the case names."
        ),
    ),
    CaseRow(
        code="platform.differs",
        title="Ometria has other values than were sent",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.NORMAL,
        remedy=(
            "Look who else writes the field that the case names and settle who owns it, then `isthmus cases "
            "replay ID` sends ours again."
        ),
    ),
    CaseRow(
        code="platform.overwritten",
        title="Somebody else changed our record in Ometria",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.NORMAL,
        remedy=(
            "Find out who writes it and settle who owns the field, then `isthmus cases replay ID` sends ours "
            "again where that opts nobody in."
        ),
    ),
    CaseRow(
        code="platform.duplicate_order",
        title="One order is in Ometria under two ids",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Stop the other writer, or adopt its ids, and have one of the two deleted, since its revenue counts "
            "twice; then `isthmus reconcile NAME`."
        ),
    ),
    CaseRow(
        code="platform.ambiguous_moment",
        title="It is not known whether a custom event arrived",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Look for the event in Ometria; only if it is not there, `isthmus cases replay ID` sends it again.",
    ),
    CaseRow(
        code="platform.unanswered",
        title="Ometria never answers a push of this record",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Give Ometria the record's id; when they have found what it hangs on, `isthmus cases replay ID`.",
    ),
    CaseRow(
        code="platform.foreign_writer",
        title="Another integration writes the same records",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.URGENT,
        remedy=(
            "Decide how isthmus takes over and write it into connection.takeover, then `isthmus connect FILE`; "
            "where the records were deleted instead, `isthmus reconcile NAME`."
        ),
    ),
    CaseRow(
        code="platform.takeover_conflict",
        title="An order may be there already, under another writer's id",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy="Compare the two orders, have theirs corrected or deleted, then `isthmus takeover NAME`.",
    ),
    CaseRow(
        code="platform.limit_differs",
        title="Ometria takes fewer pushes than the connection believes",
        cause=Cause.PLATFORM,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Ask Ometria for the account's limit, write it into push_per_second, then `isthmus connect FILE`; the "
            "daily look (`isthmus check daily NAME`) closes it when a day passes within the limit."
        ),
    ),
)

_CONSENT = (
    CaseRow(
        code="storefront.consent_refused",
        title="A shop does not take an opt-out, or does not keep it",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.HIGH,
        remedy=(
            "Unsubscribe the customer in the Shopify admin, and find the app that subscribes them again; then "
            "`isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="consent.blocked_by_listing",
        title="Somebody subscribed again, and an old contact keeps them out",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.NORMAL,
        remedy=(
            "Look at the contact that the case names: have it removed in Ometria, or unsubscribe the person in "
            "the shop; then `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="consent.unproven_resubscribe",
        title="Ometria writes to somebody who never proved that they want it",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.NORMAL,
        remedy=(
            "Find where the opt-in came from. Record it in the shop with its date, or opt the person out in "
            "Ometria; then `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="consent.opt_out_refused",
        title="Ometria writes to somebody who opted out",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.URGENT,
        remedy=(
            "Opt the person out in Ometria by hand, find the contact that overrules ours, then `isthmus cases "
            "replay ID`."
        ),
    ),
    CaseRow(
        code="consent.guest_opted_out",
        title="Somebody opted out whom no shop knows",
        cause=Cause.PLATFORM,
        owner=CaseOwner.STORE,
        severity=Severity.LOW,
        remedy=(
            "Nothing need be done: the opt-out is kept. Once they are a customer, `isthmus cases replay ID` closes it."
        ),
    ),
    CaseRow(
        code="consent.unnamed_opt_out",
        title="An opt-out from Ometria names no address",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Look the profile up in Ometria and unsubscribe the person in the shop by hand, then `isthmus consent "
            "audit NAME` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="consent.unreadable_call",
        title="A call of an automation cannot be understood",
        cause=Cause.PLATFORM,
        owner=CaseOwner.PLATFORM,
        severity=Severity.HIGH,
        remedy=(
            "Give the webhook node the body that docs/howto/consent.md shows and send its test call; then "
            "`isthmus consent audit NAME` compares everybody, and `isthmus cases replay ID` closes it."
        ),
        follows_record=True,
    ),
)


def _by_code(rows: Iterable[CaseRow]) -> Mapping[str, CaseRow]:
    return MappingProxyType({row.code: row for row in rows})


CATALOGUE = _by_code((*storefront.ROWS, *_INTEGRATION, *_PRIVACY, *_PLATFORM, *_CONSENT))
"""Every row by its code."""

WARNINGS = tuple(sorted(code for code, kind in CATALOGUE.items() if kind.is_warning))
"""Codes whose cases leave the records that they name in the class they are in."""
