"""Cases as the dashboard and the accounting see them, on a real database."""

from datetime import UTC, date, datetime, timedelta

import pytest

from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.db.pool import Database
from isthmus.flows.recheck import close_finished_cases
from scenes import Stage

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database, reader=object())  # type: ignore[arg-type]  # nobody reads


def opened(database: Database, *touches: Touch, at: datetime = AT, connection: str = "acme") -> list[int]:
    with database.transaction() as tx:
        return cases.open_or_count(tx, connection, touches, at)


def test_the_same_trouble_is_one_case_that_counts_up(database: Database) -> None:
    (first,) = opened(database, Touch("platform.refused", "order:1", "uk", "root > currency"))
    assert opened(database, Touch("platform.refused", "order:1", "uk"), at=LATER) == []
    with database.transaction() as tx:
        case = cases.get_case(tx, first)
    assert case is not None
    assert (case.n, case.first_at, case.last_at) == (2, AT, LATER)
    assert (case.cause, case.owner, case.detail) == ("platform", "integration operator", "root > currency")


def test_one_batch_may_name_one_case_twice(database: Database) -> None:
    twice = [Touch("platform.refused", "order:1", detail="a"), Touch("platform.refused", "order:1", n=2)]
    (first,) = opened(database, *twice)
    with database.transaction() as tx:
        case = cases.get_case(tx, first)
    assert case is not None
    assert (case.n, case.detail) == (3, "a")


def test_nothing_told_opens_nothing(database: Database) -> None:
    assert opened(database) == []


def test_a_privacy_request_carries_its_legal_date_from_the_first_report(database: Database) -> None:
    touch = Touch("privacy.redact_customer", "customer:7", "uk")
    (first,) = opened(database, touch)
    opened(database, touch, at=AT + timedelta(days=5))
    with database.transaction() as tx:
        case = cases.get_case(tx, first)
    assert case is not None
    assert case.due_on == date(2026, 12, 23)
    assert case.owner == "privacy officer"


def test_resolving_names_a_code_and_closes_only_those_subjects(database: Database) -> None:
    ids = opened(database, *(Touch("platform.refused", f"order:{n}") for n in range(3)), Touch("platform.backlog"))
    with database.transaction() as tx:
        closed = cases.resolve_by_code(tx, "acme", "platform.refused", LATER, "settle", subjects=["order:0", "order:2"])
        left = {case.subject for case in cases.list_cases(tx, "acme")}
        case = cases.get_case(tx, closed[0])
    assert len(closed) == 2
    assert set(closed) < set(ids)
    assert left == {"order:1", ""}
    assert case is not None
    assert (case.state, case.closed_at, case.closed_by) == ("resolved", LATER, "settle")


def test_resolving_without_subjects_closes_all_of_a_store(database: Database) -> None:
    opened(
        database, Touch("storefront.scope_missing", "read_orders", "uk"), Touch("storefront.scope_missing", "", "int")
    )
    with database.transaction() as tx:
        cases.resolve_by_code(tx, "acme", "storefront.scope_missing", LATER, "access", store="uk")
        assert [case.store for case in cases.list_cases(tx, "acme")] == ["int"]


def test_a_record_found_applied_closes_its_platform_cases_only(database: Database) -> None:
    opened(database, Touch("platform.refused", "order:1"), Touch("storefront.unreadable_record", "order:1"))
    opened(database, Touch("platform.refused", "order:1"), connection="other")
    with database.transaction() as tx:
        assert cases.resolve_subjects(tx, "acme", ["order:1", ""], "platform.", LATER, "settle") == 1
        assert [case.code for case in cases.list_cases(tx, "acme")] == ["storefront.unreadable_record"]
        assert len(cases.list_cases(tx, "other")) == 1


def test_trouble_after_a_resolve_is_a_new_case(database: Database) -> None:
    (first,) = opened(database, Touch("platform.differs", "order:1"))
    with database.transaction() as tx:
        assert cases.close_case(tx, first, LATER, "ann")
        assert not cases.close_case(tx, first, LATER, "ann")
    (second,) = opened(database, Touch("platform.differs", "order:1"), at=LATER)
    assert second != first
    with database.transaction() as tx:
        assert not cases.reopen_case(tx, first), "the same matter is open already"


def test_an_ignored_case_is_counted_and_stays_quiet(database: Database) -> None:
    (first,) = opened(database, Touch("integration.unknown_topic", "themes/update"))
    with database.transaction() as tx:
        assert cases.ignore_case(tx, first, LATER, "ann")
    assert opened(database, Touch("integration.unknown_topic", "themes/update"), at=LATER) == []
    with database.transaction() as tx:
        assert cases.list_cases(tx, "acme") == []
        (case,) = cases.list_cases(tx, "acme", state="ignored")
        assert case.n == 2
        assert cases.reopen_case(tx, first)
        assert [c.id for c in cases.list_cases(tx, "acme")] == [first]


def test_what_is_urgent_cannot_be_ignored(database: Database) -> None:
    (first,) = opened(database, Touch("platform.key_refused"))
    with database.transaction() as tx:
        assert not cases.ignore_case(tx, first, LATER, "ann")


def test_a_case_can_be_given_to_somebody_and_back(database: Database) -> None:
    (first,) = opened(database, Touch("platform.refused", "order:1"))
    with database.transaction() as tx:
        assert cases.assign_case(tx, first, "ann")
        assert [case.id for case in cases.list_cases(tx, assigned="ann")] == [first]
        assert cases.assign_case(tx, first, None)
        assert cases.list_cases(tx, assigned="ann") == []


def test_legal_dates_come_first_then_severity(database: Database) -> None:
    opened(
        database,
        Touch("integration.missed_webhook", "order:9"),
        Touch("platform.key_refused"),
        Touch("privacy.data_request", "customer:1"),
        Touch("platform.refused", "order:1"),
    )
    with database.transaction() as tx:
        order = [case.code for case in cases.list_cases(tx)]
    assert order == ["privacy.data_request", "platform.key_refused", "platform.refused", "integration.missed_webhook"]


@pytest.mark.parametrize(
    ("filters", "n"), [({"code": "platform.refused"}, 3), ({"cause": "storefront"}, 1), ({"subject": "order:1"}, 1)]
)
def test_a_listing_can_be_narrowed(database: Database, filters: dict[str, str], n: int) -> None:
    opened(database, *(Touch("platform.refused", f"order:{k}") for k in range(3)), Touch("storefront.unavailable"))
    with database.transaction() as tx:
        assert len(cases.list_cases(tx, "acme", **filters)) == n


def test_a_flood_of_one_mistake_is_one_line_with_a_sample(database: Database) -> None:
    opened(database, *(Touch("platform.refused", f"order:{n}", n=2) for n in range(500)))
    opened(database, Touch("platform.refused", "order:7", detail="root > currency"), at=LATER)
    opened(database, Touch("storefront.token_refused"))
    with database.transaction() as tx:
        urgent, flood = cases.group_by_code(tx, "acme")
    assert urgent.code == "storefront.token_refused"
    assert (flood.cases, flood.times, flood.first_at, flood.last_at) == (500, 1001, AT, LATER)
    assert (flood.sample_subject, flood.sample_detail) == ("order:7", "root > currency")


def test_counts_by_cause_name_every_cause(database: Database) -> None:
    opened(database, Touch("platform.refused", "order:1"), Touch("platform.backlog"), Touch("internal.bug", "event:1"))
    with database.transaction() as tx:
        assert cases.count_by_cause(tx, "acme") == {"storefront": 0, "integration": 1, "platform": 2}


def test_a_code_that_nobody_catalogued_still_makes_a_case(database: Database) -> None:
    (first,) = opened(database, Touch("platform.nobody_knows"))
    with database.transaction() as tx:
        case = cases.get_case(tx, first)
    assert case is not None
    assert (case.cause, case.severity) == ("integration", "high")


def test_pruning_forgets_old_resolved_cases_only(database: Database) -> None:
    first, second, third = opened(database, *(Touch("platform.refused", f"order:{n}") for n in range(3)))
    with database.transaction() as tx:
        cases.close_case(tx, first, AT, "ann")
        cases.ignore_case(tx, second, AT, "ann")
        assert cases.prune_resolved(tx, LATER) == 1
        assert [cases.get_case(tx, one) is None for one in (first, second, third)] == [True, False, False]


def test_what_is_about_a_store_that_left_the_connection_is_closed_with_that_reason(stage: Stage) -> None:
    opened(
        stage.db,
        Touch("storefront.throttled", "", "de"),
        Touch("storefront.throttled", "", "uk"),
        Touch("privacy.redact_customer", "customer:7", "de"),
    )
    assert close_finished_cases(stage.db, stage.context) == 1
    with stage.db.transaction() as tx:
        (closed,) = cases.list_cases(tx, "acme", state="resolved")
        left = {(case.code, case.store) for case in cases.list_cases(tx, "acme")}
    assert left == {("storefront.throttled", "uk"), ("privacy.redact_customer", "de")}
    assert (closed.store, closed.closed_by, closed.note) == (
        "de", "recheck", "the store de left the connection",
    )  # fmt: skip
