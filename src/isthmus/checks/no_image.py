"""Products on sale without a picture."""

from isthmus.checks.product_gap import ProductGap
from isthmus.model.audit_rows import ProductRow


class NoImage(ProductGap):
    code = "no_image"
    title = "Products without image"
    what = "A mail that recommends them shows a hole."
    remedy = "Add a picture in Shopify; until then leave them out of recommendations."

    def lacks(self, row: ProductRow) -> str | None:
        return None if row.has_image else ""
