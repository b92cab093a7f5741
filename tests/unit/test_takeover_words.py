"""What a sample means for a connection, in words: what is refused, what is only told, and what each answer would do."""

from datetime import date

import pytest

from isthmus.flows.takeover.messages import TakeoverState, takeover_findings
from isthmus.flows.takeover.precheck import Collection, PrecheckGroup, Sampled

TODAY = date(2026, 11, 23)
CLEAN = Sampled(n_orders=9, n_orders_there=9, n_products=0, groups=(), collections=())
CROWDED = Sampled(
    n_orders=250,
    n_orders_there=61_000,
    n_products=50,
    groups=(
        PrecheckGroup(kind="order", verdict="matched", n=247, revenue={"GBP": "15204.17"}, examples=("uk:shopify_1",)),
        PrecheckGroup(kind="order", verdict="conflicting", n=3, revenue={}, examples=("uk:shopify_9",)),
        PrecheckGroup(kind="product", verdict="matched", n=40, examples=("uk:shopify_2",)),
    ),
    collections=(Collection(name="shopify_import", n_looked_at=250, n_of_ours=240, customer_ids="plain"),),
)


def at(mode: str, takeover: str | None = None, **more: object) -> TakeoverState:
    start_at = date.fromisoformat(takeover.split(" = ")[1]) if takeover and "=" in takeover else None
    return TakeoverState(
        name="acme", is_live=mode == "live", takeover=takeover, start_at=start_at, today=TODAY,
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


def blocking(told: Sampled, standing: TakeoverState) -> list[str]:
    return [one.detail for one in takeover_findings(told, standing) if one.is_blocking]


def test_going_live_undecided_is_refused_with_counts_and_every_choice() -> None:
    (said,) = blocking(CROWDED, at("live"))
    for part in (
        "of 250 orders looked at, of about 61,000", "247 are orders of these stores", "GBP 15204.17", "uk:shopify_1",
        "40 of 50 products", "connection.takeover", '"adopt_ids": these 247', '"start_at = DATE"', '"ignore"',
        "3 would be held back",
    ):  # fmt: skip
        assert part in said
    assert "none valid" in said


@pytest.mark.parametrize("standing", [at("shadow"), at("shadow", "adopt_ids"), at("live", was_live=True)])
def test_in_shadow_and_where_it_is_live_already_it_is_only_told(standing: TakeoverState) -> None:
    assert blocking(CROWDED, standing) == []
    assert [one for one in takeover_findings(CROWDED, standing) if "another writer has been here" in one.detail]


def test_a_clean_account_needs_no_decision() -> None:
    assert list(takeover_findings(CLEAN, at("live"))) == []


@pytest.mark.parametrize(
    ("takeover", "is_refused"),
    [("adopt_ids", True), ("start_at = 2026-11-01", True), ("start_at = 2026-12-01", False), ("ignore", False)],
)
def test_live_waits_until_what_is_there_was_listed(takeover: str, is_refused: bool) -> None:
    assert bool(blocking(CROWDED, at("live", takeover))) is is_refused
    assert blocking(CROWDED, at("live", takeover, is_carried_out=True)) == []


@pytest.mark.parametrize("takeover", [None, "ignore", "start_at = 2026-12-01"])
@pytest.mark.parametrize("mode", ["shadow", "live"])
def test_ids_that_records_went_out_under_are_not_given_up(mode: str, takeover: str | None) -> None:
    (said,) = blocking(CLEAN, at(mode, takeover, n_sent=5))
    assert "5 records" in said
    assert blocking(CLEAN, at(mode, "adopt_ids", n_sent=5, is_carried_out=True)) == []


def test_another_form_of_customer_id_is_told() -> None:
    said = [one.detail for one in takeover_findings(CROWDED, at("shadow", "adopt_ids"))]
    assert any("shopify_import" in one and "plain" in one for one in said)
