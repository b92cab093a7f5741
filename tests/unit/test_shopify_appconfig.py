"""The configuration of the merchant's app, as its own tool will read it."""

import tomllib

from isthmus.shopify import appconfig, topics

APP = appconfig.AppConfig(
    name='Acme "joins" Ometria – UK',
    client_id="0123abcd",
    url="https://isthmus.example.com",
    hook_url="https://isthmus.example.com/hooks/shopify",
    api_version="2026-10",
)


def test_the_file_says_everything_the_app_needs():
    read = tomllib.loads(appconfig.render_app_config(APP))
    assert (read["name"], read["client_id"], read["application_url"]) == (APP.name, APP.client_id, APP.url)
    assert read["webhooks"]["api_version"] == "2026-10"
    assert read["auth"]["redirect_urls"] == [APP.url]
    events, privacy = read["webhooks"]["subscriptions"]
    assert events == {"topics": list(topics.SUBSCRIBED), "uri": APP.hook_url}
    assert privacy == {"compliance_topics": list(topics.COMPLIANCE), "uri": APP.hook_url}


def test_the_scopes_are_those_of_the_topics_the_whole_history_and_writing_consent():
    scopes = tomllib.loads(appconfig.render_app_config(APP))["access_scopes"]["scopes"].split(",")
    assert scopes == sorted({*topics.SCOPES, *topics.DELIVERY_SCOPES, "read_all_orders", "write_customers"})
    assert [scope for scope in scopes if scope.startswith("write_")] == ["write_customers"]
