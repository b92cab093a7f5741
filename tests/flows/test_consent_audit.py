"""The two-sided audit: everybody whom one side may write to and the other may not, each with times, rule and case."""

import csv
import io

import pytest

from isthmus.db.pool import Database
from isthmus.flows.consent import audit as flow
from isthmus.model.accord import Accord, Sort
from isthmus.ops import accord_page
from sims.ometria import unsubscribes as centre
from talking import Both, subscriber


@pytest.fixture
def play(database: Database) -> Both:
    return Both(database)


def books(play: Both) -> list[object]:
    """The ledger, what is to be sent, and what is to be written."""
    tables = ("consent_claim", "outbox", "consent_write")
    return [play.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in tables]  # noqa: S608


def audit(play: Both, **asked: bool) -> Accord:
    return flow.audit(play.db, play.road, **asked)  # type: ignore[arg-type]


def test_where_both_sides_agree_nothing_is_listed(play: Both) -> None:
    subscriber(play, "in@example.com")
    play.person("out@example.com", "UNSUBSCRIBED")
    play.person("quiet@example.com")
    play.rest()
    done = audit(play)
    assert (done.n_people, done.n_both, done.n_neither, done.differs) == (3, 1, 2, ())
    assert accord_page.verdict(done) == "Both sides agree on all 3 people they both know."


def test_each_difference_has_both_times_the_rule_and_its_case(play: Both) -> None:
    blocked = subscriber(play, "blocked@example.com")
    play.leaves("blocked@example.com")
    play.rest()
    play.pass_time(60)
    play.says(blocked, "SUBSCRIBED")
    unproven = play.person("unproven@example.com")
    play.rest()
    play.returns("unproven@example.com")
    play.rest()
    done = audit(play)
    found = {one.customer_id: one for one in done.differs}
    assert {(one.sort, one.case) for one in done.differs} == {
        (Sort.SILENCED, "consent.blocked_by_listing"), (Sort.UNPROVEN, "consent.unproven_resubscribe"),
    }  # fmt: skip
    one = found[blocked.id]
    assert (one.shop, one.platform, one.rule) == ("SUBSCRIBED", "opted out", "later_opt_in")
    assert one.shop_at == blocked.email_consent.updated_at.replace(microsecond=0)  # type: ignore[union-attr]
    assert one.platform_seen_at is not None
    assert found[unproven.id].platform == "opted in"
    assert done.unexplained == ()


def test_an_audit_that_repairs_nothing_changes_nothing(play: Both) -> None:
    who = subscriber(play)
    account = play.sims.ometria.account
    centre.say_elsewhere(
        account, centre.find(account, email="ada@example.com"), play.sim_clock.now(), "csv", is_in=False
    )
    before = books(play)
    done = audit(play, repair=False)
    assert [one.sort for one in done.differs] == [Sort.SILENCED]
    assert books(play) == before
    audit(play)
    play.rest()
    assert who.email_consent.state == "UNSUBSCRIBED"  # towards the opt-out, as always
    assert audit(play).differs == ()


def test_the_report_is_dated_signed_and_names_nobody(play: Both) -> None:
    subscriber(play, "ada@example.com")
    play.leaves("ada@example.com")
    done = flow.audit(play.db, play.road, repair=False, signed_by="A. Officer")
    page = accord_page.page(done)
    assert "Signed off: <b>A. Officer</b>" in page
    assert done.digest in page
    assert "ada@" not in page + accord_page.sheet(done) + str(accord_page.document(done))
    kept = flow.last(play.db, "acme")
    assert kept == done
    assert flow.digest(kept) == done.digest


def test_the_sheet_has_a_row_for_each_difference(play: Both) -> None:
    who = subscriber(play)
    play.leaves("ada@example.com")
    done = audit(play, repair=False)
    rows = list(csv.DictReader(io.StringIO(accord_page.sheet(done))))
    assert [(row["customer_id"], row["sort"]) for row in rows] == [(str(who.id), "silenced")]
