"""What can be changed: the fields of Mutation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sims.shopify import consent, merges, subscriptions
from sims.shopify.bulk.record import Operation
from sims.shopify.schema import snake
from sims.shopify.state import Subscription, gid
from sims.shopify.views import merge_jobs
from sims.shopify.views.bulk import BulkOperation
from sims.shopify.views.customers import Customer
from sims.shopify.views.query import split
from sims.shopify.views.sight import Sight
from sims.shopify.views.subscriptions import WebhookSubscription
from sims.shopify.whims import Whims


class Mutation:
    """The root of every mutation."""

    __slots__ = ("sight",)
    type_name: ClassVar[str] = "Mutation"

    def __init__(self, sight: Sight) -> None:
        self.sight = sight

    def bulk_operation_run_query(self, query: str, group_objects: bool = False) -> dict[str, Any]:
        sight = self.sight
        assert sight.bulk is not None  # noqa: S101 - a shop that is asked has its operations
        return self._operation(*sight.bulk.start(sight, query, group_objects))

    def bulk_operation_cancel(self, id: str) -> dict[str, Any]:  # noqa: A002
        sight = self.sight
        assert sight.bulk is not None  # noqa: S101
        return self._operation(*sight.bulk.cancel(sight.store.shop.domain, split(id)[1]))

    def _operation(self, record: Operation | None, complaints: list[dict[str, Any]]) -> dict[str, Any]:
        shown = None if record is None else BulkOperation(self.sight, record)
        return {"bulkOperation": shown, "userErrors": complaints}

    def webhook_subscription_create(self, topic: str, webhook_subscription: Mapping[str, Any]) -> dict[str, Any]:
        return self._create(topic, webhook_subscription, "callbackUrl")

    def webhook_subscription_update(self, id: str, webhook_subscription: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._update(id, webhook_subscription, "callbackUrl")

    def webhook_subscription_delete(self, id: str) -> dict[str, Any]:  # noqa: A002
        complaints = subscriptions.delete(self.sight.store, split(id)[1])
        return {
            "deletedWebhookSubscriptionId": None if complaints else id,
            "userErrors": [each.as_dict() for each in complaints],
        }

    def event_bridge_webhook_subscription_create(
        self, topic: str, webhook_subscription: Mapping[str, Any]
    ) -> dict[str, Any]:
        return self._create(topic, _renamed(webhook_subscription), "arn")

    def event_bridge_webhook_subscription_update(
        self,
        id: str,  # noqa: A002
        webhook_subscription: Mapping[str, Any],
    ) -> dict[str, Any]:
        return self._update(id, _renamed(webhook_subscription), "arn")

    def pub_sub_webhook_subscription_create(
        self, topic: str, webhook_subscription: Mapping[str, Any]
    ) -> dict[str, Any]:
        complaints = _pubsub(webhook_subscription)
        if complaints:
            return _payload(None, complaints)
        return self._create(topic, _joined(webhook_subscription), "pubSubTopic")

    def pub_sub_webhook_subscription_update(
        self,
        id: str,  # noqa: A002
        webhook_subscription: Mapping[str, Any],
    ) -> dict[str, Any]:
        complaints = _pubsub(webhook_subscription)
        if complaints:
            return _payload(None, complaints)
        return self._update(id, _joined(webhook_subscription), "pubSubTopic")

    def customer_email_marketing_consent_update(self, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._consent(consent.email, input, "emailMarketingConsent")

    def customer_sms_marketing_consent_update(self, input: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
        return self._consent(consent.sms, input, "smsMarketingConsent")

    def _consent(self, write: Any, given: Mapping[str, Any], part: str) -> dict[str, Any]:
        sight = self.sight
        record = sight.store.customers.get(split(given["customerId"])[1])
        whims = None if sight.faults is None else Whims(sight.faults)
        written: consent.Written = write(sight.world, sight.store, record, given[part], sight.now, whims)
        sight.emit(written.events)
        shown_customer = None if written.customer is None else Customer(sight, written.customer)
        return {"customer": shown_customer, "userErrors": written.complaints}

    def customer_merge(
        self, customer_one_id: str, customer_two_id: str, override_fields: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        sight, override = self.sight, {snake(name): value for name, value in (override_fields or {}).items()}
        asked = merges.request(
            sight.world, sight.store, customer_one_id, customer_two_id, override, sight.now, sight.faults
        )
        if isinstance(asked, merges.Complaint):
            return {"resultingCustomerId": None, "job": None, "userErrors": [asked.as_dict()]}
        kept = gid("Customer", asked.choice.kept.id)
        return {"resultingCustomerId": kept, "job": merge_jobs.job(asked), "userErrors": []}

    def _create(self, topic: str, wish: Mapping[str, Any], field: str) -> dict[str, Any]:
        number = self.sight.world.next_id()
        return _payload(*subscriptions.create(self._rules(), number, topic, wish, self.sight.now, field))

    def _update(self, gid: str, wish: Mapping[str, Any], field: str) -> dict[str, Any]:
        return _payload(*subscriptions.update(self._rules(), split(gid)[1], wish, self.sight.now, field))

    def _rules(self) -> subscriptions.Rules:
        sight = self.sight
        return subscriptions.Rules(sight.store, sight.app_id, sight.scopes, sight.insecure_callbacks)


def _payload(record: Subscription | None, complaints: list[subscriptions.Complaint]) -> dict[str, Any]:
    return {
        "webhookSubscription": None if record is None else WebhookSubscription(record),
        "userErrors": [each.as_dict() for each in complaints],
    }


def _renamed(wish: Mapping[str, Any]) -> dict[str, Any]:
    return {("uri" if name == "arn" else name): value for name, value in wish.items()}


def _joined(wish: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in wish.items() if name not in ("pubSubProject", "pubSubTopic")}
    return {**rest, "uri": f"pubsub://{wish['pubSubProject']}:{wish['pubSubTopic']}"}


def _pubsub(wish: Mapping[str, Any]) -> list[subscriptions.Complaint]:
    return subscriptions.judge_pubsub(wish["pubSubProject"], wish["pubSubTopic"])
