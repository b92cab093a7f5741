"""Whatever is signed is kept, and whatever it says it ends: the event in a final state, with a case, and no more."""

import copy
import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from isthmus.db.pool import Database
from isthmus.flows.process import process_batch
from isthmus.inbox.sql import events as inbox
from isthmus.model.event import Delivery
from isthmus.model.lane import Lane
from isthmus.shopify import topics, webhooks
from scenes import Town
from sims.neighbourhood import Sizes

PERSON = "zq-hush"
"""A piece of somebody's data. It must be nowhere but in bodies and records."""

NEWER = datetime(2027, 1, 1, tzinfo=UTC)

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, -7, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1.5, 1e308, -0.0, "", " ",
    "0", "-3", "1e400", "NaN", "Infinity", "-Infinity", "12,50", "1" * 400, "a\u0000b", f"{PERSON}@example.com",
    f"{PERSON}\r\n@", "\u202e\ufeff\ud83d\ude00", "x" * 20_000, "gid://shopify/Order/", "gid://shopify/Order/9" * 9,
    "XXX", "gbp", "ZZZ", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z",
    "2026-11-23T09:00:00", "1899-01-01T00:00:00Z", "2300-01-01T00:00:00Z", [], {}, [None], [[]], [{}], {"": None},
    {"id": PERSON}, [1, "a", {}],
)  # fmt: skip

TOPICS = (
    *topics.TOPICS,
    "moons/rise",
    "x",
    "orders/create ",
    "ORDERS/CREATE",
    "isthmus/remap",
    "poll/order",
    "repair/",
)

SHAPED = [topic for topic in topics.TOPICS if topic.startswith(("orders/", "customers/", "products/", "checkouts/"))]


class Loud(Town):
    """A town whose shops' real bodies are known by topic, and that is told bodies nobody would write."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, sizes=Sizes(customers=4, orders=6, products=3))
        self.real: dict[str, list[bytes]] = {}
        self.n_told = 0

    def listen(self, uri: str, headers: Mapping[str, str], body: bytes) -> int:
        arrived = webhooks.read_delivery_headers({name.lower(): value for name, value in headers.items()})
        self.real.setdefault(arrived.topic, []).append(body)
        return 200

    def spoil(self, topic: str, dice: random.Random, n: int, version: int) -> tuple[str, bytes]:
        """A real body, newer than all that is known, with `n` of its parts replaced or dropped."""
        whole = msgspec.json.decode(dice.choice(self.real.get(topic, [b"{}"])))
        if "updated_at" in whole:
            at = NEWER + timedelta(minutes=self.n_told + version)
            whole["updated_at"] = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        for _ in range(n):
            places = list(_places(whole))
            if not places:
                break
            parent, key = dice.choice(places)
            if dice.random() < 0.15 and isinstance(parent, dict):
                del parent[key]
            else:
                parent[key] = copy.deepcopy(dice.choice(NASTY))  # or the next part may be one of this one's
        return topic, _encode(whole)


@pytest.fixture(scope="module")
def town(module_database: Database) -> Loud:
    """A small town at rest, and what its shops said afterwards."""
    town = Loud(module_database)
    town.load()
    town.come_to_rest()
    for _ in range(20):
        town.sims.live(10)
        town.sims.deliver(town.listen)
        town.pass_time(3)
    return town


def tell(town: Loud, told: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Deliver these and let time pass until no hint is patient any more and no null is asked again; how each ended."""
    ids = []
    for topic, body in told:
        town.n_told += 1
        ids.append(f"bad-{town.n_told}")
        row = topics.TOPICS.get(topic)
        with town.db.transaction() as tx:
            lane = row.lane if row else Lane.ENRICHMENT
            inbox.insert_deliveries(tx, [Delivery("acme", "uk", topic, lane, ids[-1], body)], town.clock.now())
    for seconds in (*[3] * 12, *[15] * 6):
        while process_batch(town.db, town.context).n_claimed:
            pass
        town.pass_time(seconds)
    with town.db.transaction() as tx:
        return tx.fetch_all("SELECT * FROM event WHERE webhook_id = ANY(%s) ORDER BY id", (ids,))


def cases(town: Loud) -> list[dict[str, Any]]:
    with town.db.transaction() as tx:
        return tx.fetch_all("SELECT * FROM cases ORDER BY id")


def judge(town: Loud, told: list[tuple[str, bytes]]) -> None:
    """The promises of must-hold 6, for whatever was told."""
    with capture_logs() as logs:
        ended = tell(town, told)
    assert [row["state"] for row in ended].count("waiting") == 0, [(r["topic"], r["reason"]) for r in ended]
    opened = cases(town)
    assert [row["topic"] for row in ended if (row["reason"] or "").startswith("internal.")] == []
    named = {case["subject"] for case in opened}
    for row in ended:
        if row["state"] == "buried":
            assert {row["subject"], f"event:{row['id']}"} & named, row
        if row["state"] == "parked":
            assert row["topic"] in named
    shown = [str([case["subject"], case["detail"]]) for case in opened]
    shown += [str([row["subject"], row["reason"]]) for row in ended]
    shown += [str(line) for line in logs]
    assert not [text for text in shown if PERSON in text.lower()]


# Whatever comes ------------------------------------------------------------------------------------------------------

KEYS = ["id", "order_id", "customer", "token", "email", "customer_id"]

anything = st.recursive(
    st.sampled_from(NASTY) | st.integers() | st.floats() | st.text(max_size=20) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
raw = st.one_of(
    st.binary(max_size=200),
    anything.map(lambda value: _encode(value)),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"id": "\\ud800"}', b'{"id": "a\\u0000"}', b"[" * 100_000,
         b'{"customer":' * 100_000, b'{"id": 1e999}', b'{"id": -5}', b'{"id": 1, "id": 2}', b"\x00" * 50]
    ),
)  # fmt: skip

few = settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])


@few
@given(st.lists(st.tuples(st.sampled_from(TOPICS), raw), min_size=1, max_size=25))
def test_f31_any_body_of_any_topic_ends(town: Loud, told: list[tuple[str, bytes]]) -> None:
    judge(town, told)


@few
@given(st.lists(st.tuples(st.sampled_from(SHAPED), st.randoms(use_true_random=False), st.integers(1, 3)), max_size=20))
def test_a_real_body_with_nasty_parts_ends(town: Loud, parts: list[tuple[str, random.Random, int]]) -> None:
    judge(town, [town.spoil(topic, dice, n, version) for version, (topic, dice, n) in enumerate(parts)])


@few
@given(st.lists(st.tuples(st.sampled_from(SHAPED), st.integers(0, 2**32), st.booleans()), max_size=20))
def test_a_truncated_or_garbled_body_ends(town: Loud, parts: list[tuple[str, int, bool]]) -> None:
    told = []
    for topic, place, is_cut in parts:
        body = bytearray(town.real.get(topic, [b"{}"])[0])
        at = place % len(body)
        if is_cut:
            del body[at:]
        else:
            body[at] = place % 256
        told.append((topic, bytes(body)))
    judge(town, told)


@pytest.mark.parametrize("topic", topics.COMPLIANCE)
@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"customer": {"id": "zq-hush"}}', b'{"customer":' * 100_000])
def test_f17_a_privacy_request_that_cannot_be_read_is_a_duty_all_the_same(town: Loud, topic: str, body: bytes) -> None:
    """F17: acting on it comes later, losing it never."""
    (ended,) = tell(town, [(topic, body)])
    (duty,) = [case for case in cases(town) if case["subject"] == f"event:{ended['id']}"]
    assert duty["code"].startswith("privacy.")
    assert duty["due_on"] is not None


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()
