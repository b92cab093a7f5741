"""The rows of the catalogue for what is at fault in a shop or at Shopify."""

from isthmus.cases.row import CaseOwner, CaseRow, Cause, Severity

ROWS = (
    CaseRow(
        code="storefront.unreadable_body",
        title="A webhook body cannot be read",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Run `isthmus cases replay ID`, which parses the body again and lists what changed in the store; "
            "report the topic if its shape has changed."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.body_of_another_topic",
        title="A signed body came under another topic or for another shop",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Find out who sends signed bodies again under the topic that `isthmus cases show ID` names, or in the name "
            "of another shop; nothing was done about them. The case closes a day after the last one. After an update "
            "that knows a new shape of the topic, replay the case."
        ),
    ),
    CaseRow(
        code="storefront.unreadable_record",
        title="A record read from Shopify cannot be understood",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Look at the record in the Shopify admin, correct the field that the case names, then `isthmus cases "
            "replay ID`."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.access_denied",
        title="Shopify refuses a reading that the pipeline needs",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.HIGH,
        remedy=(
            "Deploy what `isthmus app-config FILE` prints, let the store accept the scope that the case names, "
            "then `isthmus cases replay ID`."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.bulk_failed",
        title="Shopify could not write a part of the history",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "When Shopify is well, run `isthmus backfill NAME`; report the span that the case names to Shopify if "
            "it fails again."
        ),
    ),
    CaseRow(
        code="storefront.merge_failed",
        title="The shop could not merge two customers",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.LOW,
        remedy=(
            "Look in the Shopify admin at what stands in the way, and merge the two there; `isthmus cases replay "
            "ID` reads them again. To leave them as they are, ignore the case."
        ),
        is_warning=True,
    ),
    CaseRow(
        code="storefront.token_refused",
        title="Shopify no longer accepts our credentials",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.URGENT,
        remedy=(
            "Check that the app is installed, put the current client secret or token in place, restart isthmus, "
            "then `isthmus resume NAME` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.shop_closed",
        title="The shop is closed, frozen or locked",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.URGENT,
        remedy=(
            "Have the shop's owner settle its state with Shopify, then `isthmus resume NAME` and `isthmus cases "
            "replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.protected_data_missing",
        title="The app is not approved to see customer data",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.URGENT,
        remedy=(
            "Request protected customer data access, level 2, in the app's settings; once it is approved, "
            "`isthmus cases replay ID` looks again."
        ),
    ),
    CaseRow(
        code="storefront.scope_missing",
        title="The app lacks a scope",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.HIGH,
        remedy=(
            "Deploy what `isthmus app-config FILE` prints and let the store accept the new scopes, then `isthmus "
            "cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.deletion_unconfirmed",
        title="An order is said to be deleted, and the app cannot see it",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.NORMAL,
        remedy=(
            "If the order is gone from the Shopify admin, `isthmus cases replay ID` withdraws it; if not, ignore it."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.revival_unconfirmed",
        title="A deleted order has changed, and the app cannot see it",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.NORMAL,
        remedy="If the order is in the Shopify admin, `isthmus cases replay ID` sends it again; else ignore the case.",
        follows_record=True,
    ),
    CaseRow(
        code="storefront.app_uninstalled",
        title="The app was uninstalled from the shop",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.URGENT,
        remedy=(
            "Ask the store whether it was meant. If not, install the app again, then `isthmus connect FILE` and "
            "`isthmus cases replay ID`; if it was, take the store out of the file and connect."
        ),
    ),
    CaseRow(
        code="storefront.api_version",
        title="Shopify answers with another API version",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Set the store's api_version, and the app's webhook version, to one that Shopify supports, then "
            "`isthmus connect FILE` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.unavailable",
        title="Shopify cannot be reached",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Wait for Shopify to recover: what waits is tried again every few minutes. "
            "`isthmus cases replay ID` asks at once."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.unexplained",
        title="Shopify answers with errors that it does not explain",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Nothing is lost: it is tried again until it passes. Ask Shopify about the request that the case names; "
            "`isthmus cases replay ID` asks again at once."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.throttled",
        title="Shopify throttles us for more than a few minutes",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy="Find what else spends the app's query budget, or read less often, then `isthmus cases replay ID`.",
        follows_record=True,
    ),
    CaseRow(
        code="storefront.consent_unknown_state",
        title="A consent state that nobody has mapped",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Report the state. Once the customer has a known one in Shopify, or after the update that maps it, "
            "`isthmus cases replay ID`."
        ),
        follows_record=True,
    ),
    CaseRow(
        code="storefront.metafield_type",
        title="A custom field is not of the type that the mapping file expects",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.NORMAL,
        remedy=(
            "Give the field its type back in Shopify, or write the new one into the mapping file and `isthmus "
            "connect FILE`; then `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.moved",
        title="The shop has another address",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Write the shop's permanent domain and its address into the connection file, then `isthmus connect "
            "FILE`, `isthmus resume NAME` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.api_version_ends",
        title="The pinned API version ends within 90 days",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Before its last day, set api_version and the app's webhook version to a newer one, then `isthmus "
            "connect FILE` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.api_version_ends_soon",
        title="The pinned API version ends within 30 days",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "This week, set api_version and the app's webhook version to a newer one, then `isthmus connect FILE` "
            "and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.api_version_ends_now",
        title="The pinned API version ends within a week",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.URGENT,
        remedy=(
            "Today, set api_version to a newer one, since Shopify soon answers with another without notice; then "
            "`isthmus connect FILE` and `isthmus cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.webhook_version",
        title="The app's webhooks are of another API version",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.NORMAL,
        remedy=(
            "Deploy what `isthmus app-config FILE` prints, which names the connection's version, then `isthmus "
            "cases replay ID`."
        ),
    ),
    CaseRow(
        code="storefront.scopes_changed",
        title="The app's scopes are not what they were",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.NORMAL,
        remedy=(
            "Find out who changed them and have them set back, then `isthmus cases replay ID`; if it was meant, "
            "resolving the case accepts the new scopes."
        ),
    ),
    CaseRow(
        code="storefront.unusual_changes",
        title="Unusually much was deleted, cancelled or changed in Shopify",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.STORE,
        severity=Severity.NORMAL,
        remedy=(
            "Ask in the store who did it. If it was a mistake, put it right in Shopify, which is then taken over as "
            "always; a day after the last of it, `isthmus cases replay ID` finds it over."
        ),
    ),
    CaseRow(
        code="storefront.setting_changed",
        title="A setting of the shop changed what its data mean",
        cause=Cause.STOREFRONT,
        owner=CaseOwner.OPERATOR,
        severity=Severity.HIGH,
        remedy=(
            "Ask the store whether it was meant. If not, set it back in Shopify, then `isthmus cases replay ID`; "
            "if it was, resolving the case accepts the new value."
        ),
    ),
)
