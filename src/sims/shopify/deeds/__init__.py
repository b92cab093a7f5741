"""What can happen in a store: each deed changes the state, keeps its rules, and returns the events it fires.

Which topics one deed fires is documented per topic only (https://shopify.dev/docs/api/webhooks); where a deed fires a
second topic, such as customers/update beside a consent change, that is ASSUMED from the description of the topic.
"""
