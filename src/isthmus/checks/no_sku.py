"""Products on sale with a variant that has no SKU. Gift cards need none."""

from isthmus.checks.product_gap import ProductGap
from isthmus.model.audit_rows import ProductRow


class NoSku(ProductGap):
    code = "no_sku"
    title = "Products without SKU"
    what = (
        "They cannot be matched with stock, feeds or reports that know them by SKU. Orders and recommendations work, "
        "since those go by Shopify's own ids."
    )
    remedy = "Give every variant a SKU of its own in Shopify (Products › Bulk edit)."

    def lacks(self, row: ProductRow) -> str | None:
        if row.is_gift_card:
            return None
        n = sum(not (one.sku or "").strip() for one in row.skus)
        if not n:
            return None
        return "" if len(row.skus) == 1 else f"{n} of {len(row.skus)} variants"
