"""The body of a customer webhook: who somebody is. Tags, consent and counts are not in it since 2025-01.

https://shopify.dev/docs/api/webhooks/2026-10?reference=toml#list-of-topics-customers/update
"""

from msgspec import Struct, structs

from isthmus.model.customer import Customer
from isthmus.shopify.parse.common_rest import RestAddress
from isthmus.shopify.parse.json import Id, When, json_reader, to_utc
from isthmus.shopify.parse.street_address import house_number


class _Customer(Struct, gc=False):
    id: Id
    created_at: When
    updated_at: When
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    state: str | None = None
    verified_email: bool | None = None
    default_address: RestAddress | None = None


_read = json_reader(_Customer)

_ONLY_READ = (
    "locale",
    "tags",
    "email_consent",
    "sms_consent",
    "n_orders",
    "amount_spent",
    "is_read",
    "metafields",
    "redacted_at",
)


def parse_customer_webhook(body: bytes) -> Customer:
    """Read one customer body; what only a reading can tell stays None.

    Raises RejectedError `storefront.unreadable_body` with the path of what is wrong.
    """
    raw = _read(body)
    place = raw.default_address
    return Customer(
        id=raw.id,
        created_at=to_utc(raw.created_at),
        updated_at=to_utc(raw.updated_at),
        email=raw.email or None,
        phone=raw.phone or None,
        firstname=raw.first_name or None,
        lastname=raw.last_name or None,
        state=raw.state.upper() if raw.state else None,
        is_email_verified=bool(raw.verified_email),
        country_code=place.country_code or None if place is not None else None,
        city=place.city or None if place is not None else None,
        postcode=place.zip or None if place is not None else None,
        house=house_number(place.address1) if place is not None else None,
        address_phone=place.phone or None if place is not None else None,
    )


def overlay_customer(known: Customer, body: Customer) -> Customer:
    """What is known, with the body of a newer delivery laid over it: what only a reading tells stays as it was read."""
    return structs.replace(body, **{name: getattr(known, name) for name in _ONLY_READ})
