"""One SKU on several variants of a store, of one product or of several."""

from isthmus.checks.check import KEEP, OfThings
from isthmus.checks.toll import Toll
from isthmus.model.census import Thing
from isthmus.model.finding import Found, Level, Owner


class DuplicateSku(OfThings):
    code = "duplicate_sku"
    title = "SKUs that several variants share"

    def __init__(self, keep: int = KEEP) -> None:
        super().__init__(keep)
        self._at: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self._seen = 0

    def thing(self, row: Thing) -> None:
        if not row.is_sold:
            return
        for one in row.skus:
            sku = (one.sku or "").strip()
            if sku:
                self._seen += 1
                self._at.setdefault((row.store, sku.casefold()), []).append((row.id, f"{sku}: {row.title}"))

    def answer(self) -> list[Found]:
        toll = Toll(self.keep)
        for (store, _), at in sorted(self._at.items()):
            if len(at) > 1:
                toll.product(store, at[0][0], f"{at[0][1]}, {len(at)} variants")
        if not toll.n:
            return []
        return [
            Found(
                code=self.code,
                level=Level.CARE,
                title=self.title,
                what="Whatever goes by SKU, as stock, feeds and reports, takes them for one thing. Capitals do not "
                "count.",
                remedy="Give every variant a SKU of its own in Shopify.",
                owner=Owner.STORE,
                n=toll.n,
                unit="SKUs",
                of=len(self._at),
                examples=toll.examples,
            )
        ]
