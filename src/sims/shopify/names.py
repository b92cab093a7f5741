"""Words the seeded merchant is made of: people, places, products."""

from __future__ import annotations

from typing import NamedTuple


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Place(NamedTuple):
    """Where somebody lives."""

    city: str
    zip: str
    street: str
    country: str
    country_code: str
    dial: str


FIRST = _words(
    """
    Ada Alan Alma Amir Anna Aoife Arjun Astrid Ben Bea Carlos Chloe Clara Daan David Dina Elif Ella Emil Emma Erik
    Eva Fatima Felix Finn Freya Greta Hana Hugo Ida Imran Ines Ivy Jack Jana Jonas Julia Kai Karin Lars Leah Leo
    Lina Lucas Luis Maja Marie Marta Max Mia Milan Mina Nadia Nina Noah Nora Olga Omar Oscar Paula Pia Rosa Ruth
    Sam Sara Seán Sofia Tara Theo Tim Vera Viktor Wanda Yara Zoë Łukasz Søren Björn 美咲 محمد
    """
)

LAST = _words(
    """
    Adler Andersson Baker Becker Berg Bianchi Brown Carter Clark Costa Dubois Evans Fischer Garcia Green Hall
    Hansen Hughes Ivanov Jensen Jones Kelly Khan King Klein Kovács Larsen Lee Lewis Lindqvist Martin Meyer Moreau
    Murphy Nguyen Nielsen Novak O'Brien Okafor Olsson Patel Petit Popov Quinn Rossi Roy Schmidt Silva Singh Smith
    Svensson Taylor Thomas Vega Walker Weber White Wilson Wójcik Young Zhang
    """
)

UK_PLACES = (
    Place("London", "N1 7AA", "Camden Passage", "United Kingdom", "GB", "+4479111"),
    Place("Leeds", "LS1 4DY", "Park Row", "United Kingdom", "GB", "+4479112"),
    Place("Bristol", "BS1 5TR", "Corn Street", "United Kingdom", "GB", "+4479113"),
    Place("Edinburgh", "EH1 1YZ", "Royal Mile", "United Kingdom", "GB", "+4479114"),
)

INT_PLACES = (
    Place("Berlin", "10115", "Torstraße", "Germany", "DE", "+4915111"),
    Place("Paris", "75011", "Rue Oberkampf", "France", "FR", "+336121"),
    Place("Madrid", "28004", "Calle de Fuencarral", "Spain", "ES", "+346111"),
    Place("Stockholm", "111 29", "Götgatan", "Sweden", "SE", "+467021"),
    Place("New York", "10012", "Spring Street", "United States", "US", "+121255"),
)

THINGS = (
    ("T-Shirt", "Tops", 1900, "gid://shopify/TaxonomyCategory/aa-1-13-8", "Apparel & Accessories > Clothing > Tops"),
    ("Shirt", "Tops", 4900, "gid://shopify/TaxonomyCategory/aa-1-13-8", "Apparel & Accessories > Clothing > Tops"),
    ("Jeans", "Trousers", 7900, "gid://shopify/TaxonomyCategory/aa-1-12", "Apparel & Accessories > Clothing > Pants"),
    ("Jumper", "Knitwear", 6900, "gid://shopify/TaxonomyCategory/aa-1-13", "Apparel & Accessories > Clothing"),
    ("Coat", "Outerwear", 18900, "gid://shopify/TaxonomyCategory/aa-1-10", "Apparel & Accessories > Outerwear"),
    ("Boots", "Shoes", 12900, "gid://shopify/TaxonomyCategory/aa-8", "Apparel & Accessories > Shoes"),
    ("Bag", "Bags", 8900, "gid://shopify/TaxonomyCategory/aa-5", "Apparel & Accessories > Handbags"),
    ("Mug", "Home", 1200, "gid://shopify/TaxonomyCategory/hg-11", "Home & Garden > Kitchen & Dining"),
    ("Candle", "Home", 2400, "gid://shopify/TaxonomyCategory/hg-3", "Home & Garden > Decor"),
    ("Lamp", "Home", 9900, "gid://shopify/TaxonomyCategory/hg-13", "Home & Garden > Lighting"),
)

ADJECTIVES = _words(
    """
    Classic Linen Organic Merino Everyday Heavy Light Brushed Recycled Waxed Striped Plain Cropped Oversized
    Vintage Nordic
    """
)

COLOURS = ("Black", "White", "Navy", "Olive", "Rust", "Sand")
SIZES = ("XS", "S", "M", "L", "XL")
VENDORS = ("Acme", "Northwind", "Fjord & Co", "Käse GmbH")
PRODUCT_TAGS = ("new", "sale", "organic", "bestseller", "winter", "summer", "gift idea")
CUSTOMER_TAGS = ("VIP", "wholesale", "newsletter", "staff", "Loyalty: Gold", "press", "at risk")
DISCOUNTS = (("WELCOME10", "0.10"), ("SUMMER15", "0.15"), ("FRIENDS20", "0.20"), ("ODD7", "0.07"))
