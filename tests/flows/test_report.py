"""The report of a reconciliation: what each side says of each day, every difference, and what it means to people."""

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from governed import Governed
from isthmus.config_changes import sql as governance
from isthmus.db.pool import Database, Tx
from isthmus.model.basis import Basis, NotJudged, NotJudgedReason
from isthmus.ops.report import gather, sheets, sql
from isthmus.ops.report.gather import ReconcileReport
from isthmus.ops.report.page import report_html
from isthmus.ops.report.save import save_report

AT = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
RUN = """INSERT INTO run (connection, what, asked, state, started_at, moved_at)
         VALUES ('acme', 'reconcile', %s, %s, %s, %s)"""

SALE = """INSERT INTO sale (connection, store, id, name, placed_at, currency, status, is_valid, is_counted, gross_mills,
                           refunded_mills, net_mills, n_units, n_returned, customer_id, is_untold)
          VALUES ('acme', 'uk', %s, %s, %s, 'GBP', 'complete', %s, %s, %s, %s, %s, 1, 0, %s, false)"""


def _order(
    tx: Tx, number: int, store: int | None, ours: int, platform: int | None, *, refunded: int = 0, is_valid: bool = True
) -> None:
    """An order as each side tells it: what was kept, in pence; `refunded` is what the store and we know went back."""
    sides = [("store", store, refunded), ("platform", platform, 0 if platform != ours else refunded)]
    for side, net, back in sides:
        if net is not None:
            tx.execute(
                """INSERT INTO seen (connection, run, side, kind, id, store, number, at, name, currency, gross_mills,
                                     refunded_mills, net_mills, status, is_valid, placed_at)
                   VALUES ('acme', 1, %s, 'order', %s, 'uk', %s, %s, %s, 'GBP', %s, %s, %s, %s, %s, %s)""",
                (side, f"uk:{number}", number, AT, f"#{number}", (net + back) * 10, back * 10, net * 10,
                 "paid" if is_valid else "cancelled", is_valid if side == "platform" else None, AT),
            )  # fmt: skip
    tx.execute(
        SALE,
        (
            number,
            f"#{number}",
            AT,
            is_valid,
            is_valid,
            (ours + refunded) * 10,
            refunded * 10,
            ours * 10,
            7_000 + number,
        ),
    )


def _finding(
    tx: Tx, kind: str, number: int, code: str, says: dict[str, Any], off: int | None, repair: str | None
) -> None:
    tx.execute(
        """INSERT INTO finding (connection, run, kind, id, store, subject, code, cause, detail, store_says, ours_say,
                                platform_says, currency, off_mills, repair, found_at)
           VALUES ('acme', 1, %s, %s, 'uk', %s, %s, 'platform', '=1+1', %s, %s, %s, 'GBP', %s, %s, %s)""",
        (kind, f"uk:{number}", f"{kind}:{number}", code, *(
            json.dumps(says[side]) if side in says else None for side in ("store", "ours", "platform")
        ), off, repair, AT),
    )  # fmt: skip


@pytest.fixture
def told(database: Database) -> ReconcileReport:
    with database.transaction() as tx:
        tx.execute(RUN, ('{"since": null}', "done", AT, AT))
        governance.save_snapshot(tx, "acme", "uk", "settings", {"agreed": {"ianaTimezone": "Asia/Tokyo"}}, AT)
        _order(tx, 1, 1000, 1000, 1000)
        _order(tx, 2, 250, 250, 1000, refunded=750)
        _order(tx, 3, 500, 500, None)
        _order(tx, 4, 300, 300, 300, is_valid=False)
        _finding(
            tx, "order", 2, "platform.differs", {"store": {"net": "2.50"}, "platform": {"net": "10.00"}}, 7500, "send"
        )
        _finding(tx, "order", 3, "platform.not_applied", {"store": {"net": "5.00"}}, -5000, "send")
        _finding(tx, "contact", 9, "platform.differs", {"ours": "out", "platform": "in"}, None, None)
        tx.execute(
            """INSERT INTO seen (connection, run, side, kind, id, store, at, path)
               VALUES ('acme', 1, 'platform', 'contact', 'uk:9', 'uk', %s, 'marketing_optin')""",
            (AT,),
        )
    made = gather.load_report(database, "acme")
    assert made is not None
    return made


def test_each_side_is_summed_to_the_penny(told: ReconcileReport) -> None:
    (total,) = told.totals
    shop, ours, platform = (total.sides[side] for side in gather.SIDES)
    assert (shop.n, shop.gross, shop.refunded, shop.uncounted, shop.net) == (
        4, Decimal("28.00"), Decimal("7.50"), Decimal("3.00"), Decimal("17.50"),
    )  # fmt: skip
    assert ours == shop
    assert (platform.n, platform.net) == (3, Decimal("20.00"))
    assert all(s.gross - s.refunded - s.uncounted == s.net for s in (shop, ours, platform))
    assert not total.is_equal


def test_a_day_is_the_shops_own(told: ReconcileReport) -> None:
    """Half past eleven at night in London is the next morning in Tokyo."""
    assert [day.on for day in told.days] == [date(2026, 11, 23)]


def test_the_daily_look_at_the_shop_tells_its_zone(database: Database) -> None:
    play = Governed(database)
    play.uk.shop.iana_timezone = "Europe/Paris"
    play.look()
    with database.transaction() as tx:
        assert sql.store_time_zones(tx, "acme")["uk"] == "Europe/Paris"


def test_it_says_what_the_differences_mean_to_people(told: ReconcileReport) -> None:
    assert (told.meaning.people_missing, told.meaning.orders_missing) == (1, 1)
    assert (told.meaning.people_overvalued, told.meaning.orders_overvalued) == (1, 1)
    assert told.meaning.contacts_consent == 1
    assert "3 differences: 2 on the way to be right, 1 for a person to look at." in report_html(told)
    assert "person may be promoted to after a refund" in report_html(told)


def test_the_most_money_comes_first_and_every_finding_is_there(told: ReconcileReport) -> None:
    assert [(f.subject, f.off) for f in told.findings] == [
        ("order:2", Decimal("7.50")), ("order:3", Decimal("-5.00")), ("contact:9", None),
    ]  # fmt: skip
    assert told.n_findings == 3


def test_an_order_that_differs_without_a_finding_is_on_its_way(database: Database) -> None:
    """All orders of both sides are held against each other at the end, so that nothing differs unmentioned."""
    with database.transaction() as tx:
        tx.execute(RUN, ('{"since": null}', "done", AT, AT))
        _order(tx, 1, 1000, 1000, 1000)
        _order(tx, 2, 500, 500, 499)
        _order(tx, 3, 500, 500, None)
        _finding(tx, "order", 3, "platform.not_applied", {}, -5000, "send")
    made = gather.load_report(database, "acme")
    assert made is not None
    assert made.n_on_the_way == 1
    assert "1 order changed while this run looked" in report_html(made)


def test_a_spreadsheet_runs_nothing(told: ReconcileReport) -> None:
    rows = list(csv.DictReader(StringIO(sheets.findings_csv(told))))
    assert {row["detail"] for row in rows} == {"'=1+1"}


def test_the_folder_holds_the_page_the_sheets_and_the_document(told: ReconcileReport, tmp_path: Path) -> None:
    files = save_report(told, tmp_path / "out")
    assert [file.name for file in files] == ["report.html", "days.csv", "findings.csv", "report.json"]
    assert json.loads(files[3].read_text())["totals"][0]["sides"]["store"]["net"] == "17.50"
    assert "<script" not in files[0].read_text()
    (day,) = csv.DictReader(StringIO(files[1].read_text()))
    assert (day["store_net"], day["platform_net"], day["equal"]) == ("17.50", "20.00", "False")


def test_a_run_over_a_window_holds_like_against_like(database: Database) -> None:
    """Of our sales only those that an external API was asked about."""
    with database.transaction() as tx:
        tx.execute(RUN, ('{"since": "2026-11-22T00:00:00Z"}', "done", AT, AT))
        _order(tx, 1, 1000, 1000, 1000)
        tx.execute(SALE, (2, "#2", AT, True, True, 99, 0, 99, 1))
        _rests_on(tx, Basis(at=AT, n_compared=1, unit="records"))
    made = gather.load_report(database, "acme")
    assert made is not None
    assert made.totals[0].is_equal
    assert made.is_clean
    assert "to the penny" in report_html(made)


def test_a_report_claims_no_agreement_of_what_was_not_judged(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(RUN, ('{"since": "2026-11-22T00:00:00Z"}', "done", AT, AT))
        _order(tx, 1, 1000, 1000, 1000)
    for basis in (
        None,
        Basis(at=AT, n_compared=1, not_judged=(NotJudged(NotJudgedReason.COULD_NOT_LOOK, None, "uk"),)),
    ):
        if basis is not None:
            with database.transaction() as tx:
                _rests_on(tx, basis)
        made = gather.load_report(database, "acme")
        assert made is not None
        assert not made.is_clean
        assert "say the same" not in report_html(made)
        assert "Not enough was judged" in report_html(made)


def _rests_on(tx: Tx, basis: Basis) -> None:
    tx.execute("UPDATE run SET result = %s", (msgspec.json.encode({"basis": basis}).decode(),))


def test_without_a_finished_run_there_is_no_report(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(RUN, ("{}", "running", AT, AT))
    assert gather.load_report(database, "acme") is None
