"""Read the CSV files that a shop's own admin exports, row by row, whichever of Shopify's dialects they are in.

https://help.shopify.com/en/manual/customers/import-export-customers,
https://help.shopify.com/en/manual/fulfillment/managing-orders/exporting-orders,
https://help.shopify.com/en/manual/products/import-export/using-csv
"""

import csv
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from msgspec import Struct

from isthmus.kit.config_errors import ConfigError
from isthmus.kit.email import normalise_email
from isthmus.kit.money import ZERO
from isthmus.model.audit_rows import CustomerRef, CustomerRow, OrderRow, ProductRow, Sku
from isthmus.model.customer import ChannelConsent

STORE = "shop"
"""What the one store of an export is called: its files do not name it."""

LONGEST_CELL = 16 << 20
"""Characters; descriptions of products are whole web pages."""

_YES = frozenset(("yes", "true", "1"))

_Columns = dict[str, tuple[str, ...]]

# What we call a column, and what Shopify has called it: the newest name first. Those under MUST have to be there.
_CUSTOMERS: _Columns = {
    "email": ("Email",),
    "firstname": ("First Name",),
    "lastname": ("Last Name",),
    "id": ("Customer ID",),
    "phone": ("Phone",),
    "address_phone": ("Default Address Phone",),
    "postcode": ("Default Address Zip", "Zip"),
    "country": ("Default Address Country Code", "Country Code"),
    "accepts": ("Accepts Email Marketing", "Accepts Marketing"),
    "spent": ("Total Spent",),
    "n_orders": ("Total Orders",),
    "tags": ("Tags",),
}
_ORDERS: _Columns = {
    "name": ("Name",),
    "email": ("Email",),
    "total": ("Total",),
    "currency": ("Currency",),
    "created": ("Created at",),
    "id": ("Id",),
    "phone": ("Phone",),
}
_PRODUCTS: _Columns = {
    "handle": ("URL handle", "Handle"),
    "title": ("Title",),
    "sku": ("SKU", "Variant SKU"),
    "price": ("Price", "Variant Price"),
    "image": ("Product image URL", "Image Src"),
    "variant_image": ("Variant image URL", "Variant Image"),
    "option": ("Option1 value", "Option1 Value"),
    "status": ("Status",),
    "published": ("Published on online store", "Published"),
    "gift_card": ("Gift card", "Gift Card"),
    "tags": ("Tags",),
}
_MUST = {
    "customers": ("email", "firstname", "lastname", "spent", "tags"),
    "orders": ("name", "email", "total", "currency", "created"),
    "products": ("handle", "title", "sku", "price", "image"),
}
_COLUMNS: dict[str, _Columns] = {"customers": _CUSTOMERS, "orders": _ORDERS, "products": _PRODUCTS}


class Exports(Struct, frozen=True):
    """The files of a folder, by kind: customers, orders, products; a large shop's come in several."""

    files: Mapping[str, tuple[Path, ...]]

    @property
    def n_bytes(self) -> int:
        return sum(path.stat().st_size for paths in self.files.values() for path in paths)


class Owners:
    """Whose an order is, by its email or phone: the export of orders does not say which customer."""

    def __init__(self) -> None:
        self._by_key: dict[int, str] = {}

    def add(self, row: CustomerRow) -> None:
        for key in _keys(row.email, row.phone):
            self._by_key.setdefault(hash(key), row.who.id)

    def find(self, email: str | None, phone: str | None) -> str | None:
        found = (self._by_key.get(hash(key)) for key in _keys(email, phone))
        return next((one for one in found if one is not None), None)


def find_exports(folder: Path) -> Exports:
    """The exports in a folder: customers_export*.csv, orders_export*.csv, products_export*.csv.

    ConfigError where there is none of them.
    """
    if not folder.is_dir():
        raise ConfigError(f"--from-export: {folder} is no folder; give the one that holds Shopify's CSV exports")
    files = {kind: tuple(sorted(folder.glob(f"{kind}_export*.csv"))) for kind in _COLUMNS}
    found = {kind: paths for kind, paths in files.items() if paths}
    if not found:
        raise ConfigError(
            f"--from-export: {folder} holds no customers_export.csv, orders_export.csv or products_export.csv"
        )
    return Exports(found)


def export_customers(path: Path, currency: str, first: int = 1) -> Iterator[CustomerRow]:
    """One file's customers; `currency` is the shop's, which the file does not name, `first` the number of its first row
    where customers have no id."""
    for line, row in _rows(path, "customers"):
        id_ = _bare(row["id"]) or f"row {first + line - 2}"
        spent = _amount(path, line, _CUSTOMERS["spent"][0], row["spent"]) or ZERO
        yield CustomerRow(
            CustomerRef(STORE, id_, spent, currency),
            email=row["email"].strip() or None,
            phone=_bare(row["phone"]) or None,
            firstname=row["firstname"] or None,
            lastname=row["lastname"] or None,
            postcode=_bare(row["postcode"]) or None,
            country_code=row["country"] or None,
            tags=_tags(row["tags"]),
            email_consent=ChannelConsent("SUBSCRIBED" if row["accepts"].strip().lower() in _YES else "NOT_SUBSCRIBED"),
            n_orders=int(row["n_orders"]) if row["n_orders"].isdecimal() else 0,
        )


def export_orders(path: Path, owners: Owners) -> Iterator[OrderRow]:
    """One file's orders. An order of several lines has several rows, and only the first has its totals."""
    last = ""
    for line, row in _rows(path, "orders"):
        name = row["name"]
        if name == last or not name:
            continue
        last = name
        total = _amount(path, line, "Total", row["total"])
        if total is None:
            raise ConfigError(f"{path.name}: line {line}: the first row of an order has no Total")
        email, phone = row["email"].strip() or None, _bare(row["phone"]) or None
        yield OrderRow(
            STORE,
            _bare(row["id"]) or name,
            name,
            total,
            row["currency"],
            row["currency"],
            day=row["created"][:10],
            email=email,
            phone=phone,
            customer=owners.find(email, phone),
        )


def export_currency(path: Path) -> str:
    """The currency of the first order."""
    return next((row["currency"] for _, row in _rows(path, "orders") if row["currency"]), "")


def export_products(path: Path) -> Iterator[ProductRow]:
    """One file's products. A product of several variants or pictures has several rows."""
    head: dict[str, str] | None = None
    skus: list[Sku] = []
    has_image = False
    for line, row in _rows(path, "products"):
        if head is None or row["handle"] != head["handle"]:
            if head is not None:
                yield _thing(head, skus, has_image=has_image)
            head, skus, has_image = row, [], False
        has_image = has_image or bool(row["image"] or row["variant_image"])
        if row["sku"] or row["price"] or row["option"]:
            price = _amount(path, line, "Price", row["price"])
            skus.append(Sku(f"{row['handle']} {len(skus) + 1}", _bare(row["sku"]) or None, price))
    if head is not None:
        yield _thing(head, skus, has_image=has_image)


def _thing(head: Mapping[str, str], skus: list[Sku], *, has_image: bool) -> ProductRow:
    status = head["status"].strip().lower()
    is_sold = status in ("active", "unlisted") if status else head["published"].strip().lower() in _YES
    return ProductRow(
        STORE,
        head["handle"],
        head["title"],
        tuple(skus),
        is_sold=is_sold,
        has_image=has_image,
        is_gift_card=head["gift_card"].strip().lower() in _YES,
        tags=_tags(head["tags"]),
    )


def _rows(path: Path, kind: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by our names, each with the line it ends on; an absent column is empty."""
    # The module's limit is one for the process; it guards against runaway quotes, which we tell by their line.
    csv.field_size_limit(LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            places = _places(path, kind, header)
            last = max(place for place in places.values() if place is not None)
            for row in reader:
                if not row:
                    continue
                if len(row) <= last:
                    raise ConfigError(f"{path.name}: line {reader.line_num}: has {len(row)} cells of {len(header)}")
                yield reader.line_num, {name: "" if at is None else row[at] for name, at in places.items()}
    except OSError as error:
        raise ConfigError(f"{path.name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{path.name}: is not UTF-8 text; export it again and do not save it in a spreadsheet"
        ) from None
    except csv.Error as error:
        raise ConfigError(f"{path.name}: line {reader.line_num}: is no valid CSV ({error})") from None


def _places(path: Path, kind: str, header: list[str]) -> dict[str, int | None]:
    there = {title.strip(): at for at, title in enumerate(header)}
    places = {
        name: next((there[title] for title in titles if title in there), None)
        for name, titles in _COLUMNS[kind].items()
    }
    missing = [
        " or ".join(f"“{title}”" for title in _COLUMNS[kind][name]) for name in _MUST[kind] if places[name] is None
    ]
    if missing:
        raise ConfigError(
            f"{path.name}: has no column {', '.join(missing)}; is it Shopify's own export of {kind}, unchanged?"
        )
    return places


def _amount(path: Path, line: int, column: str, text: str) -> Decimal | None:
    """An amount, None for an empty cell."""
    bare = _bare(text)
    if not bare:
        return None
    try:
        amount = Decimal(bare)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ConfigError(f"{path.name}: line {line}: column “{column}” holds no amount")
    return amount


def _bare(text: str) -> str:
    """Without the apostrophe that keeps spreadsheets from reading a number."""
    return text.strip().removeprefix("'").strip()


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag for part in text.split(",") if (tag := part.strip()))


def _keys(email: str | None, phone: str | None) -> Iterator[str]:
    address = normalise_email(email)
    if address is not None:
        yield address
    digits = "".join(letter for letter in phone or "" if letter.isdigit())
    if len(digits) >= 6:
        yield digits
