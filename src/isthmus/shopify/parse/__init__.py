"""Shopify's two shapes of each record, read into the canonical one.

`<kind>_webhook` reads the REST-shaped body of a delivery, `<kind>_node` a GraphQL node of our own documents in
`queries/`. Both give equal records, down to the encoded byte, for the same state of the same record.
"""
