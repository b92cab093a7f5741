"""The language of the house: canonical records, neither Shopify's shape nor Ometria's.

They are frozen msgspec structs rather than dataclasses: as immutable, an order of magnitude cheaper to make, and the
same definition decodes and encodes them (docs/decisions/0003).
"""
