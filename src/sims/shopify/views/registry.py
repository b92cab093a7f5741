"""Every view by its GraphQL type; types that are none of these are plain dicts."""

from __future__ import annotations

from collections.abc import Mapping

from sims.shopify.pages import Edge, Page
from sims.shopify.views import (
    bulk,
    catalogue,
    checkouts,
    fulfilments,
    lines,
    metafields,
    mutation,
    plain,
    query,
    refunds,
)
from sims.shopify.views import customers as customer_views
from sims.shopify.views import orders as order_views
from sims.shopify.views import returns as return_views
from sims.shopify.views import shop as shop_views
from sims.shopify.views import subscriptions as subscription_views

VIEWS: Mapping[str, type[query.View]] = {
    view.type_name: view
    for view in (
        query.QueryRoot,
        mutation.Mutation,
        shop_views.Shop,
        shop_views.Location,
        metafields.Metafield,
        plain.MailingAddress,
        customer_views.Customer,
        customer_views.EmailAddress,
        customer_views.PhoneNumber,
        customer_views.SmsMarketingConsent,
        order_views.Order,
        order_views.Transaction,
        lines.LineItem,
        lines.ShippingLine,
        refunds.Refund,
        refunds.RefundLineItem,
        refunds.RefundShippingLine,
        refunds.OrderAdjustment,
        fulfilments.Fulfillment,
        fulfilments.FulfillmentOrder,
        fulfilments.FulfillmentEvent,
        fulfilments.FulfillmentLineItem,
        return_views.Return,
        return_views.ReturnLineItem,
        return_views.ExchangeLineItem,
        catalogue.Product,
        catalogue.ProductVariant,
        checkouts.AbandonedCheckout,
        checkouts.CheckoutLineItem,
        subscription_views.WebhookSubscription,
        bulk.BulkOperation,
    )
}


def view_of(name: str) -> type | None:
    """Return the view of a GraphQL type; None for a plain dict."""
    if name.endswith("Connection"):
        return Page
    return Edge if name.endswith("Edge") else VIEWS.get(name)
