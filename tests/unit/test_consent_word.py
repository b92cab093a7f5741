"""Which statement is a customer's current one in the shop, and what the contact is sent with, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.consent.accord import differ
from isthmus.consent.decide import NOTHING, Standing, Statement
from isthmus.consent.word import said, stands
from isthmus.model.accord import Sort
from isthmus.model.consent import Stance
from isthmus.model.customer import Consent

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EARLIER, LATER = AT - SECOND, AT + SECOND


def consent(state: str, at: datetime | None = AT, level: str | None = None) -> Consent:
    return Consent(state, level, updated_at=at)


def standing(stance: Stance, source: str = "shopify.webhook", at: datetime | None = AT) -> Standing:
    state = {Stance.IN: "SUBSCRIBED", Stance.OUT: "UNSUBSCRIBED"}.get(stance, "NOT_SUBSCRIBED")
    return Standing(stance, "any", Statement(state, source, heard_at=LATER, at=at))


def test_the_first_statement_is_the_current_one() -> None:
    told = consent("SUBSCRIBED", None)
    assert stands(None, told) == (told, True)


def test_the_same_statement_again_changes_nothing() -> None:
    known = consent("SUBSCRIBED")
    assert stands(known, consent("SUBSCRIBED")) == (known, False)
    assert stands(known, consent("SUBSCRIBED"), read_at=LATER) == (known, False)


@pytest.mark.parametrize("state", ["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED"])
@pytest.mark.parametrize("was", ["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED"])
def test_a_later_claim_is_the_current_one_and_an_earlier_one_is_not(was: str, state: str) -> None:
    known = consent(was)
    assert stands(known, consent(state, LATER)) == (consent(state, LATER), True)
    assert stands(known, consent(state, EARLIER)) == (known, False)
    assert stands(known, consent(state, None)) == (known, False)


@pytest.mark.parametrize("out", ["UNSUBSCRIBED", "REDACTED", "INVALID"])
def test_a_tie_goes_to_the_opt_out_in_whatever_order_it_comes(out: str) -> None:
    opted_in, opted_out = consent("SUBSCRIBED"), consent(out)
    assert stands(opted_in, opted_out) == (opted_out, True)
    assert stands(opted_out, opted_in) == (opted_out, False)


def test_a_tie_between_two_opt_outs_or_two_others_keeps_what_is_known() -> None:
    assert stands(consent("UNSUBSCRIBED"), consent("REDACTED")) == (consent("UNSUBSCRIBED"), False)
    assert stands(consent("NOT_SUBSCRIBED"), consent("SUBSCRIBED")) == (consent("NOT_SUBSCRIBED"), False)


def test_a_claim_without_a_time_gives_way_to_one_with_a_time() -> None:
    assert stands(consent("UNSUBSCRIBED", None), consent("SUBSCRIBED")) == (consent("SUBSCRIBED"), True)
    assert stands(consent("SUBSCRIBED", None), consent("UNSUBSCRIBED", None)) == (consent("UNSUBSCRIBED", None), True)


def test_a_reading_is_the_present_word_even_with_an_earlier_time() -> None:
    known, read = consent("SUBSCRIBED"), consent("NOT_SUBSCRIBED", EARLIER)
    assert stands(known, read, read_at=LATER) == (read, True)
    assert stands(known, read, read_at=AT) == (read, True)
    assert stands(consent("SUBSCRIBED", None), read, read_at=EARLIER) == (read, True)


def test_a_reading_that_began_before_a_later_statement_was_made_is_overtaken() -> None:
    known = consent("UNSUBSCRIBED", LATER)
    assert stands(known, consent("SUBSCRIBED", EARLIER), read_at=AT) == (known, False)
    assert stands(known, consent("SUBSCRIBED", None), read_at=AT) == (known, False)
    same_time = consent("SUBSCRIBED", LATER)
    assert stands(known, same_time, read_at=AT) == (same_time, True)


def test_an_opted_out_address_makes_every_contact_say_so() -> None:
    out = standing(Stance.OUT)
    assert said(consent("REDACTED"), out) == consent("REDACTED")
    assert said(consent("SUBSCRIBED"), out) == Consent("UNSUBSCRIBED", updated_at=AT)
    assert said(None, out) == Consent("UNSUBSCRIBED", updated_at=AT)
    assert said(consent("SUBSCRIBED"), standing(Stance.OUT, at=None)) == Consent("UNSUBSCRIBED", updated_at=LATER)
    assert said(consent("SUBSCRIBED"), Standing(Stance.OUT, "any")) == Consent("UNSUBSCRIBED", updated_at=None)


def test_an_own_opt_in_is_sent_with_its_time_unless_the_platform_gave_it() -> None:
    own = consent("SUBSCRIBED", level="SINGLE_OPT_IN")
    assert said(own, standing(Stance.IN)) == own
    echo = own.updated_at
    assert echo is not None
    theirs = standing(Stance.IN, "ometria.hook", AT.replace(microsecond=5))
    assert said(own, theirs) == Consent("SUBSCRIBED", "SINGLE_OPT_IN")
    assert said(own, standing(Stance.IN, "ometria.hook", LATER)) == own
    untimed = consent("SUBSCRIBED", None)
    assert said(untimed, theirs) == untimed
    assert said(own, Standing(Stance.IN, "any")) == own


@pytest.mark.parametrize(
    ("own", "source", "sent"),
    [
        (None, "shopify.webhook", None),
        (consent("NOT_SUBSCRIBED"), "shopify.webhook", consent("NOT_SUBSCRIBED")),
        (consent("UNSUBSCRIBED"), "shopify.webhook", Consent("SUBSCRIBED")),
        (None, "ometria.hook", Consent("SUBSCRIBED")),
        (consent("NOT_SUBSCRIBED"), "ometria.hook", Consent("SUBSCRIBED")),
        (consent("UNSUBSCRIBED"), "ometria.hook", Consent("SUBSCRIBED")),
    ],
)
def test_an_opt_in_of_somebody_else_only_takes_back_an_opt_out(
    own: Consent | None, source: str, sent: Consent | None
) -> None:
    assert said(own, standing(Stance.IN, source)) == sent


@pytest.mark.parametrize("own", [None, consent("SUBSCRIBED"), consent("UNSUBSCRIBED")])
def test_where_nothing_is_decided_the_own_statement_is_sent(own: Consent | None) -> None:
    assert said(own, NOTHING) == own


IN, OUT, UNSAID = Stance.IN, Stance.OUT, Stance.UNSAID
YES, NO, SILENT = consent("SUBSCRIBED"), consent("UNSUBSCRIBED"), consent("NOT_SUBSCRIBED")


@pytest.mark.parametrize(
    ("word", "here", "there", "sort"),
    [
        (YES, IN, IN, None),
        (NO, OUT, OUT, None),
        (NO, OUT, UNSAID, None),
        (SILENT, UNSAID, OUT, None),
        (None, UNSAID, UNSAID, None),
        (NO, OUT, IN, Sort.AGAINST),
        (SILENT, OUT, IN, Sort.AGAINST),
        (YES, OUT, IN, Sort.AGAINST),
        (NO, UNSAID, IN, Sort.AGAINST),
        (SILENT, UNSAID, IN, Sort.UNPROVEN),
        (None, UNSAID, IN, Sort.UNPROVEN),
        (YES, OUT, OUT, Sort.BEHIND),
        (YES, OUT, UNSAID, Sort.BEHIND),
        (YES, IN, OUT, Sort.SILENCED),
        (YES, IN, UNSAID, Sort.SILENCED),
        (YES, UNSAID, OUT, None),
    ],
)
def test_how_two_sides_differ_about_a_person(
    word: Consent | None, here: Stance, there: Stance, sort: Sort | None
) -> None:
    assert differ(word, Standing(here, "any"), there, is_moving=False) is sort
    moving = None if sort is None else Sort.WAITING
    assert differ(word, Standing(here, "any"), there, is_moving=True) is moving
