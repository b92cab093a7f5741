"""The table that decides consent: symmetric, idempotent, independent of order, never louder than the evidence."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from isthmus.consent.decide import TABLE, Statement, decide_consent
from isthmus.consent.policy import MOVED, Policy
from isthmus.model.consent import IN, OUT, Stance

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
STATES = (IN, "UNSUBSCRIBED", "NOT_SUBSCRIBED", "PENDING", "INVALID")
SOURCES = ("shopify.webhook", "shopify.reading", MOVED, "ometria.unsubscribes", "ometria.hook", "ometria.profile")
NEWEST = Policy()

times = st.integers(0, 6).map(lambda n: AT + timedelta(hours=n))


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    source = draw(st.sampled_from(SOURCES))
    is_theirs = source.startswith("ometria.")
    heard = draw(times)
    at = draw(st.none() | times.filter(lambda t: t <= heard))
    return Statement(
        state=draw(st.sampled_from((IN, "UNSUBSCRIBED") if is_theirs else STATES)),
        source=source,
        heard_at=heard,
        at=at,
        store="" if is_theirs else draw(st.sampled_from(("uk", "int"))),
        customer_id=None if is_theirs else draw(st.integers(1, 3)),
        is_word=is_theirs or draw(st.booleans()),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[Statement]:
    """Any ledger; in it one customer's own words are in the order in which they were weighed."""
    return draw(st.lists(statements(), max_size=8))


def one_word_each(said: list[Statement]) -> list[Statement]:
    """A ledger in which nobody changed their word: nothing of it depends on the order of its rows."""
    seen: dict[tuple[str, int | None], Statement] = {}
    return [s for s in said if s.customer_id is None or seen.setdefault((s.store, s.customer_id), s) is s]


@given(ledgers(), st.randoms())
def test_the_order_in_which_statements_came_changes_nothing(said: list[Statement], dice: object) -> None:
    said = one_word_each(said)
    shuffled = list(said)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    for policy in (NEWEST, Policy("store"), Policy("platform"), Policy(scope="store")):
        assert decide_consent(said, policy, "uk") == decide_consent(shuffled, policy, "uk")


@given(ledgers())
def test_hearing_everything_twice_changes_nothing(said: list[Statement]) -> None:
    once, twice = decide_consent(said, NEWEST, "uk"), decide_consent([*said, *said], NEWEST, "uk")
    assert (once.stance, once.rule, once.by) == (twice.stance, twice.rule, twice.by)


def other_side(said: Statement) -> Statement:
    """The same statement as the other side would have made it."""
    is_theirs = said.source.startswith("ometria.")
    return msgspec.structs.replace(
        said,
        source="shopify.webhook" if is_theirs else "ometria.hook",
        store="uk" if is_theirs else "",
        customer_id=hash(said.at) % 10_000 if is_theirs else None,
        is_word=True,
    )


@given(ledgers())
def test_with_the_newest_word_it_does_not_matter_which_side_spoke(said: list[Statement]) -> None:
    plain = [s for s in one_word_each(said) if s.source != MOVED and s.is_word and s.state in (IN, "UNSUBSCRIBED")]
    mirrored = [msgspec.structs.replace(other_side(s), customer_id=n) if not other_side(s).source.startswith("ometria.")
                else other_side(s) for n, s in enumerate(plain)]  # fmt: skip
    assert decide_consent(plain, NEWEST, "uk").stance is decide_consent(mirrored, NEWEST, "uk").stance
    assert (
        decide_consent(plain, Policy("store"), "uk").stance is decide_consent(mirrored, Policy("platform"), "uk").stance
    )


@given(ledgers(), st.sampled_from(("newest", "store", "platform")), st.sampled_from(("connection", "store")))
def test_nobody_is_opted_in_without_a_later_proven_opt_in(said: list[Statement], authority: str, scope: str) -> None:
    """Whatever the policy: an opt-in stands only where there is no opt-out, or a proven one later than all of them."""
    standing = decide_consent(said, Policy(authority, scope), "uk")  # type: ignore[arg-type]
    mine = [s for s in said if scope == "connection" or s.store in ("", "uk")]
    outs = [s.since for s in mine if s.state in OUT]
    if standing.stance is Stance.IN:
        assert standing.by is not None
        assert standing.by.state == IN
        assert standing.by in mine
        assert not outs or (standing.by.is_proven and standing.by.since > max(outs))
    if not any(s.state == IN for s in mine):
        assert standing.stance is not Stance.IN


@given(ledgers(), statements())
def test_one_more_opt_out_never_makes_it_louder(said: list[Statement], more: Statement) -> None:
    quieter = msgspec.structs.replace(more, state="UNSUBSCRIBED")
    before, after = decide_consent(said, NEWEST, "uk"), decide_consent([*said, quieter], NEWEST, "uk")
    if before.stance is not Stance.IN:
        assert after.stance is not Stance.IN
    if quieter.since >= max((s.since for s in said), default=quieter.since):
        assert after.stance is Stance.OUT


@given(ledgers())
def test_ties_go_to_the_opt_out(said: list[Statement]) -> None:
    standing = decide_consent(said, NEWEST, "uk")
    if standing.stance is Stance.IN and standing.by is not None:
        tie = Statement("UNSUBSCRIBED", "ometria.unsubscribes", standing.by.heard_at, standing.by.since)
        assert decide_consent([*said, tie], NEWEST, "uk").stance is Stance.OUT


def test_every_rule_of_the_table_decides_something() -> None:
    out = Statement("UNSUBSCRIBED", "shopify.webhook", AT, AT, "uk", 1)
    later = Statement(IN, "ometria.hook", AT + timedelta(hours=1), AT + timedelta(hours=1))
    cases = {
        "nothing_said": [],
        "opt_out": [out],
        "opt_in": [later],
        "other_authority": [out, later],
        "unproven_opt_in": [out, msgspec.structs.replace(later, at=None)],
        "later_opt_out": [out, msgspec.structs.replace(later, at=AT - timedelta(hours=1))],
        "tie_to_opt_out": [out, msgspec.structs.replace(later, at=AT)],
        "later_opt_in": [out, later],
    }
    found = {
        name: decide_consent(said, Policy("store") if name == "other_authority" else NEWEST, "uk").rule
        for name, said in cases.items()
    }
    assert found == {name: name for name in cases}
    assert [rule.name for rule in TABLE] == list(cases)


def test_a_customer_who_left_an_address_takes_the_opt_in_along_and_leaves_the_opt_out() -> None:
    said = Statement(IN, "shopify.webhook", AT, AT, "uk", 1)
    left = Statement("LEFT", "shopify.left", AT + timedelta(hours=1), None, "uk", 1)
    assert decide_consent([said, left], NEWEST, "uk").stance is Stance.UNSAID
    out = msgspec.structs.replace(said, state="UNSUBSCRIBED")
    assert decide_consent([out, left], NEWEST, "uk").stance is Stance.OUT


def test_the_scope_of_a_store_leaves_other_stores_alone() -> None:
    here = Statement("UNSUBSCRIBED", "shopify.webhook", AT, AT, "uk", 1)
    there = Statement(IN, "shopify.webhook", AT, AT - timedelta(days=1), "int", 2)
    for scope, stance in (("connection", Stance.OUT), ("store", Stance.IN)):
        assert decide_consent([here, there], Policy(scope=scope), "int").stance is stance  # type: ignore[arg-type]


def test_a_platforms_opt_out_holds_in_every_store() -> None:
    out = Statement("UNSUBSCRIBED", "ometria.unsubscribes", AT, AT)
    stores = ("uk", "int")
    ins = [Statement(IN, "shopify.webhook", AT, AT - timedelta(days=1), s, n) for n, s in enumerate(stores)]
    for scope, store in itertools.product(("connection", "store"), stores):
        assert decide_consent([*ins, out], Policy(scope=scope), store).stance is Stance.OUT  # type: ignore[arg-type]
