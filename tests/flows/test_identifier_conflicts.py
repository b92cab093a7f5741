"""An identifier that Ometria holds for somebody else: predicted, left out, told of, and sent when it is free."""

import msgspec
import pytest

from isthmus.db.pool import Database
from isthmus.flows import identifiers
from isthmus.flows.consent import poll_profiles
from plays import Play
from sims.shopify.deeds import people


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def listen(play: Play) -> None:
    """The poll of Ometria's profiles."""
    play.pass_time(5)
    poll_profiles.poll_profiles(play.db, play.context)


def ignored(play: Play) -> int:
    """Identifiers that Ometria ever ignored, as only the simulator can tell."""
    return play.sims.ometria.account.people.n_ignored


def recycled(play: Play, *, is_told: bool = True) -> tuple[int, int]:
    """Somebody gave up an address, and somebody new has it before Ometria knows of either."""
    old = play.person("ada@example.com", "SUBSCRIBED", first_name="Ada", last_name="King")
    play.come_to_rest()
    listen(play)
    play.do(people.change_address(play.world, play.uk, old, "ada@new.example", None, play.now), is_told=is_told)
    new = play.person("ada@example.com", "SUBSCRIBED", first_name="Tom", last_name="Berg")
    return old.id, new.id


def test_f68_an_identifier_that_is_somebody_elses_is_foretold_and_not_sent(play: Play) -> None:
    """F68: Ometria would ignore it silently."""
    _, new = recycled(play)
    play.hear()
    said = play.desired("contact", f"uk:{new}")
    assert said["email"] is None
    assert said["customer_id"] == f"uk:{new}"
    assert said["marketing_optin"] == "NOT_SPECIFIED"
    (case,) = play.cases("identity.conflict")
    assert case["subject"] == f"customer:{new}"
    assert "email is profile" in case["detail"]
    assert "ada" not in str(case)
    play.come_to_rest()
    assert ignored(play) == 0


@pytest.mark.parametrize("is_told", [True, False])
def test_f68_once_the_identifier_is_free_it_is_sent_and_the_case_is_over(play: Play, is_told: bool) -> None:
    """F68: whoever gave the address up is told there, by webhook or by poll; then it is the new owner's."""
    old, new = recycled(play, is_told=is_told)
    play.come_to_rest()
    play.poll()
    play.come_to_rest()
    assert play.cases("identity.conflict"), "Ometria still shows it to us as it was"
    listen(play)
    identifiers.remap_resolved_conflicts(play.db, play.context)
    play.come_to_rest()
    assert not play.cases("identity.conflict")
    assert play.desired("contact", f"uk:{new}")["email"] == "ada@example.com"
    assert ignored(play) == 0
    (profile,) = play.context.platform.profiles(email="ada@example.com")
    assert profile["customer_id"] == f"uk:{new}"
    assert profile["marketing_optin"] == "EXPLICITLY_OPTEDIN"
    (other,) = play.context.platform.profiles(email="ada@new.example")
    assert other["customer_id"] == f"uk:{old}"
    assert play.compare().differences == ()


def test_one_person_in_two_stores_holds_nothing_of_somebody_elses(play: Play) -> None:
    abroad = play.sims.store("int")
    play.person("ada@example.com")
    play.come_to_rest()
    listen(play)
    second = play.person("ada@example.com", store=abroad)
    play.come_to_rest()
    assert play.desired("contact", f"int:{second.id}")["email"] == "ada@example.com"
    assert not play.cases("identity.conflict")


def test_another_writers_id_on_our_address_is_the_same_person(play: Play) -> None:
    theirs = {
        "@type": "contact",
        "@collection": "forms",
        "id": "f1",
        "email": "ada@example.com",
        "customer_id": "web-77",
    }
    play.context.platform.push([msgspec.json.encode(theirs)])
    listen(play)
    who = play.person("ada@example.com")
    play.come_to_rest()
    assert play.desired("contact", f"uk:{who.id}")["email"] == "ada@example.com"
    assert not play.cases("identity.conflict")


def test_a_shared_phone_is_left_out_only_where_phones_identify_people(play: Play) -> None:
    for by_phone in (False, True):
        play.sims.ometria.turn({"phone_identity": by_phone})
        play.context = msgspec.structs.replace(play.context, phones_identify=by_phone)
        number = f"+44791112345{int(by_phone)}"
        play.person(f"ada{by_phone}@example.com", phone=number)
        play.come_to_rest()
        listen(play)
        play.uk.by_phone.clear()  # an import may bring a number twice
        second = play.person(f"tom{by_phone}@example.com", phone=number)
        play.come_to_rest()
        assert play.desired("contact", f"uk:{second.id}")["phone_number"] == (None if by_phone else number)
        assert bool(play.cases("identity.conflict")) is by_phone


def test_the_case_of_somebody_who_is_gone_is_over(play: Play) -> None:
    _, new = recycled(play)
    play.come_to_rest()
    assert play.cases("identity.conflict")
    play.do(people.leave(play.uk, play.uk.customers[new]))
    play.come_to_rest()
    identifiers.remap_resolved_conflicts(play.db, play.context)
    assert not play.cases("identity.conflict")
