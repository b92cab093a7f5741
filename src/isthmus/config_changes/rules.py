"""The rules of governance: what was seen, held against what is pinned, needed, or was seen before."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from isthmus.config_changes import calendar
from isthmus.config_changes.result import CheckOutcome, CheckResult, could_not_look, found_or_not, nothing_to_judge

MEANS = {
    "currencyCode": "amounts of new orders are in another currency",
    "enabledPresentmentCurrencies": "shoppers see, and pay, prices in other currencies",
    "ianaTimezone": "the shop's days begin at another hour",
    "taxesIncluded": "prices of products hold, or no longer hold, the tax",
    "taxShipping": "shipping is, or is no longer, taxed",
    "marketingSmsConsentEnabledAtCheckout": "shoppers are, or are no longer, asked for SMS consent at checkout",
    "customerAccountsVersion": "people sign in another way, which may bring new customer records for known people",
    "loginRequiredAtCheckout": "guests can, or can no longer, order",
    "plan": "the shop's plan sets how fast it may be read and which data it gives",
    "primaryDomain": "links to products lead to another address",
}
"""The settings of a shop that change what its data mean, and how. No webhook tells of them
(https://github.com/Shopify/shopify-app-js/issues/878). Whether the box for email consent at checkout is there, and
ticked, no API tells."""


class Remembered(Struct, frozen=True):
    """What a shop's settings were when they were last agreed to, and the differences that were told since."""

    agreed: Mapping[str, Any]
    told: Mapping[str, Any] = {}


class SecretAge(Struct, frozen=True):
    """Whether a secret that the connection names could be had; `trouble` says why not.

    `print` is enough of a keyed hash to see that a secret is another one, and too little to say which.
    """

    key: str
    trouble: str = ""
    print: str = ""


class Age(Struct, frozen=True):
    """Since when a secret is what it is, or has been known at all."""

    print: str
    since: datetime


def check_versions(
    store: str, pinned: str, webhooks: str, supported: Collection[str], today: date
) -> list[CheckResult]:
    """Whether the pinned version ends soon, and whether the app's webhooks have it too."""
    left = calendar.days_until_end(pinned, today)
    codes = [code for _, code in calendar.WARNINGS]
    found: list[CheckResult] = []
    if left is None:
        found += [could_not_look(code, f"{pinned} has no last day", store) for code in codes]
    else:
        newest = max(supported, default="")
        way_out = f"; {newest} is the newest supported" if newest > pinned else ""
        detail = f"{pinned} is supported until {calendar.version_end(pinned)}, {_days(left)}{way_out}"
        present = calendar.warning_code(left)
        for code in codes:
            if code != present:
                found.append(found_or_not(code, (), store))
            else:
                end = calendar.version_end(pinned)
                found.append(CheckResult(code=code, answer=CheckOutcome.FOUND, store=store, detail=detail, due_on=end))
    differs = [f"the app's webhooks are of {webhooks}, the connection asks for {pinned}"] if webhooks != pinned else []
    return [*found, found_or_not("storefront.webhook_version", differs, store)]


def check_scopes(store: str, agreed: Sequence[str] | None, now: Sequence[str]) -> CheckResult:
    """Whether the app's scopes are those that were last agreed to."""
    was = set(now if agreed is None else agreed)
    details = [f"gone: {', '.join(sorted(was - set(now)))}"] if was - set(now) else []
    details += [f"new: {', '.join(sorted(set(now) - was))}"] if set(now) - was else []
    return found_or_not("storefront.scopes_changed", details, store)


def check_settings(store: str, agreed: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[CheckResult]:
    """Whether each setting that changes meaning is what was last agreed to."""
    was = now if agreed is None else agreed
    return [
        found_or_not(
            "storefront.setting_changed",
            [f"{name} was {_said(was[name])} and is {_said(now[name])}: {means}"]
            if name in was and was[name] != now[name]
            else (),
            store,
            f"setting:{name}",
        )
        for name, means in MEANS.items()
        if name in now
    ]


def agreed_settings(before: Remembered | None, now: Mapping[str, Any], is_open: Collection[str]) -> Remembered:
    """What is agreed to from now on: a difference that was told and whose case a person has closed is agreed to.

    `is_open` names the settings that still have a case.
    """
    if before is None:
        return Remembered(dict(now))
    base = {name: before.agreed.get(name, value) for name, value in now.items()}
    for name, value in before.told.items():
        if name in now and name not in is_open and now[name] == value:
            base[name] = value
    return Remembered(base, {name: value for name, value in now.items() if base[name] != value})


def check_secrets(held: Sequence[SecretAge]) -> list[CheckResult]:
    """Whether every secret that the connection names can be had, also those that are needed on another day."""
    return [
        found_or_not("integration.secret_missing", [one.trouble] if one.trouble else (), "", one.key) for one in held
    ]


def secret_ages(before: Mapping[str, Age], held: Sequence[SecretAge], now: datetime) -> dict[str, Age]:
    """Since when each secret is what it is; one that cannot be had now keeps the age it had."""
    found = {}
    for one in held:
        known = before.get(one.key)
        if known is not None and (not one.print or known.print == one.print):
            found[one.key] = known
        elif one.print:
            found[one.key] = Age(one.print, now)
    return found


LEAST_PUSHES = 50
"""Fewer in a day say nothing about a limit."""

TURNED_AWAY = 0.02
"""The share of a day's pushes that may be turned away before the limits cannot be what the connection believes."""


def check_rate_limit(per_second: float, n_pushes: int | None, n_limited: int | None) -> CheckResult:
    """Whether Ometria takes as many pushes as the connection believes it does, by the last day's answers."""
    code = "platform.limit_differs"
    if n_pushes is None or n_limited is None:
        return nothing_to_judge(code, "pushes were counted for the first time: the next look judges them")
    if n_pushes < LEAST_PUSHES and not n_limited:
        return nothing_to_judge(code, f"pushes since the last count are too few to tell: {n_pushes}")
    is_off = n_limited > TURNED_AWAY * max(n_pushes, LEAST_PUSHES)
    detail = f"{n_limited} of {n_pushes} pushes since the last count were turned away at {per_second:g} per second"
    return found_or_not(code, [detail] if is_off else ())


def check_customer_data(store: str, n_seen: int, n_with_email: int) -> CheckResult:
    """Whether customers' addresses are given to us. A shop of nobody but phone-only customers looks the same."""
    code = "storefront.protected_data_missing"
    if n_seen == 0:
        return nothing_to_judge(code, "the shop has no customers", store)
    if n_with_email == 0 and n_seen < ENOUGH_CUSTOMERS:
        return could_not_look(code, f"none of {n_seen} customers has an address, which may well be so", store)
    return found_or_not(
        code, [f"none of the newest {n_seen} customers has an address"] if n_with_email == 0 else (), store
    )


ENOUGH_CUSTOMERS = 10
"""So many customers in a row without any address are not by chance."""


def _days(left: int) -> str:
    return f"{left} days left" if left != 1 else "1 day left"


def _said(value: Any) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case list() | tuple():
            return ", ".join(str(one) for one in value) or "none"
    return str(value)
