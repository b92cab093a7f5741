"""Dice with a meaning: people, products and baskets drawn at random, the same for the history and for the life."""

from __future__ import annotations

import base64
import random
from datetime import datetime, timedelta
from decimal import Decimal

from sims.shopify import money, names
from sims.shopify.baskets import Checkout, CheckoutLine
from sims.shopify.deeds.placing import Basket, Custom
from sims.shopify.state import (
    ZERO,
    Address,
    Customer,
    EmailConsent,
    Image,
    Metafield,
    Product,
    SmsConsent,
    Store,
    Variant,
    World,
)

RATES = {"USD": Decimal("1.0837"), "SEK": Decimal("11.4312"), "EUR": Decimal("1.1712")}


def weighted(rng: random.Random, *choices: tuple[str, float]) -> str:
    """Draw a name by weight; the weights sum to one, the last takes the rest."""
    dice = rng.random()
    for name, weight in choices:
        dice -= weight
        if dice < 0:
            return name
    return choices[-1][0]


def token(rng: random.Random) -> str:
    """Draw a token as long as a checkout's."""
    return f"{rng.getrandbits(128):032x}"


def cart(rng: random.Random) -> str:
    """Draw a cart's token, in one of the two forms that were seen: never the checkout's."""
    bits = rng.getrandbits(128)
    plain = f"{bits:032x}"
    return f"c1-{plain}" if bits & 1 else base64.urlsafe_b64encode(f"gcp-us:{plain[:20]}".encode()).decode().rstrip("=")


_NO_ADDRESS = ("list", "list", "list", "absent", "object", "nulls", "null", "list")


def _is_hex(text: str) -> bool:
    return bool(text) and all(letter in "0123456789abcdef" for letter in text)


def recovery(store: Store, checkout: str, cart: str | None, key: str) -> str:
    """Write the address by which a customer comes back to a checkout; it carries the cart's token (two captures of
    2023 and 2024). Without a cart, and now and then with one, it is of an older shape (ASSUMED)."""
    own = int(checkout[:4], 16) if _is_hex(checkout[:4]) else 0
    if cart is None or own % 20 == 7:
        return f"https://{store.shop.domain}/{store.shop.id}/checkouts/{checkout}/recover?key={key}"
    where = "cn" if own % 3 == 2 else "ac"
    return f"https://{store.shop.domain}/{store.shop.id}/checkouts/{where}/{cart}/recover?key={key}"


def customer(world: World, store: Store, rng: random.Random, at: datetime, email: str | None = None) -> Customer:
    """Draw a person who is new to the store; some have no email, some no phone, a few neither."""
    first, last = rng.choice(names.FIRST), rng.choice(names.LAST)
    number = world.next_id()
    place = _place(store, rng)
    kind = "email" if email else weighted(rng, ("email", 0.80), ("both", 0.14), ("phone", 0.05), ("neither", 0.01))
    if kind in ("email", "both") and email is None:
        email = free_email(store, rng, first, last)
    phone = free_phone(store, rng, place) if kind in ("both", "phone") else None
    made = Customer(
        id=number,
        created_at=at,
        updated_at=at,
        email=email,
        phone=phone,
        first_name=first if rng.random() < 0.95 else None,
        last_name=last if rng.random() < 0.95 else None,
        state="ENABLED" if rng.random() < 0.3 else "DISABLED",
        verified_email=rng.random() < 0.9,
        locale=_locale(place.country_code),
        tags=sorted(rng.sample(names.CUSTOMER_TAGS, rng.choice((0, 0, 0, 1, 1, 2))), key=str.lower),
    )
    if rng.random() < 0.8:
        made.default_address = _address(world, rng, made, place)
        made.addresses.append(made.default_address)
    if made.email:
        made.email_consent = email_consent(rng, at)
    if made.phone:
        made.sms_consent = sms_consent(rng, at)
    if rng.random() < 0.2:
        made.note = "prefers parcels at work"
    if rng.random() < 0.15:
        points = str(rng.randrange(1000))
        made.metafields.append(Metafield(world.next_id(), "loyalty", "points", "number_integer", points, at))
    return made


def be(one: Customer, human: Customer) -> None:
    """Make a new account that of a human who has another already: they go by the same name (ASSUMED)."""
    one.human = human.human or human.id
    one.first_name, one.last_name = human.first_name, human.last_name
    for place in {id(place): place for place in (*one.addresses, one.default_address) if place is not None}.values():
        place.first_name, place.last_name = human.first_name, human.last_name


def email_consent(rng: random.Random, at: datetime) -> EmailConsent:
    """Draw the email consent of a new customer; one who was never asked has no time of consent (seen live)."""
    state = weighted(
        rng, ("SUBSCRIBED", 0.45), ("UNSUBSCRIBED", 0.12), ("PENDING", 0.03), ("INVALID", 0.005), ("NOT_SUBSCRIBED", 1)
    )
    if state == "NOT_SUBSCRIBED":
        return EmailConsent()
    level = "CONFIRMED_OPT_IN" if state == "PENDING" or rng.random() < 0.3 else "SINGLE_OPT_IN"
    return EmailConsent(state, level, at)


def sms_consent(rng: random.Random, at: datetime) -> SmsConsent:
    """Draw the text message consent of a new customer."""
    state = weighted(rng, ("SUBSCRIBED", 0.3), ("UNSUBSCRIBED", 0.1), ("NOT_SUBSCRIBED", 1))
    return SmsConsent() if state == "NOT_SUBSCRIBED" else SmsConsent(state, "SINGLE_OPT_IN", at, "SHOPIFY")


def free_email(store: Store, rng: random.Random, first: str, last: str) -> str:
    """Draw an address that nobody in the store has."""
    plain = "".join(letter for letter in f"{first}.{last}".lower() if letter.isascii() and letter not in " '")
    while True:
        email = f"{plain or 'x'}{rng.randrange(10_000_000)}@example.com"
        if email not in store.by_email:
            return email


def free_phone(store: Store, rng: random.Random, place: names.Place | None = None) -> str:
    """Draw a number that nobody in the store has."""
    place = place or _place(store, rng)
    while True:
        phone = f"{place.dial}{rng.randrange(100_000, 999_999)}"
        if phone not in store.by_phone:
            return phone


def product(world: World, rng: random.Random, at: datetime, number: int) -> Product:
    """Draw a product: one to a dozen variants, some without SKU or picture, some drafts and archived."""
    thing, kind, cents, category, category_name = rng.choice(names.THINGS)
    title = f"{rng.choice(names.ADJECTIVES)} {thing}"
    status = weighted(rng, ("ACTIVE", 0.88), ("DRAFT", 0.05), ("ARCHIVED", 0.06), ("UNLISTED", 1))
    product_id = world.next_id()
    options, values = _options(rng, kind)
    price = Decimal(max(500, cents + rng.randrange(-5, 20) * 50 - 1)) / 100
    bare = rng.random() < 0.06
    images = [
        Image(world.next_id(), f"https://cdn.shopify.com/s/files/1/{number}/p{product_id}-{n}.jpg", title, n)
        for n in range(1, rng.choice((1, 2, 2, 3, 4)))
    ]
    variants = [
        Variant(
            id=world.next_id(),
            product_id=product_id,
            inventory_item_id=world.next_id(),
            created_at=at,
            updated_at=at,
            title=" / ".join(value) if value else "Default Title",
            position=n,
            price=price if rng.random() < 0.9 else price + 5,
            compare_at_price=price + 10 if rng.random() < 0.2 else None,
            sku=None if bare or rng.random() < 0.02 else f"{thing[:3].upper()}-{number:05d}-{n:02d}",
            barcode=f"50{rng.randrange(10**10, 10**11)}" if rng.random() < 0.6 else None,
            inventory_quantity=rng.choice((0, 3, 12, 40, 120)),
            options=value or ("Default Title",),
            image_id=images[0].id if images and rng.random() < 0.5 else None,
            grams=rng.randrange(50, 2000),
        )
        for n, value in enumerate(values, 1)
    ]
    return Product(
        id=product_id,
        created_at=at,
        updated_at=at,
        title=title,
        handle=f"{title.lower().replace(' ', '-')}-{number}",
        body_html=f"<p>{title}, made to last.</p>",
        vendor=rng.choice(names.VENDORS),
        product_type=kind,
        status=status,
        published_at=at if status in ("ACTIVE", "UNLISTED") else None,
        tags=sorted(rng.sample(names.PRODUCT_TAGS, rng.randrange(3))),
        options=options,
        variants=variants,
        images=images,
        category=(category, category_name) if rng.random() < 0.8 else None,
    )


_DELIVERIES = {0: "PICK_UP", 1: "PICK_UP", 2: "LOCAL", 3: "PICKUP_POINT"}
"""How some web orders reach their buyer, of 25 (ASSUMED); the others are shipped."""


def basket(store: Store, rng: random.Random, at: datetime, buyer: Customer | None, shelf: list[Variant]) -> Basket:
    """Draw what somebody orders from a shelf of variants: an order of a customer, or a guest's."""
    shop = store.shop
    place = _place(store, rng)
    goods: dict[int, tuple[Variant | Custom, int]] = {}
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        good = rng.choice(shelf)
        goods[good.id] = (good, rng.choice((1, 1, 1, 1, 2, 3)))
    lines = list(goods.values())
    if rng.random() < 0.04:
        lines.append((Custom("Engraving", Decimal("7.50"), sku="ENG" if rng.random() < 0.5 else None), 1))
    if rng.random() < 0.02:
        lines.append((Custom("Tip", Decimal("2.00"), is_tip=True), 1))
    is_abroad = place.country_code == "US"
    currency, rate = _currency(store, rng, place)
    source = weighted(rng, ("web", 0.86), ("pos", 0.07), ("shopify_draft_order", 0.03), ("580111", 1))
    made = Basket(
        at=at,
        goods=lines,
        customer=buyer,
        presentment_currency=currency,
        rate=rate,
        tax_rate=Decimal("0.0825") if is_abroad else shop.tax_rate,
        taxes_included=not is_abroad,
        source_name=source,
        gateway=weighted(
            rng, ("shopify_payments", 0.7), ("paypal", 0.2), ("gift_card", 0.02), ("manual", 0.03), ("klarna", 1)
        ),
        test=rng.random() < 0.015,
        buyer_accepts_marketing=rng.random() < 0.3,
        locale=_locale(place.country_code),
        tags=["gift"] if rng.random() < 0.05 else [],
    )
    if source != "pos":
        made.shipping = rng.choice((ZERO, Decimal("3.95"), Decimal("4.99"), Decimal("12.50")))
    if source == "web":
        made.checkout_token, made.cart_token = token(rng), cart(rng)
        made.delivery = _DELIVERIES.get(int(made.checkout_token[-3:], 16) % 25)
    if rng.random() < 0.2:
        made.discount_code, discount = rng.choice(names.DISCOUNTS)
        made.discount_rate = Decimal(discount)
    elif made.shipping and rng.random() < 0.05:
        made.discount_code, made.shipping_discount = "FREESHIP", True
    first, last = rng.choice(names.FIRST), rng.choice(names.LAST)
    if buyer:
        made.email, made.phone = buyer.email, buyer.phone
        first, last = buyer.first_name or first, buyer.last_name or last
    elif source != "pos":
        made.email = _shouted(rng, free_email(store, rng, first, last))
    if source != "pos":
        made.address = Address(
            0,
            first,
            last,
            f"{rng.randrange(1, 200)} {place.street}",
            place.city,
            place.zip,
            place.country,
            place.country_code,
            phone=made.phone,
        )
    return made


def checkout(world: World, store: Store, rng: random.Random, made: Basket) -> Checkout:
    """Turn a basket into a checkout that has only just been started: nobody knows whose it is yet."""
    lines = [
        CheckoutLine(
            world.next_id(),
            good.id,
            good.product_id,
            store.products[good.product_id].title,
            good.title,
            good.sku,
            store.products[good.product_id].vendor,
            quantity,
            money.exchange(good.price, made.rate),
        )
        for good, quantity in made.goods
        if isinstance(good, Variant)
    ]
    worth = money.total(money.times(one.price, one.quantity) for one in lines)
    key = made.checkout_token or token(rng)
    return Checkout(
        id=world.next_id(),
        token=key,
        cart_token=made.cart_token,
        created_at=made.at,
        updated_at=made.at,
        currency=store.shop.currency,
        presentment_currency=made.presentment_currency or store.shop.currency,
        lines=lines,
        total_tax=money.embedded(worth, made.tax_rate, made.taxes_included),
        taxes_included=made.taxes_included,
        locale=made.locale,
        abandoned_checkout_url=recovery(store, key, made.cart_token, token(rng)),
        no_address=_NO_ADDRESS[int(key[4:6], 16) % len(_NO_ADDRESS)] if _is_hex(key[4:6]) else "list",
    )


def identify(one: Checkout, made: Basket) -> None:
    """Let the person of a checkout type in who they are."""
    one.email, one.phone = made.email, made.phone
    one.customer_id = made.customer.id if made.customer else None
    if int(one.token[-2:], 16) % 9 >= 4 if _is_hex(one.token[-2:]) else True:
        one.shipping_address = one.billing_address = made.address  # others are left at the contact step (seen: 4 of 9)
    one.buyer_accepts_marketing = made.buyer_accepts_marketing
    if made.shipping is not None:
        one.shipping_price = money.exchange(made.shipping, made.rate)


def later(rng: random.Random, at: datetime, hours: float) -> datetime:
    """Draw a moment within the hours after another, in whole seconds."""
    return at + timedelta(seconds=int(rng.random() * hours * 3600) + 1)


def _options(rng: random.Random, kind: str) -> tuple[list[tuple[str, tuple[str, ...]]], list[tuple[str, ...]]]:
    if kind in ("Home", "Bags") and rng.random() < 0.6:
        return [("Title", ("Default Title",))], [()]
    colours = tuple(rng.sample(names.COLOURS, rng.randrange(1, 4)))
    if kind in ("Home", "Bags"):
        return [("Colour", colours)], [(colour,) for colour in colours]
    sizes = names.SIZES[rng.randrange(2) : rng.randrange(3, 6)]
    return [("Colour", colours), ("Size", sizes)], [(colour, size) for colour in colours for size in sizes]


def _currency(store: Store, rng: random.Random, place: names.Place) -> tuple[str, Decimal | None]:
    home = store.shop.currency
    wanted = {"US": "USD", "SE": "SEK"}.get(place.country_code, home)
    if home == "GBP" and rng.random() < 0.05:
        wanted = "EUR"
    if wanted == home or wanted not in store.shop.presentment_currencies or rng.random() < 0.3:
        return home, None
    return wanted, RATES[wanted]


def _shouted(rng: random.Random, email: str) -> str:
    """Type an address the way people do: now and then with capitals or a stray space."""
    dice = rng.random()
    return email.title() if dice < 0.05 else f" {email} " if dice < 0.08 else email


def _place(store: Store, rng: random.Random) -> names.Place:
    return rng.choice(names.UK_PLACES if store.shop.country_code == "GB" else names.INT_PLACES)


def _address(world: World, rng: random.Random, one: Customer, place: names.Place) -> Address:
    return Address(
        world.next_id(),
        one.first_name,
        one.last_name,
        f"{rng.randrange(1, 200)} {place.street}",
        place.city,
        place.zip,
        place.country,
        place.country_code,
        phone=one.phone,
    )


def _locale(country_code: str) -> str:
    return {"DE": "de", "FR": "fr", "ES": "es", "SE": "sv"}.get(country_code, "en")
