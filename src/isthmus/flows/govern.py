"""Look once a day whether the ground has moved: versions, scopes, settings, secrets, limits; each difference a case."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from isthmus.cases import sql as cases
from isthmus.cases.sql import Touch
from isthmus.db.pool import Database, Tx
from isthmus.governance import calendar, rules
from isthmus.governance import sql as governance
from isthmus.governance.rules import Age, Held, Remembered
from isthmus.governance.sql import Snapshot
from isthmus.governance.verdict import Answer, Verdict, blind, idle, judged
from isthmus.model.failure import Failure
from isthmus.runs import sql as runs
from isthmus.shopify import access, standing
from isthmus.shopify.access import Access, Expected, Finding
from isthmus.shopify.client import Shopify
from isthmus.shopify.standing import Standing

T = TypeVar("T")

MARK = "govern"
"""The watermark that says when everything was last looked at."""

TRIED = "govern:tried"
"""The one that says when somebody last began to."""

COUNTED_FOR = timedelta(hours=20)
"""How long pushes are counted before the count begins anew: nearly a day, however often somebody looks by hand."""

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


class Watched(Struct, frozen=True):
    """A store to look at. Of a fixed token nobody tells how long it is good for."""

    shop: Shopify
    expected: Expected
    has_fixed_token: bool = False


class Seen(Struct, frozen=True):
    """What was read of a store; a failure in place of what could not be."""

    access: Access | Failure
    standing: Standing | Failure
    addresses: tuple[int, int] | Failure


def govern(
    db: Database,
    connection: str,
    now: datetime,
    stores: Mapping[str, Watched],
    secrets: Sequence[Held],
    push_per_second: float,
) -> list[Verdict]:
    """Look at everything, keep what was seen, and make a case of each difference; changes nothing on either side.

    Only what was looked at and found mended closes a case.
    """
    with db.transaction() as tx:
        runs.advance(tx, connection, "", TRIED, now, 0)
    seen = {name: _read(watched.shop, watched.expected) for name, watched in stores.items()}
    with db.transaction() as tx:
        before = governance.load(tx, connection)
        books = governance.books(tx, connection)
        verdicts = [*rules.secrets(secrets), _limits(before.get(("", "limits")), books, push_per_second)]
        for name, watched in stores.items():
            verdicts += _of_access(name, watched.expected, seen[name].access)
            verdicts += [_of_token(name, watched, seen[name].access), _of_data(name, seen[name].addresses)]
            verdicts += _of_versions(name, watched.shop.api_version, seen[name].standing, now)
            verdicts += _of_changes(tx, connection, name, seen[name], before, now)
        _tell(tx, connection, verdicts, now)
        governance.save(tx, connection, "", "verdicts", {"verdicts": msgspec.to_builtins(verdicts)}, now)
        if (last := before.get(("", "limits"))) is None or now - last.at >= COUNTED_FOR:
            governance.save(tx, connection, "", "limits", dict(books), now)
        governance.save(tx, connection, "", "secrets", _ages(before.get(("", "secrets")), secrets, now), now)
        runs.advance(tx, connection, "", MARK, now, sum(one.answer is Answer.FOUND for one in verdicts))
    return verdicts


def _read(shop: Shopify, expected: Expected) -> Seen:
    return Seen(
        access=_tried(lambda: access.look(shop, expected)),
        standing=_tried(lambda: standing.read(shop)),
        addresses=_tried(lambda: standing.newest_addresses(shop)),
    )


def _tried(look: Callable[[], T]) -> T | Failure:
    try:
        return look()
    except Failure as failure:
        return failure


def _tell(tx: Tx, connection: str, verdicts: Sequence[Verdict], now: datetime) -> None:
    found = [one for one in verdicts if one.answer is Answer.FOUND]
    touches = [Touch(one.code, one.subject, one.store, one.detail, due_on=one.due_on) for one in found]
    cases.touch(tx, connection, touches, now)
    for one in verdicts:
        if one.answer is Answer.NOT_FOUND:
            cases.resolve(tx, connection, one.code, now, "govern", subjects=[one.subject], store=one.store)


# One thing after the other -------------------------------------------------------------------------------------------


def _of_access(store: str, expected: Expected, seen: Access | Failure) -> list[Verdict]:
    if isinstance(seen, Failure):
        return [blind(code, str(seen), store) for code in OF_ACCESS]
    return [
        blind(code, "without web.public_url nobody knows where webhooks should arrive", store)
        if code == SUBSCRIPTIONS and expected.uri is None
        else _found(code, [finding for finding in seen.findings if finding.code == code], store)
        for code in OF_ACCESS
    ]


def _found(code: str, findings: Sequence[Finding], store: str) -> Verdict:
    """A difference that the connection file accepts is told, and is no case."""
    verdict = judged(code, [one.detail for one in findings if not one.is_accepted], store)
    if verdict.answer is Answer.NOT_FOUND and findings:
        return msgspec.structs.replace(verdict, detail="; ".join(one.detail for one in findings))
    return verdict


def _of_token(store: str, watched: Watched, seen: Access | Failure) -> Verdict:
    """A granted token is renewed before its end, so that an answer proves that it will be again."""
    code = "storefront.token_refused"
    if isinstance(seen, Failure):
        return judged(code, [str(seen)], store) if seen.code == code else blind(code, str(seen), store)
    if watched.has_fixed_token:
        return idle(code, "it answered; a fixed access token has no end that could be read", store)
    return judged(code, (), store)


def _of_data(store: str, seen: tuple[int, int] | Failure) -> Verdict:
    if isinstance(seen, Failure):
        return judged(DATA, [str(seen)], store) if seen.code == DATA else blind(DATA, str(seen), store)
    return rules.customer_data(store, *seen)


def _of_versions(store: str, pinned: str, seen: Standing | Failure, now: datetime) -> list[Verdict]:
    if isinstance(seen, Failure):
        codes = (*(code for _, code in calendar.WARNINGS), "storefront.webhook_version")
        return [blind(code, str(seen), store) for code in codes]
    return rules.versions(store, pinned, seen.webhook_version, seen.supported_versions, now.date())


def _of_changes(
    tx: Tx, connection: str, store: str, seen: Seen, before: Mapping[tuple[str, str], Snapshot], now: datetime
) -> list[Verdict]:
    """What differs from what was last agreed to. Whoever closes such a case agrees to the change."""
    waits = cases.open_subjects(tx, connection, (SETTING, SCOPES))
    if isinstance(seen.standing, Failure):
        verdicts = [blind(SETTING, str(seen.standing), store)]
    else:
        says = seen.standing.settings
        open_settings = {
            subject.removeprefix("setting:") for code, at, subject in waits if (code, at) == (SETTING, store)
        }
        agreed = rules.agreed(_remembered(before.get((store, "settings"))), says, open_settings)
        governance.save(tx, connection, store, "settings", msgspec.to_builtins(agreed), now)
        verdicts = rules.settings(store, agreed.agreed, says)
    if isinstance(seen.access, Failure):
        return [*verdicts, blind(SCOPES, str(seen.access), store)]
    scopes = {"scopes": list(seen.access.scopes)}
    agreed = rules.agreed(
        _remembered(before.get((store, "scopes"))), scopes, {"scopes"} if (SCOPES, store, "") in waits else ()
    )
    governance.save(tx, connection, store, "scopes", msgspec.to_builtins(agreed), now)
    return [*verdicts, rules.scopes(store, agreed.agreed["scopes"], scopes["scopes"])]


def _remembered(snapshot: Snapshot | None) -> Remembered | None:
    return None if snapshot is None else msgspec.convert(snapshot.body, Remembered)


def _ages(before: Snapshot | None, held: Sequence[Held], now: datetime) -> dict[str, Any]:
    known = {} if before is None else msgspec.convert(before.body, dict[str, Age])
    found: dict[str, Any] = msgspec.to_builtins(rules.ages(known, held, now))
    return found


def _limits(before: Snapshot | None, books: Mapping[str, int], push_per_second: float) -> Verdict:
    if before is None:
        return rules.limits(push_per_second, None, None)
    since = {name: books.get(name, 0) - before.body.get(name, 0) for name in ("push.requests", "push.limited")}
    return rules.limits(push_per_second, since["push.requests"], since["push.limited"])
