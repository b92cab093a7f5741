"""Products on sale with a variant that costs nothing, or of which no price is written down."""

from isthmus.checks.product_gap import ProductGap
from isthmus.model.audit_rows import ProductRow


class NoPrice(ProductGap):
    code = "no_price"
    title = "Products without price"
    what = "A mail that shows them says 0.00, and price-drop campaigns fire when the price is put right."
    remedy = "Set the price in Shopify, or take the product off sale until it has one."

    def lacks(self, row: ProductRow) -> str | None:
        n = sum(not one.price for one in row.skus)
        if not n:
            return None
        return "" if len(row.skus) == 1 else f"{n} of {len(row.skus)} variants"
