"""The operating checklist, judged on a real database: what is ok, what somebody must look at, what nobody can tell."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from governed import Governed
from isthmus.cases.sql import cases
from isthmus.cases.sql.cases import Touch
from isthmus.config_changes import sql as governance
from isthmus.config_changes.rules import SecretAge
from isthmus.connections import sql as connections
from isthmus.db.pool import Database
from isthmus.flows.checklist_signoff import sign_off_item
from isthmus.flows.config_changes import check_config_changes
from isthmus.flows.prune import Retention, prune_all
from isthmus.model.basis import AsOf, Basis, NotJudged, NotJudgedReason
from isthmus.model.consent_comparison import ConsentComparisonResult, ConsentDifference, DifferenceKind
from isthmus.ops import status
from isthmus.ops.alerting_queries.facts import AUDIT_OF_CONSENT, Setup, gather_facts
from isthmus.ops.checklist import DAILY, MONTHLY, NOTED, ChecklistLine, evaluate_checklist
from isthmus.ops.checklist_rules import Result
from isthmus.web.dashboard.app import dashboard

SETUP = Setup(
    versions={"uk": "2026-10", "int": "2026-10"},
    retention={"events": timedelta(days=90), "attempts": timedelta(days=30), "cases": timedelta(days=400)},
    is_told=True,
    disk=(50 * 10**9, 100 * 10**9),
)


@pytest.fixture
def play(database: Database) -> Governed:
    return Governed(database)


def reconciled(play: Governed, *left: NotJudged, differ: int = 0) -> None:
    basis = Basis(at=play.now, n_compared=60, n_differ=differ, not_judged=left, as_of=(AsOf("uk", read_to=play.now),))
    with play.db.transaction() as tx:
        tx.execute(
            """INSERT INTO run (connection, what, asked, state, started_at, moved_at, ended_at, result)
               VALUES ('acme', 'reconcile', '{"kinds": ["product", "customer", "order"]}', 'done', %(now)s, %(now)s,
                       %(now)s, %(result)s)""",
            {"now": play.now, "result": msgspec.json.encode({"n_findings": basis.n_differ, "basis": basis}).decode()},
        )


def well(play: Governed) -> None:
    """A day on which everything is done that should be."""
    for _ in range(12):
        play.person(f"p{play.now:%H%M%S}@example.com")
    play.come_to_rest()
    play.look()
    check_config_changes(play.db, "acme", play.now, play.watched(), play.secrets, 4)
    play.poll()
    play.come_to_rest()
    prune_all(play.db, play.now, Retention())
    reconciled(play)


def lines(play: Governed, items=DAILY, **setup: Any) -> Mapping[str, ChecklistLine]:
    told = evaluate_checklist(items, gather_facts(play.db, "acme", play.now, msgspec.structs.replace(SETUP, **setup)))
    ranks = [list(Result).index(line.result) for line in told]
    assert ranks == sorted(ranks), "the most urgent come first"
    return {line.key: line for line in told}


def looks(found: Mapping[str, ChecklistLine]) -> list[str]:
    return sorted(key for key, line in found.items() if line.result is Result.LOOK)


def test_a_good_day_needs_nobody(play: Governed) -> None:
    well(play)
    found = lines(play)
    assert {line.key: line.said for line in found.values() if line.result is Result.LOOK} == {}
    assert {line.key: line.said for line in found.values() if line.result is Result.COULD_NOT_LOOK} == {}
    # Too few pushes for a judgement of limits, and a store without customers.
    assert found["limits"].said.startswith("pushes ")
    assert found["people"].said == "int: the shop has no customers"
    assert found["reconciled"].said == f"run 1: Of 60 compared, all agree; uk read {play.now:%H:%M:%S}"


def test_a_new_connection_says_what_nobody_has_looked_at(play: Governed) -> None:
    found = lines(play)
    assert found["versions"].result is Result.COULD_NOT_LOOK
    assert found["versions"].said == "nobody has looked since yesterday"
    assert found["reconciled"].said == "never done"
    assert found["pruned"].result is Result.OK
    assert found["pruned"].said == "everything within its retention; its first night is still to come"


def test_what_is_shut_or_late_comes_first(play: Governed) -> None:
    well(play)
    play.person("late@example.com")
    play.sims.deliver(play.post)
    play.pass_time(120)
    assert looks(lines(play)) == ["lanes"]
    with play.db.transaction() as tx:
        connections.block_connection(tx, "acme", "platform.key_refused", play.now)
    found = lines(play)
    assert next(iter(found)) == "open"
    assert found["open"].said == "blocked by platform.key_refused"
    assert found["lanes"].said.startswith("realtime: ")


def test_cases_are_judged_by_owner_age_and_due_date(play: Governed) -> None:
    well(play)
    with play.db.transaction() as tx:
        cases.open_or_count(tx, "acme", [Touch("platform.refused", "order:1", "uk")], play.now)
        cases.open_or_count(tx, "acme", [Touch("privacy.redact_customer", "customer:1", "uk")], play.now)
    found = lines(play)
    assert found["cases:integration operator"].said == "1 open, none pressing"
    assert found["cases:privacy officer"].result is Result.LOOK
    assert "(due 2026-12-" in found["cases:privacy officer"].said
    play.pass_time(timedelta(days=8).total_seconds())
    assert "cases:integration operator" in looks(lines(play))


def test_what_stands_still_is_seen(play: Governed) -> None:
    well(play)
    play.pass_time(timedelta(days=2).total_seconds())
    assert looks(lines(play)) == ["polls", "pruned", "reconciled"]
    assert lines(play)["versions"].result is Result.COULD_NOT_LOOK


def test_a_reconciliation_that_found_something_or_could_not_see_is_told_apart(play: Governed) -> None:
    well(play)
    reconciled(play, differ=3)
    found = lines(play)["reconciled"]
    assert found.result is Result.LOOK
    assert found.said.startswith("run 2: Of 60 compared, 3 differ; ")
    reconciled(play, NotJudged(NotJudgedReason.COULD_NOT_LOOK, None, "Ometria orders: ConnectError"))
    blind = lines(play)["reconciled"]
    assert blind.result is Result.COULD_NOT_LOOK
    assert "not judged: could not look (Ometria orders: ConnectError)" in blind.said


def test_a_reconciliation_that_left_something_unjudged_is_not_ok(play: Governed) -> None:
    """Excluded records and a few in flight are let be, and are printed."""
    well(play)
    reconciled(play, NotJudged(NotJudgedReason.EXCLUDED, 4))
    assert lines(play)["reconciled"].result is Result.OK
    assert "4 not judged: 4 excluded" in lines(play)["reconciled"].said
    for left in (
        NotJudged(NotJudgedReason.WAITING, 1),
        NotJudged(NotJudgedReason.OUT_OF_SIGHT, 1),
        NotJudged(NotJudgedReason.IN_FLIGHT, 2),
    ):
        reconciled(play, left)
        assert lines(play)["reconciled"].result is Result.COULD_NOT_LOOK


def test_a_run_of_an_earlier_version_proves_nothing(play: Governed) -> None:
    well(play)
    with play.db.transaction() as tx:
        tx.execute("UPDATE run SET result = result - 'basis'")
    assert lines(play)["reconciled"].result is Result.COULD_NOT_LOOK


def test_the_last_audit_of_consent_is_judged(play: Governed) -> None:
    well(play)
    accord = ConsentComparisonResult(
        "acme", play.now, 3, 1, 2, 0, (), basis=Basis(at=play.now, n_compared=3, unit="people")
    )
    kept(play, accord)
    line = lines(play, MONTHLY)["consent_audit"]
    assert (line.result, line.said) == (Result.OK, f"the audit of {play.now:%Y-%m-%d}: Of 3 people compared, all agree")
    kept(play, msgspec.structs.replace(accord, is_whole=False))
    assert lines(play, MONTHLY)["consent_audit"].result is Result.COULD_NOT_LOOK
    kept(play, msgspec.structs.replace(accord, basis=None))
    assert lines(play, MONTHLY)["consent_audit"].result is Result.COULD_NOT_LOOK
    differs = ConsentDifference(DifferenceKind.AGAINST, "uk", 1, "email", "", None, "", None, "", "", "", None)
    kept(play, msgspec.structs.replace(accord, differs=(differs,)))
    assert lines(play, MONTHLY)["consent_audit"].result is Result.LOOK
    kept(play, accord)
    play.pass_time(timedelta(days=40).total_seconds())
    assert lines(play, MONTHLY)["consent_audit"].result is Result.LOOK


def kept(play: Governed, accord: ConsentComparisonResult) -> None:
    with play.db.transaction() as tx:
        governance.save_snapshot(tx, "acme", "", AUDIT_OF_CONSENT, msgspec.to_builtins(accord), play.now)


def test_a_disk_that_fills_and_messages_that_wait_are_seen(play: Governed) -> None:
    well(play)
    with play.db.transaction() as tx:
        tx.execute(
            """INSERT INTO notice (connection, key, state, at, body, due_at)
               VALUES ('acme', 'run:1', 'finished', %(at)s, '{}', %(at)s)""",
            {"at": play.now - timedelta(minutes=10)},
        )
    assert looks(lines(play, disk=(10**9, 100 * 10**9))) == ["disk", "told"]
    assert lines(play, disk=None)["disk"].result is Result.COULD_NOT_LOOK
    assert lines(play, is_told=False)["told"].result is Result.COULD_NOT_LOOK


def test_what_this_machine_cannot_look_at_a_person_may_sign_off_for_a_while(play: Governed) -> None:
    well(play)
    for item in ("disk", "told"):
        sign_off_item(play.db, "acme", item, play.now, "ada", "watched elsewhere")
    found = lines(play, disk=None, is_told=False)
    assert {found[item].result for item in ("disk", "told")} == {Result.OK}
    assert found["disk"].said == f"ada, {play.now:%Y-%m-%d}: watched elsewhere"
    play.pass_time(timedelta(days=100).total_seconds())
    found = lines(play, disk=None, is_told=False)
    assert {found[item].result for item in ("disk", "told")} == {Result.COULD_NOT_LOOK}


def test_missed_webhooks_are_a_line_of_their_own(play: Governed) -> None:
    well(play)
    with play.db.transaction() as tx:
        tx.execute(
            """INSERT INTO rhythm (connection, store, topic, hour, n_missed)
               VALUES ('acme', 'uk', 'orders/create', date_trunc('hour', %s::timestamptz), 12)
               ON CONFLICT (connection, store, topic, hour) DO UPDATE SET n_missed = 12""",
            (play.now,),
        )
    assert lines(play)["missed"].said == "uk orders/create: 12"


def test_a_change_of_the_shop_is_a_line_with_its_owner(play: Governed) -> None:
    well(play)
    play.uk.shop.taxes_included = False
    check_config_changes(play.db, "acme", play.now, play.watched(), [SecretAge("ometria.api_key", "not set")], 4)
    found = lines(play)
    assert found["settings"].owner == "store team"
    assert found["settings"].said.startswith("uk: taxesIncluded was on and is off")
    assert found["secrets"].result is Result.LOOK


def test_the_monthly_list_wants_what_only_people_can_say(play: Governed) -> None:
    well(play)
    first = lines(play, MONTHLY)
    signed = {item.key for item in MONTHLY if item.is_noted}
    assert set(looks(first)) == {*signed, "consent_audit"}
    assert first["consent_audit"].said == "never done; `isthmus consent audit acme`"
    assert first["restore_test"].said == "a person must say so: `isthmus check sign-off acme restore_test`"
    for item in NOTED:
        sign_off_item(play.db, "acme", item, play.now, "ada", "done well")
    found = lines(play, MONTHLY)
    assert looks(found) == ["consent_audit"]
    assert found["restore_test"].said == f"ada, {play.now:%Y-%m-%d}: done well"
    play.pass_time(timedelta(days=100).total_seconds())
    assert "restore_test" in looks(lines(play, MONTHLY))


def test_a_secret_that_nobody_ever_exchanged_grows_old(play: Governed) -> None:
    well(play)
    assert lines(play, MONTHLY)["rotation"].result is Result.OK
    play.pass_time(timedelta(days=400).total_seconds())
    assert "older than a year: ometria.api_key" in lines(play, MONTHLY)["rotation"].said


def test_with_subscriptions_by_api_a_person_must_say_that_privacy_requests_arrive(play: Governed) -> None:
    well(play)
    assert lines(play)["compliance"].result is Result.OK
    line = lines(play, by_api=("uk",))["compliance"]
    assert line.result is Result.COULD_NOT_LOOK
    assert "uk" in line.said
    assert "shopify.app.toml" in line.said
    sign_off_item(play.db, "acme", "compliance", play.now, "ada")
    assert lines(play, by_api=("uk",))["compliance"].result is Result.OK


def test_of_a_store_that_the_app_left_no_line_knows_anything_and_the_other_stores_lines_stay(play: Governed) -> None:
    well(play)
    before = lines(play)
    play.sims.happen("uk", {"deed": "uninstall"})
    play.hear()
    assert [(code, store) for code, store, _ in play.open_codes()] == [("storefront.app_uninstalled", "uk")]
    found = lines(play)
    of_stores = {item.key for item in DAILY if item.is_of_stores}
    assert {"reconciled", "missed", "silent", "polls", "scopes", "settings", "token", "versions"} <= of_stores
    for key, line in found.items():
        if key not in of_stores:
            assert line.said == before[key].said or key.startswith("cases:") or key in ("lanes", "disk")
            continue
        assert line.result is Result.COULD_NOT_LOOK, key
        assert line.said.startswith("uk: could not look, the app was uninstalled; other stores: "), key
    assert found["people"].said.endswith("other stores: int: the shop has no customers")
    # A day later nothing of that store can be read any more, and what the other one lacks is still a person's.
    play.pass_time(3700)
    for topic, store in (("orders/create", "uk"), ("orders/create", "int")):
        with play.db.transaction() as tx:
            tx.execute(
                """INSERT INTO rhythm (connection, store, topic, hour, n_missed)
                   VALUES ('acme', %s, %s, date_trunc('hour', %s::timestamptz), 12)
                   ON CONFLICT (connection, store, topic, hour) DO UPDATE SET n_missed = 12""",
                (store, topic, play.now),
            )
    check_config_changes(play.db, "acme", play.now, play.watched(), play.secrets, 4)
    found = lines(play)
    assert found["token"].result is Result.COULD_NOT_LOOK
    assert found["missed"].result is Result.LOOK
    assert found["missed"].said == ("uk: could not look, the app was uninstalled; other stores: int orders/create: 12")
    (connection,) = status.read_status(play.db, play.now).connections
    assert [group.stores for group in connection.background.groups if group.code == "storefront.app_uninstalled"] == [
        ["uk"]
    ]
    shown = TestClient(dashboard(lambda: status.read_status(play.db, play.now))).get("/").text
    assert "The app was uninstalled from the shop" in shown
    assert '<span class="stores" data-stores>uk</span>' in shown
    play.sims.happen("int", {"deed": "uninstall"})
    play.hear()
    found = lines(play)
    assert {found[item.key].said for item in DAILY if item.is_of_stores} == {
        "int, uk: could not look, the app was uninstalled"
    }
    assert {found[item.key].result for item in DAILY if item.is_of_stores} == {Result.COULD_NOT_LOOK}
