"""Which statement is a customer's current one in the shop, and what the contact is sent with, row by row."""

from datetime import UTC, datetime, timedelta

import pytest

from isthmus.consent.decide import NOTHING, ConsentStatus, Statement
from isthmus.consent.shop_statement import consent_to_send, current_statement
from isthmus.consent.side_comparison import compare_sides
from isthmus.model.consent import Stance
from isthmus.model.consent_comparison import DifferenceKind
from isthmus.model.customer import ChannelConsent

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EARLIER, LATER = AT - SECOND, AT + SECOND


def consent(state: str, at: datetime | None = AT, level: str | None = None) -> ChannelConsent:
    return ChannelConsent(state, level, updated_at=at)


def standing(stance: Stance, source: str = "shopify.webhook", at: datetime | None = AT) -> ConsentStatus:
    state = {Stance.IN: "SUBSCRIBED", Stance.OUT: "UNSUBSCRIBED"}.get(stance, "NOT_SUBSCRIBED")
    return ConsentStatus(stance, "any", Statement(state, source, heard_at=LATER, at=at))


def test_the_first_statement_is_the_current_one() -> None:
    told = consent("SUBSCRIBED", None)
    assert current_statement(None, told) == (told, True)


def test_the_same_statement_again_changes_nothing() -> None:
    known = consent("SUBSCRIBED")
    assert current_statement(known, consent("SUBSCRIBED")) == (known, False)
    assert current_statement(known, consent("SUBSCRIBED"), read_at=LATER) == (known, False)


@pytest.mark.parametrize("state", ["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED"])
@pytest.mark.parametrize("was", ["SUBSCRIBED", "UNSUBSCRIBED", "NOT_SUBSCRIBED"])
def test_a_later_claim_is_the_current_one_and_an_earlier_one_is_not(was: str, state: str) -> None:
    known = consent(was)
    assert current_statement(known, consent(state, LATER)) == (consent(state, LATER), True)
    assert current_statement(known, consent(state, EARLIER)) == (known, False)
    assert current_statement(known, consent(state, None)) == (known, False)


@pytest.mark.parametrize("out", ["UNSUBSCRIBED", "REDACTED", "INVALID"])
def test_a_tie_goes_to_the_opt_out_in_whatever_order_it_comes(out: str) -> None:
    opted_in, opted_out = consent("SUBSCRIBED"), consent(out)
    assert current_statement(opted_in, opted_out) == (opted_out, True)
    assert current_statement(opted_out, opted_in) == (opted_out, False)


def test_a_tie_between_two_opt_outs_or_two_others_keeps_what_is_known() -> None:
    assert current_statement(consent("UNSUBSCRIBED"), consent("REDACTED")) == (consent("UNSUBSCRIBED"), False)
    assert current_statement(consent("NOT_SUBSCRIBED"), consent("SUBSCRIBED")) == (consent("NOT_SUBSCRIBED"), False)


def test_a_claim_without_a_time_gives_way_to_one_with_a_time() -> None:
    assert current_statement(consent("UNSUBSCRIBED", None), consent("SUBSCRIBED")) == (consent("SUBSCRIBED"), True)
    assert current_statement(consent("SUBSCRIBED", None), consent("UNSUBSCRIBED", None)) == (
        consent("UNSUBSCRIBED", None),
        True,
    )


def test_a_reading_is_the_present_word_even_with_an_earlier_time() -> None:
    known, read = consent("SUBSCRIBED"), consent("NOT_SUBSCRIBED", EARLIER)
    assert current_statement(known, read, read_at=LATER) == (read, True)
    assert current_statement(known, read, read_at=AT) == (read, True)
    assert current_statement(consent("SUBSCRIBED", None), read, read_at=EARLIER) == (read, True)


def test_a_reading_that_began_before_a_later_statement_was_made_is_overtaken() -> None:
    known = consent("UNSUBSCRIBED", LATER)
    assert current_statement(known, consent("SUBSCRIBED", EARLIER), read_at=AT) == (known, False)
    assert current_statement(known, consent("SUBSCRIBED", None), read_at=AT) == (known, False)
    same_time = consent("SUBSCRIBED", LATER)
    assert current_statement(known, same_time, read_at=AT) == (same_time, True)


def test_an_opted_out_address_makes_every_contact_say_so() -> None:
    out = standing(Stance.OUT)
    assert consent_to_send(consent("REDACTED"), out) == consent("REDACTED")
    assert consent_to_send(consent("SUBSCRIBED"), out) == ChannelConsent("UNSUBSCRIBED", updated_at=AT)
    assert consent_to_send(None, out) == ChannelConsent("UNSUBSCRIBED", updated_at=AT)
    assert consent_to_send(consent("SUBSCRIBED"), standing(Stance.OUT, at=None)) == ChannelConsent(
        "UNSUBSCRIBED", updated_at=LATER
    )
    assert consent_to_send(consent("SUBSCRIBED"), ConsentStatus(Stance.OUT, "any")) == ChannelConsent(
        "UNSUBSCRIBED", updated_at=None
    )


def test_an_own_opt_in_is_sent_with_its_time_unless_the_platform_gave_it() -> None:
    own = consent("SUBSCRIBED", level="SINGLE_OPT_IN")
    assert consent_to_send(own, standing(Stance.IN)) == own
    echo = own.updated_at
    assert echo is not None
    theirs = standing(Stance.IN, "ometria.hook", AT.replace(microsecond=5))
    assert consent_to_send(own, theirs) == ChannelConsent("SUBSCRIBED", "SINGLE_OPT_IN")
    assert consent_to_send(own, standing(Stance.IN, "ometria.hook", LATER)) == own
    untimed = consent("SUBSCRIBED", None)
    assert consent_to_send(untimed, theirs) == untimed
    assert consent_to_send(own, ConsentStatus(Stance.IN, "any")) == own


@pytest.mark.parametrize(
    ("own", "source", "sent"),
    [
        (None, "shopify.webhook", None),
        (consent("NOT_SUBSCRIBED"), "shopify.webhook", consent("NOT_SUBSCRIBED")),
        (consent("UNSUBSCRIBED"), "shopify.webhook", ChannelConsent("SUBSCRIBED")),
        (None, "ometria.hook", ChannelConsent("SUBSCRIBED")),
        (consent("NOT_SUBSCRIBED"), "ometria.hook", ChannelConsent("SUBSCRIBED")),
        (consent("UNSUBSCRIBED"), "ometria.hook", ChannelConsent("SUBSCRIBED")),
    ],
)
def test_an_opt_in_of_somebody_else_only_takes_back_an_opt_out(
    own: ChannelConsent | None, source: str, sent: ChannelConsent | None
) -> None:
    assert consent_to_send(own, standing(Stance.IN, source)) == sent


@pytest.mark.parametrize("own", [None, consent("SUBSCRIBED"), consent("UNSUBSCRIBED")])
def test_where_nothing_is_decided_the_own_statement_is_sent(own: ChannelConsent | None) -> None:
    assert consent_to_send(own, NOTHING) == own


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
        (NO, OUT, IN, DifferenceKind.AGAINST),
        (SILENT, OUT, IN, DifferenceKind.AGAINST),
        (YES, OUT, IN, DifferenceKind.AGAINST),
        (NO, UNSAID, IN, DifferenceKind.AGAINST),
        (SILENT, UNSAID, IN, DifferenceKind.UNPROVEN),
        (None, UNSAID, IN, DifferenceKind.UNPROVEN),
        (YES, OUT, OUT, DifferenceKind.BEHIND),
        (YES, OUT, UNSAID, DifferenceKind.BEHIND),
        (YES, IN, OUT, DifferenceKind.SILENCED),
        (YES, IN, UNSAID, DifferenceKind.SILENCED),
        (YES, UNSAID, OUT, None),
    ],
)
def test_how_two_sides_differ_about_a_person(
    word: ChannelConsent | None, here: Stance, there: Stance, sort: DifferenceKind | None
) -> None:
    assert compare_sides(word, ConsentStatus(here, "any"), there, is_moving=False) is sort
    moving = None if sort is None else DifferenceKind.WAITING
    assert compare_sides(word, ConsentStatus(here, "any"), there, is_moving=True) is moving
