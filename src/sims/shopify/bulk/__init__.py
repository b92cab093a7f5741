"""Bulk operations: a query over everything, run in the background, its result a file of lines.

https://shopify.dev/docs/api/usage/bulk-operations/queries
"""
