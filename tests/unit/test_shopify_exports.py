"""The CSV files that a shop's admin exports, in every dialect that was seen."""

from decimal import Decimal
from pathlib import Path

import pytest

from isthmus.kit.config_errors import ConfigError
from isthmus.shopify import exports
from isthmus.shopify.exports import Owners

NEW_CUSTOMERS = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax "
    "Exempt,Tags"
)
OLD_CUSTOMERS = (
    "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,Province Code,Country,"
    "Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt"
)
ORDERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Cancelled at,Id,Tags,Phone"
)
NEW_PRODUCTS = (
    "Title,URL handle,Tags,Published on online store,Status,SKU,Option1 value,Price,Product image URL,Gift card"
)
OLD_PRODUCTS = "Handle,Title,Tags,Published,Option1 Value,Variant SKU,Variant Price,Image Src,Gift Card,Variant Image"


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\r\n".join(lines) + "\r\n", encoding=encoding, newline="")
    return path


def customer(**cells: str) -> str:
    names = NEW_CUSTOMERS.split(",")
    return ",".join(cells.get(name.replace(" ", "_"), "") for name in names)


def order(**cells: str) -> str:
    return ",".join(cells.get(name.replace(" ", "_"), "") for name in ORDERS.split(","))


def test_customers_of_today(tmp_path: Path):
    told = customer(
        Customer_ID="'7210448301122", First_Name="Ada", Email="ada@x.com ", Phone="'+447911123456", Total_Spent="79.80",
        Total_Orders="2", Tags='"vip, gift "', Default_Address_Zip="'LS1 4AP", Default_Address_Country_Code="GB",
        Accepts_Email_Marketing="yes",
    )  # fmt: skip
    (one,) = exports.export_customers(write(tmp_path / "c.csv", NEW_CUSTOMERS, told, encoding="utf-8-sig"), "GBP")
    assert (one.who.id, one.who.spent, one.who.currency) == ("7210448301122", Decimal("79.80"), "GBP")
    assert (one.email, one.phone, one.postcode, one.tags) == ("ada@x.com", "+447911123456", "LS1 4AP", ("vip", "gift"))
    assert one.email_consent is not None
    assert (one.email_consent.state, one.n_orders, one.lastname) == ("SUBSCRIBED", 2, None)


def test_customers_of_an_older_dialect_have_the_number_of_their_row(tmp_path: Path):
    row = "Ada,Byron,ada@x.com,no,,1 High St,,Leeds,,,United Kingdom,GB,LS1 4AP,,no,0.00,0,,,no"
    (one,) = exports.export_customers(write(tmp_path / "c.csv", OLD_CUSTOMERS, row), "GBP")
    assert (one.who.id, one.postcode, one.country_code) == ("row 1", "LS1 4AP", "GB")


def test_a_cell_may_hold_commas_quotes_and_lines(tmp_path: Path):
    told = customer(First_Name='"A ""B"", C\nD"', Email="a@x.com", Total_Spent="1")
    (one,) = exports.export_customers(write(tmp_path / "c.csv", NEW_CUSTOMERS, told), "GBP")
    assert one.firstname == 'A "B", C\nD'


def test_an_order_of_several_lines_is_one_order(tmp_path: Path):
    rows = [
        order(Name="#1001", Email="ada@x.com", Total="56.29", Currency="USD", Created_at="2026-09-03 10:14:00 -0400",
              Lineitem_name="Fern", Id="5550000001"),
        order(Name="#1001", Email="ada@x.com", Lineitem_name="Tote"),
        order(Name="#1002", Total="25.00", Currency="USD", Created_at="2026-09-04 10:14:00 -0400", Id="5550000002"),
    ]  # fmt: skip
    owners = Owners()
    (ada,) = exports.export_customers(
        write(tmp_path / "c.csv", NEW_CUSTOMERS, customer(Email="Ada@X.com", Total_Spent="1")), ""
    )
    owners.add(ada)
    one, two = exports.export_orders(write(tmp_path / "o.csv", ORDERS, *rows), owners)
    assert (one.id, one.total, one.currency, one.day, one.customer) == (
        "5550000001", Decimal("56.29"), "USD", "2026-09-03", "row 1",
    )  # fmt: skip
    assert (two.name, two.email, two.customer) == ("#1002", None, None)


def test_an_order_is_also_its_owners_by_phone(tmp_path: Path):
    owners = Owners()
    (one,) = exports.export_customers(
        write(tmp_path / "c.csv", NEW_CUSTOMERS, customer(Phone="'+44 7911 123456", Total_Spent="1")), ""
    )
    owners.add(one)
    assert owners.find(None, "+447911123456") == "row 1"
    assert owners.find("nobody@x.com", None) is None


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (NEW_PRODUCTS, ["Mug,mug,Sale,true,active,M-1,Red,9.50,https://x/1.png,false", ",mug,,,,,Blue,9.50,,", ",mug,,,,,,,https://x/2.png,"]),
        (OLD_PRODUCTS, ["mug,Mug,Sale,true,Red,M-1,9.50,https://x/1.png,false,", "mug,,,,Blue,,9.50,,,", "mug,,,,,,,https://x/2.png,,"]),
    ],
)  # fmt: skip
def test_a_product_of_several_variants_and_pictures_is_one_product(tmp_path: Path, header: str, rows: list[str]):
    (one,) = exports.export_products(write(tmp_path / "p.csv", header, *rows))
    assert (one.id, one.title, one.tags, one.is_sold, one.has_image) == ("mug", "Mug", ("Sale",), True, True)
    assert [(sku.sku, sku.price) for sku in one.skus] == [("M-1", Decimal("9.50")), (None, Decimal("9.50"))]


def test_a_draft_is_not_sold_and_a_variants_own_picture_is_one(tmp_path: Path):
    rows = ["Mug,mug,,true,draft,M-1,Red,9.50,,false", "Cup,cup,,false,,C-1,Red,,,true"]
    draft, hidden = exports.export_products(write(tmp_path / "p.csv", NEW_PRODUCTS, *rows))
    assert (draft.is_sold, draft.has_image, hidden.is_sold, hidden.is_gift_card) == (False, False, False, True)
    assert hidden.skus[0].price is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["First Name,Email"],
            "c.csv: has no column “Last Name”, “Total Spent”, “Tags”; is it Shopify's own export of",
        ),
        ([NEW_CUSTOMERS, customer(Total_Spent="a lot")], "c.csv: line 2: column “Total Spent” holds no amount"),
        ([NEW_CUSTOMERS, "1,Ada"], "c.csv: line 2: has 2 cells of 20"),
        ([NEW_CUSTOMERS, '"1'], "c.csv: line 2: is no valid CSV"),
        ([""], "c.csv: has no column"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line_and_column(tmp_path: Path, lines: list[str], said: str):
    path = write(tmp_path / "c.csv", *lines)
    with pytest.raises(ConfigError, match="^" + said):
        list(exports.export_customers(path, "GBP"))


def test_a_file_in_another_encoding_says_so(tmp_path: Path):
    path = write(tmp_path / "c.csv", NEW_CUSTOMERS, customer(First_Name="Zoë", Total_Spent="1"), encoding="utf-16")
    with pytest.raises(ConfigError, match=r"^c\.csv: is not UTF-8 text; export it again"):
        list(exports.export_customers(path, "GBP"))


def test_files_are_found_by_their_names(tmp_path: Path):
    for name in ("customers_export.csv", "orders_export_1.csv", "orders_export_2.csv", "other.csv"):
        write(tmp_path / name, "x")
    found = exports.find_exports(tmp_path)
    assert {kind: [path.name for path in paths] for kind, paths in found.files.items()} == {
        "customers": ["customers_export.csv"],
        "orders": ["orders_export_1.csv", "orders_export_2.csv"],
    }


def test_a_folder_without_exports_says_what_it_should_hold(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"holds no customers_export\.csv, orders_export\.csv or products_export\.csv"
    ):
        exports.find_exports(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        exports.find_exports(tmp_path / "nowhere")
