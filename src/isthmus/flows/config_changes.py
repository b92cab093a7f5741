"""Look once a day whether the ground has moved: versions, scopes, settings, secrets, limits; each difference a case."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.config_changes import calendar, rules
from isthmus.config_changes import sql as governance
from isthmus.config_changes.result import CheckOutcome, CheckResult, could_not_look, found_or_not, nothing_to_judge
from isthmus.config_changes.rules import Age, Remembered, SecretAge
from isthmus.config_changes.sql import Snapshot
from isthmus.db.pool import Database, Tx
from isthmus.model.failure import Failure
from isthmus.runs.sql import watermarks as runs
from isthmus.shopify import access, shop_settings
from isthmus.shopify.access import Access, AccessFinding, Expected
from isthmus.shopify.client import Shopify
from isthmus.shopify.shop_settings import ShopSettings

T = TypeVar("T")

MARK = "govern"
"""The watermark that says when everything was last looked at."""

TRIED = "govern:tried"
"""The one that says when somebody last began to."""

COUNTED_FOR = timedelta(hours=20)
"""How long pushes are counted before the count begins again: nearly a day, however often somebody looks by hand."""

SETTING = "storefront.setting_changed"
SCOPES = "storefront.scopes_changed"
DATA = "storefront.protected_data_missing"
SUBSCRIPTIONS = "integration.subscriptions_differ"
OF_ACCESS = (
    "storefront.moved",
    "storefront.scope_missing",
    "storefront.api_version",
    "integration.currency_differs",
    SUBSCRIPTIONS,
)
"""What the look that `connect` takes can find."""


class WatchedStore(Struct, frozen=True):
    """A store to look at. Of a fixed token nobody tells how long it is good for."""

    shop: Shopify
    expected: Expected
    has_fixed_token: bool = False


class StoreReading(Struct, frozen=True):
    """What was read of a store; a failure in place of what could not be."""

    access: Access | Failure
    standing: ShopSettings | Failure
    addresses: tuple[int, int] | Failure


def check_config_changes(
    db: Database,
    connection: str,
    now: datetime,
    stores: Mapping[str, WatchedStore],
    secrets: Sequence[SecretAge],
    push_per_second: float,
) -> list[CheckResult]:
    """Look at everything, keep what was seen, and make a case of each difference; changes nothing on either side.

    Only what was looked at and found fixed closes a case.
    """
    with db.transaction() as tx:
        runs.advance_watermark(tx, connection, "", TRIED, now, 0)
    seen = {name: _read(watched.shop, watched.expected) for name, watched in stores.items()}
    with db.transaction() as tx:
        before = governance.load_snapshots(tx, connection)
        books = governance.push_counts(tx, connection)
        verdicts = [*rules.check_secrets(secrets), _limits(before.get(("", "limits")), books, push_per_second)]
        for name, watched in stores.items():
            verdicts += _of_access(name, watched.expected, seen[name].access)
            verdicts += [_of_token(name, watched, seen[name].access), _of_data(name, seen[name].addresses)]
            verdicts += _of_versions(name, watched.shop.api_version, seen[name].standing, now)
            verdicts += _of_changes(tx, connection, name, seen[name], before, now)
        _tell(tx, connection, verdicts, now)
        governance.save_snapshot(tx, connection, "", "verdicts", {"verdicts": msgspec.to_builtins(verdicts)}, now)
        if (last := before.get(("", "limits"))) is None or now - last.at >= COUNTED_FOR:
            governance.save_snapshot(tx, connection, "", "limits", dict(books), now)
        governance.save_snapshot(tx, connection, "", "secrets", _ages(before.get(("", "secrets")), secrets, now), now)
        runs.advance_watermark(tx, connection, "", MARK, now, sum(one.answer is CheckOutcome.FOUND for one in verdicts))
    return verdicts


def _read(shop: Shopify, expected: Expected) -> StoreReading:
    return StoreReading(
        access=_tried(lambda: access.inspect_access(shop, expected)),
        standing=_tried(lambda: shop_settings.read_shop_settings(shop)),
        addresses=_tried(lambda: shop_settings.count_newest_addresses(shop)),
    )


def _tried(look: Callable[[], T]) -> T | Failure:
    try:
        return look()
    except Failure as failure:
        return failure


def _tell(tx: Tx, connection: str, verdicts: Sequence[CheckResult], now: datetime) -> None:
    found = [one for one in verdicts if one.answer is CheckOutcome.FOUND]
    touches = [Touch(one.code, one.subject, one.store, one.detail, due_on=one.due_on) for one in found]
    cases.open_or_count(tx, connection, touches, now)
    for one in verdicts:
        if one.answer is CheckOutcome.NOT_FOUND:
            cases.resolve_by_code(tx, connection, one.code, now, "govern", subjects=[one.subject], store=one.store)


# One thing after the other -------------------------------------------------------------------------------------------


def _of_access(store: str, expected: Expected, seen: Access | Failure) -> list[CheckResult]:
    if isinstance(seen, Failure):
        return [could_not_look(code, str(seen), store) for code in OF_ACCESS]
    return [
        could_not_look(code, "without web.public_url nobody knows where webhooks should arrive", store)
        if code == SUBSCRIPTIONS and expected.uri is None
        else _found(code, [finding for finding in seen.findings if finding.code == code], store)
        for code in OF_ACCESS
    ]


def _found(code: str, findings: Sequence[AccessFinding], store: str) -> CheckResult:
    """A difference that the connection file accepts is told, and is no case."""
    verdict = found_or_not(code, [one.detail for one in findings if not one.is_accepted], store)
    if verdict.answer is CheckOutcome.NOT_FOUND and findings:
        return msgspec.structs.replace(verdict, detail="; ".join(one.detail for one in findings))
    return verdict


def _of_token(store: str, watched: WatchedStore, seen: Access | Failure) -> CheckResult:
    """A granted token is renewed before its end, so that an answer proves that it will be again."""
    code = "storefront.token_refused"
    if isinstance(seen, Failure):
        return found_or_not(code, [str(seen)], store) if seen.code == code else could_not_look(code, str(seen), store)
    if watched.has_fixed_token:
        return nothing_to_judge(code, "it answered; a fixed access token has no end that could be read", store)
    return found_or_not(code, (), store)


def _of_data(store: str, seen: tuple[int, int] | Failure) -> CheckResult:
    if isinstance(seen, Failure):
        return found_or_not(DATA, [str(seen)], store) if seen.code == DATA else could_not_look(DATA, str(seen), store)
    return rules.check_customer_data(store, *seen)


def _of_versions(store: str, pinned: str, seen: ShopSettings | Failure, now: datetime) -> list[CheckResult]:
    if isinstance(seen, Failure):
        codes = (*(code for _, code in calendar.WARNINGS), "storefront.webhook_version")
        return [could_not_look(code, str(seen), store) for code in codes]
    return rules.check_versions(store, pinned, seen.webhook_version, seen.supported_versions, now.date())


def _of_changes(
    tx: Tx, connection: str, store: str, seen: StoreReading, before: Mapping[tuple[str, str], Snapshot], now: datetime
) -> list[CheckResult]:
    """What differs from what was last agreed to. Whoever closes such a case agrees to the change."""
    waits = cases.open_subjects(tx, connection, (SETTING, SCOPES))
    if isinstance(seen.standing, Failure):
        verdicts = [could_not_look(SETTING, str(seen.standing), store)]
    else:
        says = seen.standing.settings
        open_settings = {
            subject.removeprefix("setting:") for code, at, subject in waits if (code, at) == (SETTING, store)
        }
        agreed = rules.agreed_settings(_remembered(before.get((store, "settings"))), says, open_settings)
        governance.save_snapshot(tx, connection, store, "settings", msgspec.to_builtins(agreed), now)
        verdicts = rules.check_settings(store, agreed.agreed, says)
    if isinstance(seen.access, Failure):
        return [*verdicts, could_not_look(SCOPES, str(seen.access), store)]
    scopes = {"scopes": list(seen.access.scopes)}
    agreed = rules.agreed_settings(
        _remembered(before.get((store, "scopes"))), scopes, {"scopes"} if (SCOPES, store, "") in waits else ()
    )
    governance.save_snapshot(tx, connection, store, "scopes", msgspec.to_builtins(agreed), now)
    return [*verdicts, rules.check_scopes(store, agreed.agreed["scopes"], scopes["scopes"])]


def _remembered(snapshot: Snapshot | None) -> Remembered | None:
    return None if snapshot is None else msgspec.convert(snapshot.body, Remembered)


def _ages(before: Snapshot | None, held: Sequence[SecretAge], now: datetime) -> dict[str, Any]:
    known = {} if before is None else msgspec.convert(before.body, dict[str, Age])
    found: dict[str, Any] = msgspec.to_builtins(rules.secret_ages(known, held, now))
    return found


def _limits(before: Snapshot | None, books: Mapping[str, int], push_per_second: float) -> CheckResult:
    if before is None:
        return rules.check_rate_limit(push_per_second, None, None)
    since = {name: books.get(name, 0) - before.body.get(name, 0) for name in ("push.requests", "push.limited")}
    return rules.check_rate_limit(push_per_second, since["push.requests"], since["push.limited"])
