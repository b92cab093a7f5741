"""What no webhook told is noticed, counted and fetched; a silence that means something is no quiet night."""

from datetime import datetime, timedelta

import pytest

from isthmus.db.pool import Database
from isthmus.flows.poll import KINDS, poll_checkouts, poll_records
from isthmus.flows.subscription_monitor import MonitorResult, monitor_subscriptions
from isthmus.model.failure import RejectedError
from isthmus.ops.status import read_status
from isthmus.ops.trace import About, trace_history
from isthmus.runs import window
from isthmus.runs.sql import watermarks as runs
from isthmus.shopify import access, documents, topics, webhooks
from isthmus.shopify.access import Expected
from plays import Play
from sims.shopify.deeds import refunding

URI = "https://isthmus.example/hooks/shopify"
SUBSCRIBED = len(topics.SUBSCRIBED)


class Gaps(Play):
    """A play that is watched every minute and polled every five, as the scheduler does it."""

    def __init__(self, db: Database, owner: str = "app") -> None:
        super().__init__(db)
        self.expected = {
            at["name"]: Expected(at["domain"], at["currency"], URI, is_subscribed_by_app=owner == "app")
            for at in self.sims.stores()
        }
        if owner == "api":
            for at in self.sims.stores():
                self.sims.unsubscribe(at["domain"])
        self.watch()
        self.go_on(1)

    def watch(self) -> MonitorResult:
        return monitor_subscriptions(self.db, self.context, self.expected)

    def go_on(self, minutes: float) -> None:
        """Let the scheduler run: everything that is due, every ten seconds."""
        until = self.now + timedelta(minutes=minutes)
        while self.now < until:
            self.pass_time(10)
            self.work()
            with self.db.transaction() as tx:
                marks = runs.load_watermarks(tx, "acme")
            if window.is_window_due(marks["", "watch"].at, self.now, self.context.pace.watch_every):
                self.watch()
            for store in self.context.shops:
                for kind in (*KINDS, "checkout"):
                    mark = marks.get((store, f"poll:{kind}"))
                    if not window.is_window_due(mark.at if mark else None, self.now, self.context.pace.poll_every):
                        continue
                    if kind == "checkout":
                        poll_checkouts(self.db, self.context, store)
                    else:
                        poll_records(self.db, self.context, store, kind)
        self.work()

    def listed(self) -> list[webhooks.Subscription]:
        client = self.context.shops["uk"].client
        assert client is not None
        return access.list_subscriptions(client)

    def lose(self, *names: str) -> None:
        """Subscriptions go without a word."""
        self.sims.unsubscribe(self.uk.shop.domain, names or None)

    def minutes_until(self, code: str, within: int = 10) -> float:
        """How long it takes until there is a case of a code."""
        began = self.now
        while not self.cases(code):
            assert self.now - began < timedelta(minutes=within), f"{code} is not noticed"
            self.go_on(1 / 6)
        return (self.now - began) / timedelta(minutes=1)

    def missed(self) -> dict[str, int]:
        rows = self.rows("SELECT topic, sum(n_missed)::int AS n FROM rhythm WHERE n_missed > 0 GROUP BY topic")
        return {row["topic"]: row["n"] for row in rows}

    def tally(self, name: str) -> int:
        (row,) = self.rows("SELECT coalesce(sum(n), 0)::int AS n FROM tally WHERE name = %s", name)
        return int(row["n"])


@pytest.fixture
def play(database: Database) -> Gaps:
    return Gaps(database)


@pytest.fixture
def own(database: Database) -> Gaps:
    """Whose subscriptions isthmus makes itself."""
    return Gaps(database, "api")


# What was missed -----------------------------------------------------------------------------------------------------


def test_f23_a_webhook_that_was_never_sent_is_counted_and_its_reading_says_so(play: Gaps) -> None:
    """F23: the poll brings it, says what it was good for, and the case ends when a window passes clean."""
    who = play.person()
    play.orders(play.person("bob@example.com"))
    placed = play.orders(who, is_told=False, is_paid=False)
    play.go_on(9)
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    assert play.missed() == {"orders/create": 1}
    assert play.tally("missed.orders/create") == 1
    (case,) = play.cases("integration.missed_webhook")
    assert (case["store"], case["subject"], case["n"]) == ("uk", "orders/create", 1)
    assert f"order:{placed.id}" in case["detail"]
    reasons = play.rows("SELECT reason FROM event WHERE topic = 'poll/order' AND subject = %s", f"order:{placed.id}")
    assert reasons == [{"reason": "recovered: no webhook told of it"}]
    play.pass_time(3600)
    play.go_on(6)
    assert play.cases("integration.missed_webhook") == []


def test_a_known_record_that_changed_unheard_counts_as_an_update(play: Gaps) -> None:
    placed = play.orders(play.person())
    play.go_on(5)
    events = refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now)
    play.do(events, is_told=False)
    play.go_on(9)
    assert play.order(placed)["status"] == "cancelled"
    assert play.missed()["orders/updated"] == 1


def test_a_webhook_on_its_way_is_not_missed(play: Gaps) -> None:
    """The poll is quicker than the delivery, which comes within the time that it has."""
    play.sims.faults.set({"shopify.p_delay": 1.0, "shopify.delay": 60.0})
    for n in range(5):
        play.orders(play.person(f"late{n}@example.com"))
        play.poll()
    play.go_on(10)
    assert play.missed() == {}
    assert play.cases("integration.missed_webhook") == []


def test_a_delivery_that_waits_unread_is_not_missed(play: Gaps) -> None:
    """It came, only nobody has looked at it: the pipeline was shut for an hour."""
    placed = play.orders(play.person())
    play.sims.deliver(play.post)
    play.pass_time(3600)
    play.poll()
    play.watch()
    play.go_on(5)
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    assert play.missed() == {}


def test_f24_a_delivery_a_day_late_stays_missed_and_is_noted(play: Gaps) -> None:
    """F24: it was counted; that it came after all is noted beside it, and no moment fires."""
    placed = play.orders(play.person())
    play.go_on(5)
    events = refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now)
    play.sims.faults.set({"shopify.p_delay": 1.0, "shopify.delay": 4 * 3600.0})
    play.do(events)
    play.go_on(9)
    missed = play.missed()
    assert missed["orders/updated"] == 1
    play.sims.faults.set({"shopify.p_delay": 0.0})
    play.pass_time(4 * 3600)
    play.go_on(3)
    assert play.missed() == missed
    assert play.tally("missed.late") == sum(missed.values())
    assert play.order(placed)["status"] == "cancelled"


def test_f22_a_moment_that_a_poll_brings_too_late_is_written_down_with_its_reason(play: Gaps) -> None:
    """F22: down for more than a day: the state converges, the moment is there, not fired, and says why."""
    placed = play.orders(play.person())
    play.go_on(5)
    events = refunding.cancel(play.world, play.uk, placed, "CUSTOMER", play.now)
    play.do(events, is_told=False)
    play.pass_time(timedelta(hours=25).total_seconds())
    play.go_on(9)
    assert play.order(placed)["status"] == "cancelled"
    assert play.pushed("custom_event") == []
    told = play.rows("SELECT DISTINCT state, excluded FROM outbox WHERE kind = 'moment'")
    assert told == [{"state": "excluded", "excluded": "older than 1d"}]
    entries = trace_history(play.db, "acme", About(order=placed.id), play.context.hash_key).entries
    assert "on purpose not sent: older than 1d" in {entry.said for entry in entries if entry.id.startswith("moment:")}
    (acme,) = read_status(play.db, play.now).connections
    assert acme.accounting["custom_events"].excluded == len(play.rows("SELECT FROM outbox WHERE kind = 'moment'"))


def test_what_was_so_before_anybody_watched_is_history(database: Database) -> None:
    play = Play(database)
    placed = play.orders(play.person(is_told=False), is_told=False)
    play.pass_time(60)
    gaps = Gaps.__new__(Gaps)
    gaps.__dict__.update(play.__dict__)
    gaps.expected = {}
    gaps.watch()
    gaps.go_on(9)
    assert gaps.order(placed)["id"] == f"uk:{placed.id}"
    assert gaps.missed() == {}


def test_a_living_shop_of_which_everything_is_told_misses_nothing(database: Database) -> None:
    play = Gaps(database)
    for _ in range(12):
        play.sims.live(8)
        play.go_on(1)
    assert play.missed() == {}
    assert play.cases("integration.webhook_silent") == []


# Lost subscriptions --------------------------------------------------------------------------------------------------


def test_f21_a_lost_subscription_is_noticed_repaired_and_its_window_recovered(own: Gaps) -> None:
    """F21: ours, deleted by Shopify: five minutes on the clock, nobody touches anything."""
    own.go_on(2)
    assert len(own.listed()) == SUBSCRIBED
    own.lose()
    lost_at = own.now
    placed = own.orders(own.person("lost@example.com"))
    assert own.minutes_until("integration.subscriptions_differ") < 5
    (case,) = own.cases("integration.subscriptions_differ")
    assert f"{SUBSCRIBED} missing" in case["detail"]
    assert case["n"] == SUBSCRIBED
    assert "deletions since then" in case["detail"]
    assert len(own.listed()) == SUBSCRIBED
    own.go_on(1)
    assert own.now - lost_at < timedelta(minutes=5)
    assert own.order(placed)["status"] == "processing"
    assert own.cases("integration.subscriptions_differ") == []
    own.go_on(6)
    assert own.missed() == {"customers/create": 1, "orders/create": 1, "products/update": 1}  # its stock changed
    again = own.orders(own.person("again@example.com"))
    own.go_on(1)
    assert own.order(again)["id"] == f"uk:{again.id}"
    assert own.cases("integration.webhook_silent") == []


def test_f21_shopify_deletes_a_subscription_after_eight_failures(own: Gaps) -> None:
    """F21: as above, with the deletion as Shopify does it: an endpoint that answers errors for four hours."""
    own.go_on(2)
    own.orders(own.person("lost@example.com"))
    until = own.now + timedelta(hours=4, minutes=5)
    while own.now < until:
        own.pass_time(60)
        own.sims.deliver(lambda *_: 503)
    gone = SUBSCRIBED - len(own.listed())
    assert gone > 0
    own.go_on(2)
    assert len(own.listed()) == SUBSCRIBED
    own.come_to_rest()
    assert own.compare().differences == ()


def test_the_poll_reaches_back_before_the_loss_however_long_ago_it_was(own: Gaps) -> None:
    """The watermark only moves with an answer, so that what was lost while the shop was away is inside the window."""
    own.go_on(6)
    own.lose()
    placed = own.orders(own.person("lost@example.com"))
    own.sims.faults.set({"shopify.shop_status": 402})
    for _ in range(40):
        own.pass_time(180)
        own.watch()
        own.poll()
    own.sims.faults.set({"shopify.shop_status": 0})
    own.go_on(2)
    assert own.order(placed)["id"] == f"uk:{placed.id}"
    assert len(own.listed()) == SUBSCRIBED


def test_f21_an_apps_own_lost_subscription_is_noticed_and_its_window_recovered(play: Gaps) -> None:
    """F21: it can be neither listed nor made again here; the last change of each kind tells, and a poll recovers."""
    play.orders(play.person())
    play.go_on(7)
    play.lose()
    lost_at = play.now
    placed = play.orders(play.person("lost@example.com"))
    assert play.minutes_until("integration.webhook_silent") < 5
    play.go_on(1)
    assert play.now - lost_at < timedelta(minutes=5)
    assert play.order(placed)["id"] == f"uk:{placed.id}"
    unheard = {"orders/create", "customers/create", "products/update"}  # an order takes from the stock
    assert {case["subject"] for case in play.cases("integration.webhook_silent")} == unheard
    assert {case["subject"] for case in play.cases("integration.missed_webhook")} == unheard
    play.sims.subscribe(play.uk.shop.domain, URI, topics.SUBSCRIBED)
    play.orders(play.person("again@example.com"))
    play.go_on(2)
    assert play.cases("integration.webhook_silent") == []


def test_on_a_busy_shop_a_lost_topic_is_noticed_although_something_is_always_on_its_way(play: Gaps) -> None:
    play.go_on(6)
    play.lose("orders/create", "orders/updated", "orders/paid")
    who = play.person()
    lost_at = play.now
    while not play.cases("integration.webhook_silent"):
        play.orders(who)
        play.go_on(1 / 3)
        assert play.now - lost_at < timedelta(minutes=5)
    (case,) = play.cases("integration.webhook_silent")
    assert case["subject"] == "orders/create"


def test_every_sort_of_wrong_subscription_is_put_right_at_once(own: Gaps) -> None:
    own.go_on(1)
    mine = own.uk.subscriptions
    wrong = sorted(mine.values(), key=lambda one: one.id)[:4]
    wrong[0].uri = "https://old.example/hooks/shopify"
    wrong[1].filter = "total_price:>10"
    wrong[2].include_fields = ("id",)
    del mine[wrong[3].id]
    watched = own.watch()
    assert watched.n_repaired == 4
    ours = [one for one in own.listed() if one.uri == URI]
    assert len(ours) == SUBSCRIBED
    assert all(one.is_whole for one in ours)
    (case,) = own.cases("integration.subscriptions_differ")
    assert "2 missing" in case["detail"]
    assert "1 of them lead to another address" in case["detail"]
    assert "2 filtered or cut" in case["detail"]
    assert len(own.listed()) == SUBSCRIBED + 1  # somebody else's address is left alone
    own.go_on(2)
    assert own.cases("integration.subscriptions_differ") == []
    assert own.watch().n_repaired == 0


def test_a_topic_that_is_refused_keeps_no_other_from_being_repaired(own: Gaps) -> None:
    own.go_on(1)
    own.lose()
    own.sims.faults.set({"shopify.dropped_scopes": "read_returns"})
    own.watch()
    returns = sum(topic.startswith("returns/") for topic in topics.SUBSCRIBED)
    assert len(own.listed()) == SUBSCRIBED - returns
    assert len(own.cases("integration.subscription_refused")) == 1
    own.sims.faults.set({"shopify.dropped_scopes": ""})
    own.go_on(3)
    assert len(own.listed()) == SUBSCRIBED
    assert own.cases("integration.subscription_refused") == []


def test_two_processes_that_subscribe_at_once_both_succeed_and_nothing_is_doubled(own: Gaps) -> None:
    own.go_on(1)
    own.lose("orders/create", "orders/paid")
    client = own.context.shops["uk"].client
    assert client is not None
    extra = next(one for one in own.listed() if one.topic == "SHOP_UPDATE")
    plan = webhooks.SubscriptionPlan(("orders/create", "orders/paid"), (extra.id,), (extra.id,))
    access.apply_subscription_plan(client, plan, URI)
    access.apply_subscription_plan(client, plan, URI)  # planned before the other was done
    assert len([one for one in own.listed() if one.uri == URI]) == SUBSCRIBED - 1
    own.sims.faults.set({"shopify.dropped_scopes": "read_returns"})
    own.lose("returns/request")
    with pytest.raises(RejectedError, match="returns/request"):
        access.apply_subscription_plan(client, webhooks.SubscriptionPlan(("returns/request",), ()), URI)


def test_webhooks_of_another_version_are_a_case_that_no_subscription_mends(own: Gaps) -> None:
    client = own.context.shops["uk"].client
    assert client is not None
    client.api_version = "2026-07"
    own.go_on(2)
    (case,) = own.cases("storefront.webhook_version")
    assert case["detail"] == "the app's webhooks are of 2026-10, the connection asks for 2026-07"
    assert own.cases("integration.subscriptions_differ") == []
    assert own.watch().n_repaired == 0


def test_subscriptions_on_top_of_the_apps_own_are_found_within_the_minute(play: Gaps) -> None:
    client = play.context.shops["uk"].client
    assert client is not None
    client.graphql(documents.SUBSCRIBE, {"topic": "ORDERS_CREATE", "uri": URI})
    play.go_on(2)
    (case,) = play.cases("integration.subscriptions_differ")
    assert case["detail"].startswith("1 subscriptions made through the API")
    play.sims.unsubscribe(play.uk.shop.domain, None, "api")
    play.go_on(2)
    assert play.cases("integration.subscriptions_differ") == []


# Silence -------------------------------------------------------------------------------------------------------------


def remember(play: Gaps, weeks: int, per_hour: dict[int, int], until: datetime) -> None:
    """A shop's rhythm as if it had been counted: so many orders at each hour of every day before."""
    hour = until.replace(minute=0, second=0, microsecond=0)
    rows = []
    for n in range(1, weeks * 7 * 24 + 1):
        at = hour - timedelta(hours=n)
        if count := per_hour.get(at.hour, 0):
            rows.append(("acme", "uk", "orders/create", at, count, at + timedelta(minutes=59)))
    with play.db.transaction() as tx:
        tx.execute_many(
            "INSERT INTO rhythm (connection, store, topic, hour, n, last_at) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            rows,
        )


def test_a_shop_that_falls_silent_in_its_busy_hours_is_noticed_and_the_next_delivery_ends_it(play: Gaps) -> None:
    remember(play, 4, dict.fromkeys(range(24), 12), play.now)
    play.pass_time(timedelta(minutes=40).total_seconds())
    assert play.watch().silent == ()
    play.pass_time(timedelta(minutes=15).total_seconds())
    assert play.watch().silent == (("uk", "orders/create"),)
    (case,) = play.cases("integration.webhook_silent")
    assert (case["store"], case["subject"]) == ("uk", "orders/create")
    assert case["detail"].endswith("where 11 would be usual")
    play.orders(play.person())
    play.go_on(2)
    assert play.cases("integration.webhook_silent") == []


def test_a_quiet_night_and_a_small_shop_raise_nothing(play: Gaps) -> None:
    remember(play, 4, {10: 1, 15: 2, 8: 30}, play.now)
    for _ in range(10):
        play.pass_time(3600)
        assert play.watch().silent == ()
    assert play.cases("integration.webhook_silent") == []


def test_deliveries_are_counted_once_by_topic_and_hour(play: Gaps) -> None:
    for n in range(3):
        play.orders(play.person(f"n{n}@example.com"))
    play.go_on(2)
    rows = play.rows("SELECT topic, sum(n)::int AS n FROM rhythm GROUP BY topic ORDER BY topic")
    counted = {row["topic"]: row["n"] for row in rows}
    kept = play.rows(
        "SELECT topic, count(*)::int AS n FROM event WHERE webhook_id IS NOT NULL GROUP BY topic ORDER BY topic"
    )
    assert counted == {row["topic"]: row["n"] for row in kept}
    assert counted["orders/create"] == 3
