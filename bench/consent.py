"""How long an opt-out takes to the other side while everything is reconciled, at an account's 4 readings a second.

`python -m bench consent --customers 100000`. Everything is real but the two sides. People unsubscribe on the
platform (as its list of unsubscriptions tells, and by ways that it lists nowhere) and in the shops, two a second, from
the moment a reconciliation of everything begins until it ends. The simulators' own record of who said what, and when
which side heard of it, is what the times are taken from: on Ometria's side that is when a write was applied.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from bench.history import come_to_rest
from bench.whole import NAME, Machine, machine, until

from isthmus.db.pool import Database

READS = 4
PUSHES = 8
EVERY = 0.5
"""Seconds between two people who say no, on whichever side."""

UNLISTED = 20
"""How many of them say it by a form, which only a changed profile shows."""

LONGEST = 3600.0
LATEST = 900.0
"""Seconds after the last statement in which everything must have arrived."""


def run(customers: int) -> dict[str, Any]:
    """The times from a statement on one side to its effect on the other."""
    sizes = ("--customers", str(customers), "--orders", str(max(50, customers // 20)), "--products", "60")
    with machine(*sizes) as here:
        here.post("switches", {"push_rps": PUSHES, "data_rps": READS})
        here.write(push_per_second=PUSHES, processes=2, enrichment_every="20s")
        here.connect()
        with Database(here.database(), pool_size=2) as db:
            here.run("backfill", NAME)
            come_to_rest(here, db)
            until(lambda: _has_heard(db), LONGEST, f"everybody in Ometria was looked at; {here.tail()}", 1.0)
            come_to_rest(here, db)
            here.most.clear()
            told: dict[str, Any] = {"customers": customers}
            began = time.monotonic()
            program = here.start("reconcile", NAME)
            left, stopped, unlisted = _people_say_no(here, lambda: program.poll() is None)
            told["seconds_of_reconciling"] = round(time.monotonic() - began, 1)
            told["statements"] = len(left) + len(stopped) + len(unlisted)
            until(
                lambda: not _missing(here, left + unlisted, "shopify") and not _missing(here, stopped, "ometria"),
                LATEST, f"every opt-out arrived; {here.tail()}", 2.0,
            )  # fmt: skip
            told |= _times("to_shop", here, left, "shopify")
            told |= _times("to_shop_unlisted", here, unlisted, "shopify")
            told |= _times("to_platform", here, stopped, "ometria")
            come_to_rest(here, db)
            told["opted_in_against_it"] = _against(here, left + stopped + unlisted)
        told |= {f"most_memory_of_{role}_mb": round(most) for role, most in sorted(here.most.items())}
    return told


def _people_say_no(here: Machine, goes_on: Any) -> tuple[list[str], list[str], list[str]]:
    """One after another until the reconciliation is over: who left in Ometria, in a shop, by a form."""
    left: list[str] = []
    stopped: list[str] = []
    unlisted: list[str] = []
    for n, (shop, customer) in enumerate(_subscribers(here)):
        if not goes_on() and len(left) >= 100:
            break
        at = time.monotonic()
        if n % 2:
            here.post("deeds", {"shop": shop, "deed": "consent", "customer": customer["id"], "state": "UNSUBSCRIBED"})
            stopped.append(customer["email"])
        elif len(unlisted) < UNLISTED and n % 10 == 0:
            here.post("preference-centre", {"email": customer["email"], "action": "unsubscribe", "way": "form"})
            unlisted.append(customer["email"])
        else:
            here.post("preference-centre", {"email": customer["email"], "action": "unsubscribe"})
            left.append(customer["email"])
        time.sleep(max(0.0, EVERY - (time.monotonic() - at)))
    return left, stopped, unlisted


def _subscribers(here: Machine) -> Iterator[tuple[str, dict[str, Any]]]:
    """People with an address of their own in one shop who are subscribed on both sides."""
    for store in here.sims["stores"]:
        for one in here.lines(f"truth/{store['name']}/customers"):
            consent = one.get("email_consent") or {}
            if one.get("email") and consent.get("state") == "SUBSCRIBED":
                yield store["domain"], one


def _has_heard(db: Database) -> bool:
    with db.transaction() as tx:
        return bool(
            tx.fetch_value(
                "SELECT EXISTS (SELECT FROM watermark WHERE connection = %s AND name = 'listen:profiles')", (NAME,)
            )
        )


def _heard(here: Machine) -> dict[tuple[str, str, bool], datetime]:
    """When each address was first said no for, by side and by whether a program said it."""
    found: dict[tuple[str, str, bool], datetime] = {}
    since = 0
    while page := here.get(f"statements?since={since}&limit=5000&channel=email")["items"]:
        for one in page:
            since = one["n"]
            if one["state"] == "UNSUBSCRIBED":
                key = (one["side"], one["address"], one["is_own_write"])
                found.setdefault(key, datetime.fromisoformat(one["heard_at"]))
    return found


def _missing(here: Machine, addresses: Sequence[str], side: str) -> list[str]:
    heard = _heard(here)
    return [one for one in addresses if (side, one.strip().lower(), True) not in heard]


def _times(name: str, here: Machine, addresses: Sequence[str], to: str) -> dict[str, Any]:
    heard = _heard(here)
    other = {"shopify": "ometria", "ometria": "shopify"}[to]
    took = sorted(
        (heard[to, one.strip().lower(), True] - heard[other, one.strip().lower(), False]).total_seconds()
        for one in addresses
    )
    if not took:
        return {}
    return {
        f"{name}_n": len(took),
        f"{name}_p50_seconds": round(took[len(took) // 2], 2),
        f"{name}_p99_seconds": round(took[min(len(took) - 1, int(len(took) * 0.99))], 2),
        f"{name}_most_seconds": round(took[-1], 2),
    }


def _against(here: Machine, addresses: Sequence[str]) -> int:
    """How many of them Ometria would write to in the end."""
    wanted = {one.strip().lower() for one in addresses}
    return sum(
        (one.get("email") or "").strip().lower() in wanted and one.get("marketing_optin") == "EXPLICITLY_OPTEDIN"
        for one in here.lines("platform/profiles")
    )
