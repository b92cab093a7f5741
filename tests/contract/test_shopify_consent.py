"""Our consent writing and address lookups over the simulated shop's wire."""

import json
from datetime import timedelta

import httpx2
import pytest

from isthmus.model.consent import Channel
from isthmus.model.failure import BlockedError, TransientError
from isthmus.shopify.consent import BATCH, LOOKUPS, Consents, ConsentUpdate, ConsentUpdateOutcome
from shopify_wire import AT, Shops

EMAIL, SMS = Channel.EMAIL, Channel.SMS
OUT, IN = "UNSUBSCRIBED", "SUBSCRIBED"


@pytest.fixture
def shops() -> Shops:
    return Shops(seed=5, customers=120, orders=0, products=2)


def consents(shops, **more) -> Consents:
    return Consents(shops.client(shops.stores[0], **more), shops.clock)


def people(shops, channel=EMAIL):
    """Customers whom the channel reaches, with nothing said of it yet, long ago."""
    found = []
    for one in shops.stores[0].customers.values():
        if one.email if channel is EMAIL else one.phone:
            consent = one.email_consent if channel is EMAIL else one.sms_consent
            consent.state, consent.updated_at = IN, AT - timedelta(days=9)
            found.append(one)
    return found


def test_a_wish_is_written_with_its_own_time_and_shown(shops):
    one = people(shops)[0]
    wish = ConsentUpdate(one.id, EMAIL, OUT, AT - timedelta(minutes=3))
    (answer,) = consents(shops).write([wish])
    assert (answer.outcome, answer.state, answer.updated_at) == (ConsentUpdateOutcome.WRITTEN, OUT, wish.at)
    assert answer.holds(wish)
    assert (one.email_consent.state, one.email_consent.updated_at) == (OUT, wish.at)


def test_many_wishes_take_few_requests_and_are_answered_in_their_order(shops):
    by_email, by_text = people(shops)[: BATCH + 5], people(shops, SMS)[:4]
    wishes = [ConsentUpdate(one.id, EMAIL, OUT, AT) for one in by_email] + [
        ConsentUpdate(one.id, SMS, OUT, AT) for one in by_text
    ]
    wishes[3:3] = [ConsentUpdate(1, EMAIL, OUT, AT)]
    answers = consents(shops).write(wishes)
    assert shops.wire.n_requests == 1 + 2  # a token and two batches
    outcomes = [answer.outcome for answer in answers]
    assert outcomes[3] is ConsentUpdateOutcome.GONE
    assert {*outcomes[:3], *outcomes[4:]} == {ConsentUpdateOutcome.WRITTEN}
    assert {one.email_consent.state for one in by_email} | {one.sms_consent.state for one in by_text} == {OUT}


def test_the_wishes_of_one_customer_are_written_in_their_order(shops):
    one = people(shops)[0]
    minute = timedelta(minutes=1)
    wishes = [
        ConsentUpdate(one.id, EMAIL, state, AT - n * minute) for n, state in ((4, OUT), (3, IN), (2, OUT), (1, IN))
    ]
    answers = consents(shops).write(wishes)
    assert [answer.state for answer in answers] == [OUT, IN, OUT, IN]
    assert one.email_consent.updated_at == AT - minute


def test_who_has_no_such_address_is_told_apart_from_who_is_not_there(shops):
    by_text, by_email = people(shops, SMS)[0], people(shops)[0]
    shops.stores[0].unindex_customer(by_text)
    shops.stores[0].unindex_customer(by_email)
    by_text.email, by_email.phone = None, None
    answers = consents(shops).write(
        [
            ConsentUpdate(by_text.id, EMAIL, OUT, AT),
            ConsentUpdate(by_email.id, SMS, OUT, AT),
            ConsentUpdate(1, EMAIL, OUT, AT),
            ConsentUpdate(1, SMS, OUT, AT),
        ]
    )
    assert [answer.outcome for answer in answers] == [
        ConsentUpdateOutcome.NOTHING,
        ConsentUpdateOutcome.NOTHING,
        ConsentUpdateOutcome.GONE,
        ConsentUpdateOutcome.GONE,
    ]


def test_a_write_that_an_older_time_makes_nothing_of_is_seen_at_once(shops):
    one = people(shops)[0]
    one.email_consent.updated_at = AT - timedelta(minutes=1)
    wish = ConsentUpdate(one.id, EMAIL, OUT, AT - timedelta(hours=1))
    (answer,) = consents(shops).write([wish])
    assert (answer.outcome, answer.state) == (ConsentUpdateOutcome.WRITTEN, IN)
    assert not answer.holds(wish)


def test_a_time_of_our_own_future_is_told_as_now(shops):
    one = people(shops)[0]
    (answer,) = consents(shops).write([ConsentUpdate(one.id, EMAIL, OUT, AT + timedelta(hours=1))])
    assert (answer.outcome, answer.updated_at) == (ConsentUpdateOutcome.WRITTEN, AT)


def test_a_time_that_the_shop_calls_the_future_is_told_again_a_little_earlier(shops):
    one, other = people(shops)[:2]
    shops.clock.advance(90)  # our clock is ahead of the shop's
    wishes = [ConsentUpdate(one.id, EMAIL, OUT, AT + timedelta(seconds=80)), ConsentUpdate(other.id, EMAIL, OUT, AT)]
    answers = consents(shops).write(wishes)
    assert [answer.outcome for answer in answers] == [ConsentUpdateOutcome.WRITTEN, ConsentUpdateOutcome.WRITTEN]
    assert one.email_consent.updated_at == AT - timedelta(seconds=30)


def test_a_clock_that_is_far_ahead_is_refused_with_the_field(shops):
    one = people(shops)[0]
    shops.clock.advance(900)
    (answer,) = consents(shops).write([ConsentUpdate(one.id, EMAIL, OUT, AT + timedelta(seconds=900))])
    assert (answer.outcome, answer.code) == (ConsentUpdateOutcome.REFUSED, "INVALID")
    assert answer.detail == "input.emailMarketingConsent.consentUpdatedAt"


def test_without_its_scope_writing_is_off_and_looking_goes_on(shops):
    one = people(shops)[0]
    shops.faults.set({"shopify.dropped_scopes": "write_customers"})
    writer = consents(shops)
    with pytest.raises(BlockedError, match=r"^storefront\.scope_missing: write_customers$"):
        writer.write([ConsentUpdate(one.id, EMAIL, OUT, AT)])
    assert one.email_consent.state == IN


class Poisoned(httpx2.BaseTransport):
    """A shop that refuses any request in which one customer stands."""

    def __init__(self, wire, number, code="INVALID_VARIABLE"):
        self.wire, self.number, self.code, self.n = wire, str(number), code, 0

    def handle_request(self, request):
        self.n += 1
        if self.number not in request.read().decode():
            return self.wire.handle_request(request)
        error = {"message": "no", "path": ["a3"], "extensions": {"code": self.code}}
        return httpx2.Response(200, json={"errors": [error], "data": None})


@pytest.mark.parametrize(
    ("code", "refused"),
    [("INVALID_VARIABLE", "integration.query_refused"), ("SOMETHING_NEW", "storefront.unexplained")],
)
def test_a_wish_that_the_shop_refuses_whole_does_not_keep_others_from_being_written(shops, code, refused):
    found = people(shops)[:BATCH]
    shops.wire = Poisoned(shops.wire, found[7].id, code)
    answers = consents(shops).write([ConsentUpdate(one.id, EMAIL, OUT, AT) for one in found])
    assert [n for n, answer in enumerate(answers) if answer.outcome is not ConsentUpdateOutcome.WRITTEN] == [7]
    assert (answers[7].outcome, answers[7].code) == (ConsentUpdateOutcome.REFUSED, refused)
    assert [one.email_consent.state for one in found].count(OUT) == BATCH - 1
    assert shops.wire.n <= 2 + 2 * 5


def test_an_error_that_nobody_knows_is_the_shops_where_nothing_can_be_written(shops):
    found = people(shops)[:4]
    shops.wire = Poisoned(shops.wire, "Customer/", "SOMETHING_NEW")
    with pytest.raises(TransientError) as failure:
        consents(shops).write([ConsentUpdate(one.id, EMAIL, OUT, AT) for one in found])
    assert failure.value.code == "storefront.unexplained"


def test_a_write_without_an_answer_may_have_arrived_and_may_be_written_again(shops):
    one = people(shops)[0]
    wish = ConsentUpdate(one.id, EMAIL, OUT, AT)
    writer = consents(shops)
    writer.find([str(one.email)])  # so that there is a token
    shops.faults.set({"shopify.timeout_after": 1.0})
    with pytest.raises(TransientError) as failure:
        writer.write([wish])
    assert (failure.value.code, failure.value.may_have_arrived) == ("storefront.unavailable", True)
    shops.faults.clear()
    assert one.email_consent.state == OUT
    (answer,) = writer.write([wish])
    assert answer.holds(wish)


def test_customers_are_found_by_their_exact_address_many_at_once(shops):
    known = people(shops)
    asked = [f" {one.email.upper()} " for one in known] + ["nobody@example.com", "no address"]
    finder = consents(shops)
    found = finder.find(asked)
    assert found == dict(zip(asked, [one.id for one in known] + [None, None], strict=True))
    assert shops.wire.n_requests == 1 + -(-(len(known) + 1) // LOOKUPS)
    by_text = people(shops, SMS)
    assert finder.find([one.phone for one in by_text] + ["07700"], SMS) == {
        **{one.phone: one.id for one in by_text}, "07700": None,
    }  # fmt: skip


class Dear(httpx2.BaseTransport):
    """A shop that finds more than seven fields of one request too expensive."""

    def __init__(self, wire):
        self.wire, self.asked = wire, []

    def handle_request(self, request):
        n = len(json.loads(request.read()).get("variables", {}))
        self.asked.append(n)
        if n <= 7:
            return self.wire.handle_request(request)
        error = {"message": "Query cost is 1002", "extensions": {"code": "MAX_COST_EXCEEDED", "cost": 1002}}
        return httpx2.Response(200, json={"errors": [error]})


def test_a_request_that_a_shop_finds_too_expensive_is_halved(shops):
    shops.wire = dear = Dear(shops.wire)
    known = people(shops)[:20]
    writer = consents(shops)
    assert list(writer.find([one.email for one in known]).values()) == [one.id for one in known]
    answers = writer.write([ConsentUpdate(one.id, EMAIL, OUT, AT) for one in known])
    assert {answer.outcome for answer in answers} == {ConsentUpdateOutcome.WRITTEN}
    assert dear.asked == [0, *[20, 10, 5, 5, 10, 5, 5] * 2]


class Loose(httpx2.BaseTransport):
    """A shop that answers a lookup with somebody whose address is nearly the one asked for."""

    def __init__(self, wire):
        self.wire, self.texts = wire, []

    def handle_request(self, request):
        answer = self.wire.handle_request(request)
        self.texts.append(json.loads(request.read()).get("query", ""))
        body = json.loads(answer.read())
        for node in (body.get("data") or {}).values():
            node["defaultEmailAddress"]["emailAddress"] = "x" + node["defaultEmailAddress"]["emailAddress"]
        return httpx2.Response(answer.status_code, json=body)


def test_somebody_else_is_nobody_and_no_address_stands_in_the_text(shops):
    one = people(shops)[0]
    shops.wire = loose = Loose(shops.wire)
    assert consents(shops).find([one.email]) == {one.email: None}
    assert not any("@" in text for text in loose.texts)
