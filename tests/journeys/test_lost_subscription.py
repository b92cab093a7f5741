"""A lost subscription in real processes: noticed and made good within five minutes of the clock, nobody touching it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from machine import NAME, Machine, machine, until

from isthmus.db.pool import Database

SPEED = 5.0
"""How much faster the clock goes that all processes follow: five minutes are one."""

WITHIN = timedelta(minutes=5)


@pytest.fixture
def shore() -> Iterator[Machine]:
    """A machine whose clock is the simulators', and whose polls and looks keep their usual hours."""
    with machine(seed=13, customers=6, orders=6, products=3) as made:
        made.write_settings(processes=1)
        with (made.home / "isthmus.toml").open("a") as file:
            file.write(f'\n[clock]\nfollow = "{made.sims["shopify"]}"\n')
        made.post("clock", {"rate": SPEED})
        yield made


def now(shore: Machine) -> datetime:
    return datetime.fromisoformat(shore.get("clock")["now"])


def orders(shore: Machine) -> set[str]:
    """Every order there is in the shops, by the id that Ometria knows it under."""
    return {
        f"{store['namespace']}{order['id']}"
        for store in shore.sims["stores"]
        for order in shore.get(f"truth/{store['domain']}/orders")["items"]
    }


@pytest.mark.parametrize(
    ("owner", "code"), [("api", "integration.subscriptions_differ"), ("app", "integration.webhook_silent")]
)
def test_f21_a_lost_subscription_is_made_good_within_five_minutes(shore: Machine, owner: str, code: str) -> None:
    """F21: noticed, repaired where it is ours, and its window recovered."""
    shore.write_connection(subscriptions=owner, poll_every="5m")
    if owner == "app":
        shore.deploy_app()
    shore.start("serve")
    until(shore.is_ready, 20)
    assert shore.run("connect", f"{NAME}.toml").returncode == 0
    assert shore.run("backfill", NAME).returncode == 0
    with Database(shore.cluster().url(), pool_size=1) as db:

        def rows(query: str, *params: object) -> list[dict[str, object]]:
            with db.transaction() as tx:
                return tx.fetch_all(query, params)

        until(lambda: rows("SELECT FROM watermark WHERE name = 'watch:begun' AND store = 'int'"), 60, "it is watched")
        before, lost_at = orders(shore), now(shore)
        for store in shore.sims["stores"]:
            assert shore.post("subscriptions", {"shop": store["domain"], "lose": True})["lost"]
        while not orders(shore) - before:
            shore.post("life", {"steps": 10})
        new = list(orders(shore) - before)

        def is_good() -> bool:
            query = "SELECT FROM outbox WHERE kind = 'order' AND state IN ('applied', 'excluded') AND id = ANY(%s)"
            return len(rows(query, new)) == len(new) and bool(rows("SELECT FROM cases WHERE code = %s", code))

        until(is_good, (lost_at + WITHIN - now(shore)).total_seconds() / SPEED, "noticed and recovered")
        assert now(shore) - lost_at < WITHIN
        if owner == "api":
            heard = len(rows("SELECT FROM event WHERE webhook_id IS NOT NULL"))
            shore.post("life", {"steps": 5})
            until(lambda: len(rows("SELECT FROM event WHERE webhook_id IS NOT NULL")) > heard, 20, "webhooks again")
