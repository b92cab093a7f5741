"""The checks of an audit."""

from collections.abc import Set
from datetime import date
from decimal import Decimal

from msgspec import Struct

from isthmus.checks.api_version import ApiVersion
from isthmus.checks.check import EXAMPLES_KEPT, Check
from isthmus.checks.consent_between_stores import ConsentBetweenStores
from isthmus.checks.consent_differs import ConsentDiffers
from isthmus.checks.consent_evidence import ConsentEvidence
from isthmus.checks.consent_unknown import ConsentUnknown
from isthmus.checks.currencies import Currencies
from isthmus.checks.duplicate_email import DuplicateEmail
from isthmus.checks.duplicate_name import DuplicateName
from isthmus.checks.duplicate_phone import DuplicatePhone
from isthmus.checks.duplicate_sku import DuplicateSku
from isthmus.checks.guest_orders import GuestOrders
from isthmus.checks.invalid_email import InvalidEmail
from isthmus.checks.load_time import LoadTime
from isthmus.checks.metafields import Mapped, Metafields
from isthmus.checks.no_email import NoEmail
from isthmus.checks.no_image import NoImage
from isthmus.checks.no_price import NoPrice
from isthmus.checks.no_sku import NoSku
from isthmus.checks.order_history_limit import OrderHistoryLimit
from isthmus.checks.other_writers import OtherWriters
from isthmus.checks.over_limits import OverLimits
from isthmus.checks.ownerless_orders import OwnerlessOrders
from isthmus.checks.protected_data import ProtectedData
from isthmus.checks.role_address import RoleAddress
from isthmus.checks.scopes import Scopes
from isthmus.checks.shop_identity import ShopIdentity
from isthmus.checks.subscriptions import Subscriptions
from isthmus.checks.tag_spelling import TagSpelling


class Setting(Struct, frozen=True):
    """What checks must know beside what they are shown.

    `reporting` is Ometria's currency and `rated` those with a rate to it; `is_decided` says whether the connection
    tells how another writer's records are taken over. `mapped` are the custom fields of its mapping file.
    """

    today: date
    pushes_per_second: Decimal
    reporting: str | None = None
    rated: Set[str] = frozenset()
    is_decided: bool = False
    mapped: Set[Mapped] = frozenset()
    keep: int = EXAMPLES_KEPT


def all_checks(setting: Setting) -> list[Check]:
    """All checks there are, fresh."""
    keep = setting.keep
    return [
        Scopes(keep),
        ShopIdentity(keep),
        ApiVersion(setting.today, keep),
        Subscriptions(keep),
        ProtectedData(keep),
        OrderHistoryLimit(keep),
        OtherWriters(setting.is_decided, keep),
        ConsentDiffers(keep),
        ConsentBetweenStores(keep),
        ConsentEvidence(keep),
        ConsentUnknown(keep),
        DuplicateEmail(keep),
        DuplicatePhone(keep),
        DuplicateName(keep),
        NoEmail(keep),
        InvalidEmail(keep),
        RoleAddress(keep),
        GuestOrders(keep),
        OwnerlessOrders(keep),
        Currencies(setting.reporting, setting.rated, keep),
        NoSku(keep),
        DuplicateSku(keep),
        NoPrice(keep),
        NoImage(keep),
        TagSpelling(keep),
        Metafields(keep, setting.mapped),
        OverLimits(keep),
        LoadTime(setting.pushes_per_second, keep),
    ]
