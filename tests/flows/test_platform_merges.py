"""Merging two people in Ometria, where nothing can be undone: what is asked, refused, looked up and followed."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from isthmus.db.pool import Database
from isthmus.flows import duplicates
from isthmus.flows.consent import poll_profiles
from isthmus.flows.merges import candidates as queue
from isthmus.flows.merges.candidates import ReviewedCandidate
from isthmus.flows.merges.execute import VERIFY_AFTER, run_next_merge
from isthmus.flows.safety import decide
from isthmus.flows.safety.undo import undo_run
from isthmus.identity.merge_rules import Refusal
from isthmus.model.write import RecordKind
from plays import Play
from sims.shopify.deeds import people
from sims.shopify.state import Address, Customer, SmsConsent

ADA = {"first_name": "Ada", "last_name": "King"}


@pytest.fixture
def play(database: Database) -> Play:
    return Play(database)


def ada(play: Play, email: str, state: str | None = "SUBSCRIBED", **more: Any) -> Customer:
    return play.person(email, state, default_address=None, addresses=[], **(ADA | more))


def two(play: Play, first: str | None = "SUBSCRIBED", second: str | None = "SUBSCRIBED") -> tuple[Customer, Customer]:
    """One human with two accounts whose addresses are one mailbox, both settled over there."""
    made = ada(play, "ada.king@example.com", first), ada(play, "ada.king+shop@example.com", second)
    play.come_to_rest()
    return made


def looked(play: Play, *, by_rule: bool = False) -> list[ReviewedCandidate]:
    play.context = msgspec.structs.replace(play.context, merges_by_rule=by_rule)
    duplicates.find_duplicates(play.db, play.context)
    return duplicates.review_candidates(play.db, play.context)


def wanted(play: Play) -> int:
    """A person asks for the only candidate to be merged."""
    (one,) = looked(play)
    number = queue.queue_merge(play.db, play.context, one, "ada")
    assert number is not None
    return number


def book(play: Play) -> list[str]:
    return [row["what"] for row in play.rows("SELECT what FROM merge_said WHERE what <> 'followed' ORDER BY id")]


def profile(play: Play, email: str) -> dict[str, Any]:
    (found,) = play.context.platform.profiles(email=email)
    return found


def asked(play: Play) -> int:
    return sum(entry["path"].endswith("/merge-profile") for entry in play.sims.tape.read(limit=200_000))


def test_what_a_merge_deletes_of_the_permission_by_text_message_is_sent_again(play: Play) -> None:
    play.sims.ometria.turn({"sms_double_optin": True})
    rules = {
        name: replace(shop, rules=replace(shop.rules, sms_double_optin=True))
        for name, shop in play.context.shops.items()
    }
    play.context = replace(play.context, shops=rules)
    one, other = two(play)
    for who, phone in ((one, "+447911123456"), (other, "+447911123457")):
        who.phone = phone
        consent = SmsConsent("SUBSCRIBED", "CONFIRMED_OPT_IN", play.now)
        play.do(people.sms_consent(play.world, play.uk, who, consent, play.now))
    play.come_to_rest()
    assert play.context.platform.contact("double_optin:sms", f"uk:sms-{other.id}") is not None
    wanted(play)
    assert run_next_merge(play.db, play.context).what == "done"
    play.come_to_rest()
    for who in (one, other):
        assert play.context.platform.contact("double_optin:sms", f"uk:sms-{who.id}") is not None


def test_two_accounts_of_one_human_become_one_person_on_both_sides(play: Play) -> None:
    one, other = two(play)
    placed = play.orders(other)
    play.come_to_rest()
    wanted(play)
    assert run_next_merge(play.db, play.context).what == "done"
    play.come_to_rest()
    assert profile(play, "ada.king@example.com")["id"] == profile(play, "ada.king+shop@example.com")["id"]
    assert play.desired("order", f"uk:{placed.id}")["customer"]["id"] == f"uk:{one.id}"
    assert play.order(placed)["customer"]["id"] == f"uk:{one.id}"
    # Ometria deletes the loser's contact; what it said is there again.
    assert play.contact(other)["customer_id"] == f"uk:{one.id}"
    assert play.mailable("ada.king@example.com") == "EXPLICITLY_OPTEDIN"
    assert play.compare().differences == ()
    assert book(play) == ["wanted", "asked", "done"]
    assert looked(play) == []
    play.pass_time(600)
    assert play.findings(play.reconcile().run) == []


def test_what_would_move_and_what_becomes_of_consent_is_told_before(play: Play) -> None:
    one, other = two(play, "UNSUBSCRIBED", "UNSUBSCRIBED")
    play.orders(other)
    play.orders(email="ada.king+shop@example.com")
    play.come_to_rest()
    (candidate,) = looked(play)
    assert candidate.survivor.contact == f"uk:{one.id}"
    assert candidate.loser.contacts == (f"uk:{other.id}",)
    assert candidate.loser.n_orders == 2
    assert candidate.may_be_merged
    assert (candidate.verdict, candidate.rule) == ("sure", "mailbox_and_name")


@pytest.mark.parametrize(
    ("first", "second"), [("SUBSCRIBED", "UNSUBSCRIBED"), ("UNSUBSCRIBED", "SUBSCRIBED"), ("SUBSCRIBED", None)]
)
def test_f70_a_merge_that_would_flip_consent_is_refused(play: Play, first: str, second: str | None) -> None:
    """F70: whoever was told last would win there, whatever was said before."""
    two(play, first, second)
    before = [
        profile(play, email)["marketing_optin"] for email in ("ada.king@example.com", "ada.king+shop@example.com")
    ]
    (candidate,) = looked(play, by_rule=True)
    assert candidate.against == (Refusal.EMAIL,)
    assert play.rows("SELECT FROM merge") == []
    wanted(play)
    assert run_next_merge(play.db, play.context).what == "refused"
    assert asked(play) == 0
    after = [profile(play, email)["marketing_optin"] for email in ("ada.king@example.com", "ada.king+shop@example.com")]
    assert after == before


def test_f70_consent_that_only_the_platform_has_refuses_a_merge_too(play: Play) -> None:
    """F70: somebody changed their mind in the preference centre, and nobody has told us yet."""
    two(play)
    wanted(play)
    play.sims.ometria.decide(email="ada.king+shop@example.com", action="unsubscribe")
    play.pass_time(1)
    told = run_next_merge(play.db, play.context)
    assert (told.what, told.why) == ("refused", Refusal.EMAIL_THERE)
    assert asked(play) == 0


@pytest.mark.parametrize(("first", "second", "mailable"), [
    ("UNSUBSCRIBED", "UNSUBSCRIBED", False), ("UNSUBSCRIBED", None, False), (None, "UNSUBSCRIBED", False),
    (None, None, False), ("SUBSCRIBED", "SUBSCRIBED", True),
])  # fmt: skip
def test_every_merge_keeps_the_stricter_consent(
    play: Play, first: str | None, second: str | None, mailable: bool
) -> None:
    two(play, first, second)
    wanted(play)
    assert run_next_merge(play.db, play.context).what == "done"
    play.come_to_rest()
    for email in ("ada.king@example.com", "ada.king+shop@example.com"):
        assert (play.mailable(email) == "EXPLICITLY_OPTEDIN") is mailable


def test_by_rule_only_what_is_sure_is_merged(play: Play) -> None:
    two(play)
    house = Address(1, "Eva", "Berg", "12 Park Row", "Leeds", "LS1 4DY", "United Kingdom", "GB")
    for email in ("eva@example.com", "berg@example.org"):
        play.person(email, "SUBSCRIBED", first_name="Eva", last_name="Berg", default_address=house, addresses=[house])
    play.come_to_rest()
    candidates = looked(play, by_rule=True)
    assert [one.verdict for one in candidates] == ["sure", "likely"]
    (merge,) = play.rows("SELECT rule, wanted_by FROM merge")
    assert merge == {"rule": "mailbox_and_name", "wanted_by": "rule"}


def test_merges_go_out_one_a_minute(play: Play) -> None:
    for name in ("Ada", "Eva", "Ida"):
        for tag in ("", "+shop"):
            play.person(f"{name}{tag}@example.com", "SUBSCRIBED", first_name=name, last_name="King")
    play.come_to_rest()
    looked(play, by_rule=True)
    began, ends = play.now, []
    for _ in range(400):
        if run_next_merge(play.db, play.context).what == "done":
            ends.append((play.now - began).total_seconds())
        play.work()
        play.pass_time(1)
    assert len(ends) == 3
    assert all(b - a >= 60 for a, b in pairwise(ends))
    assert play.sims.ometria.account.counts["data_429"] == 0


def test_a_merge_whose_answer_is_unknown_is_looked_up_and_not_repeated(play: Play) -> None:
    two(play)
    wanted(play)
    play.sims.faults.set({"ometria.p_timeout_after_accept": 1.0})
    assert run_next_merge(play.db, play.context).what == "asked"
    play.sims.faults.set({"ometria.p_timeout_after_accept": 0.0})
    assert run_next_merge(play.db, play.context).what == "", "it is left alone until Ometria has had its time"
    play.pass_time(VERIFY_AFTER.total_seconds() + 1)
    assert run_next_merge(play.db, play.context).what == "done"
    assert asked(play) == 1
    assert book(play) == ["wanted", "asked", "unanswered", "done"]


def test_a_killed_process_leaves_a_merge_that_is_looked_up(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row says that it may have left before it does; whoever comes next looks, and does not ask again."""

    class Killed(BaseException):
        pass

    two(play)
    wanted(play)
    merge = play.context.platform.merge

    def killed(survivor: str, losers: list[str]) -> None:
        merge(survivor, losers)
        raise Killed

    monkeypatch.setattr(play.context.platform, "merge", killed)
    with pytest.raises(Killed):
        run_next_merge(play.db, play.context)
    monkeypatch.undo()
    play.pass_time(VERIFY_AFTER.total_seconds() + 1)
    assert run_next_merge(play.db, play.context).what == "done"
    assert asked(play) == 1
    play.come_to_rest()
    assert play.compare().differences == ()


def test_a_merge_that_the_platform_never_makes_ends_as_a_case(play: Play) -> None:
    two(play)
    wanted(play)
    play.sims.faults.set({"ometria.p_drop_before_accept": 1.0})
    for _ in range(12):
        run_next_merge(play.db, play.context)
        play.pass_time(VERIFY_AFTER.total_seconds() + 1)
    (case,) = play.cases("platform.merge_refused")
    assert case["detail"] == "asked 3 times, and they are still two"
    assert asked(play) == 3


def test_people_whose_writes_are_under_way_wait_for_their_merge(play: Play) -> None:
    one, _ = two(play)
    wanted(play)
    play.do(people.rename(play.world, play.uk, one, "Ada", "King-Noel", play.now))
    play.hear()
    assert run_next_merge(play.db, play.context).why == "writes of theirs are not settled yet"
    play.come_to_rest()
    play.pass_time(60)
    assert run_next_merge(play.db, play.context).what == "done"


def test_f71_a_family_behind_one_address_is_flagged_and_takes_nobody_along(play: Play) -> None:
    """F71: two people, one address, and a duplicate of one of them."""
    abroad = play.sims.store("int")
    ada(play, "king@example.com")
    play.person("king@example.com", "SUBSCRIBED", store=abroad, first_name="Tom", last_name="King",
                default_address=None, addresses=[])  # fmt: skip
    ada(play, "king+ada@example.com")
    play.come_to_rest()
    (candidate,) = looked(play, by_rule=True)
    assert candidate.against == (Refusal.SHARED,)
    assert play.rows("SELECT FROM merge") == []
    (case,) = play.cases("identity.shared_address")
    assert case["detail"].startswith("with int:")
    assert not any(word in str(case) for word in ("king", "Tom", "Ada"))


def test_the_flag_of_an_address_closes_when_it_is_nobody_elses_any_more(play: Play) -> None:
    abroad = play.sims.store("int")
    ada(play, "king@example.com")
    tom = play.person("king@example.com", store=abroad, first_name="Tom", last_name="King")
    play.come_to_rest()
    looked(play)
    assert play.cases("identity.shared_address")
    play.do(people.change_address(play.world, abroad, tom, "tom@example.com", None, play.now))
    play.come_to_rest()
    looked(play)
    assert not play.cases("identity.shared_address")


def test_whom_a_person_called_different_is_never_merged(play: Play) -> None:
    two(play)
    (candidate,) = looked(play)
    queue.dismiss_candidate(play.db, play.context, candidate, "ada")
    (candidate,) = looked(play, by_rule=True)
    assert candidate.against == (Refusal.APART,)
    assert play.rows("SELECT FROM merge") == []


def test_three_spellings_of_one_mailbox_end_as_one_person(play: Play) -> None:
    accounts = [ada(play, f"ada.king{tag}@example.com") for tag in ("", "+shoes", "+hats")]
    orders = [play.orders(one) for one in accounts]
    play.come_to_rest()
    looked(play, by_rule=True)
    for _ in range(60):
        run_next_merge(play.db, play.context)
        play.work()
        play.pass_time(5)
    play.come_to_rest()
    assert {play.order(one)["customer"]["id"] for one in orders} == {f"uk:{accounts[0].id}"}
    assert len({profile(play, one.email or "")["id"] for one in accounts}) == 1
    assert [row["state"] for row in play.rows("SELECT state FROM merge ORDER BY id")][:2] == ["done", "done"]
    assert play.compare().differences == ()
    # Whoever gives the address up stays who they are over there.
    play.do(people.change_address(play.world, play.uk, accounts[1], "king@new.example", None, play.now))
    play.come_to_rest()
    assert play.contact(accounts[1])["customer_id"] == f"uk:{accounts[0].id}"
    assert play.compare().differences == ()


@pytest.mark.parametrize("leaves", [0, 1])
def test_an_account_that_goes_does_not_silence_whom_it_was_merged_with(play: Play, leaves: int) -> None:
    accounts = two(play)
    wanted(play)
    run_next_merge(play.db, play.context)
    play.come_to_rest()
    play.do(people.leave(play.uk, accounts[leaves]))
    play.come_to_rest()
    assert play.mailable(accounts[1 - leaves].email or "") == "EXPLICITLY_OPTEDIN"


def test_an_opt_out_stays_although_its_account_goes(play: Play) -> None:
    accounts = two(play, "UNSUBSCRIBED", "UNSUBSCRIBED")
    wanted(play)
    run_next_merge(play.db, play.context)
    play.come_to_rest()
    play.do(people.leave(play.uk, accounts[1]))
    play.come_to_rest()
    assert play.contact(accounts[1])["marketing_optin"] == "EXPLICITLY_OPTEDOUT"
    assert play.mailable(accounts[0].email or "") == "EXPLICITLY_OPTEDOUT"


def test_two_stores_and_ids_of_each_store_are_merged_alike(play: Play) -> None:
    """One human with two spellings of one mailbox in two stores, where each store's own ids are sent."""
    for name, shop in play.context.shops.items():
        rules = msgspec.structs.replace(shop.rules, identity="store")
        play.context.shops[name] = msgspec.structs.replace(shop, rules=rules)  # type: ignore[index]
    abroad = play.sims.store("int")
    one = ada(play, "ada.king@example.com")
    other = play.person(
        "ada.king+int@example.com", "SUBSCRIBED", store=abroad, default_address=None, addresses=[], **ADA
    )
    placed = play.orders(other, store=abroad)
    play.come_to_rest()
    wanted(play)
    assert run_next_merge(play.db, play.context).what == "done"
    play.come_to_rest()
    found = profile(play, "ada.king@example.com")
    assert found["id"] == profile(play, "ada.king+int@example.com")["id"]
    assert found["stats"]["orders"] == 1
    assert play.contact(other, "int:")["customer_id"] == f"int:{other.id}"
    assert play.order(placed, "int:")["customer"]["id"] == f"int:{other.id}"
    assert play.contact(one)["customer_id"] == f"uk:{one.id}"
    assert play.compare().differences == ()


def test_several_profiles_of_one_address_are_reported(play: Play) -> None:
    """An account from before 2024: the same address under two customer ids is two people there."""
    play.sims.ometria.turn({"identity": "pre2024"})
    ada(play, "ada.king@example.com")
    theirs = {
        "@type": "contact",
        "@collection": "old",
        "id": "o1",
        "email": "ada.king@example.com",
        "customer_id": "old-1",
    }
    play.context.platform.push([msgspec.json.encode(theirs)])
    play.come_to_rest()
    play.pass_time(5)
    poll_profiles.poll_profiles(play.db, play.context)
    (several,) = queue.addresses_with_several_profiles(play.db, play.context)
    assert len(several.profiles) == 2
    assert "old-1" in several.customer_ids


def test_nobody_is_merged_in_shadow_mode(play: Play) -> None:
    two(play)
    wanted(play)
    assert run_next_merge(play.db, msgspec.structs.replace(play.context, is_live=False)).what == ""
    assert asked(play) == 0


def test_a_contact_of_the_merged_person_is_not_lost_over_there(play: Play) -> None:
    """The loser's listing is deleted by the merge, and is there again when traffic stops."""
    _, other = two(play)
    wanted(play)
    run_next_merge(play.db, play.context)
    assert play.lookup(RecordKind.CONTACT, f"uk:{other.id}") is None
    play.come_to_rest()
    assert play.lookup(RecordKind.CONTACT, f"uk:{other.id}") is not None


def merged_by_somebody(play: Play, survivor: Customer, loser: Customer) -> None:
    """A person merges two profiles in Ometria's own pages."""
    play.context.platform.merge(f"uk:{survivor.id}", [f"uk:{loser.id}"])
    play.pass_time(5)
    poll_profiles.poll_profiles(play.db, play.context)


@pytest.mark.parametrize(("first", "second", "mailable"), [
    ("SUBSCRIBED", "SUBSCRIBED", True), ("SUBSCRIBED", "UNSUBSCRIBED", False), ("UNSUBSCRIBED", "SUBSCRIBED", False),
])  # fmt: skip
def test_a_merge_made_in_ometria_is_noticed_and_followed(play: Play, first: str, second: str, mailable: bool) -> None:
    """Links and orders follow, the deleted contact is there again, and the stricter consent holds."""
    one, other = two(play, first, second)
    placed = play.orders(other)
    play.come_to_rest()
    poll_profiles.poll_profiles(play.db, play.context)
    merged_by_somebody(play, one, other)
    play.come_to_rest()
    assert book(play) == ["noticed"]
    assert play.order(placed)["customer"]["id"] == f"uk:{one.id}"
    assert play.contact(other)["customer_id"] == f"uk:{one.id}"
    for email in ("ada.king@example.com", "ada.king+shop@example.com"):
        assert (play.mailable(email) == "EXPLICITLY_OPTEDIN") is mailable
    assert play.compare().differences == ()
    poll_profiles.poll_profiles(play.db, play.context)
    assert book(play) == ["noticed"], "once"


def test_one_profile_of_two_people_whose_contacts_are_there_is_no_merge(play: Play) -> None:
    """A family that Ometria clusters by its phone number stays two people here."""
    play.sims.ometria.turn({"phone_identity": True, "customer_id_multi": True})
    ada(play, "ada@example.com", phone="+447911123456")
    play.uk.by_phone.clear()
    play.person("tom@example.com", first_name="Tom", last_name="King", phone="+447911123456")
    play.come_to_rest()
    assert profile(play, "ada@example.com")["id"] == profile(play, "tom@example.com")["id"]
    poll_profiles.poll_profiles(play.db, play.context)
    assert book(play) == []


def test_more_merges_by_rule_than_may_be_made_without_a_person_wait_as_one_plan(play: Play) -> None:
    for n in range(6):
        ada(play, f"ada{n}.king{n}@example.com", first_name=f"Ada{n}", last_name=f"King{n}")
        ada(play, f"ada{n}.king{n}+shop@example.com", first_name=f"Ada{n}", last_name=f"King{n}")
    play.come_to_rest()
    found = looked(play, by_rule=True)
    assert sum(one.may_be_merged and one.verdict == "sure" for one in found) == 6
    assert play.rows("SELECT id FROM merge") == []
    (plan,) = play.rows("SELECT id, run, state FROM plan WHERE source = 'merges'")
    assert plan["state"] == "stopped"
    assert len(play.cases("integration.plan_stopped")) == 1
    looked(play, by_rule=True)  # a day later: one plan, one case
    (plan,) = play.rows("SELECT id, run FROM plan WHERE source = 'merges' AND state = 'stopped'")
    assert len(play.cases("integration.plan_stopped")) == 1

    assert decide.confirm_plan(play.db, play.context, plan["id"], "grace").is_done
    assert [row["wanted_by"] for row in play.rows("SELECT wanted_by FROM merge")] == ["grace"] * 6
    assert play.cases("integration.plan_stopped") == []
    told = undo_run(play.db, play.context, plan["run"], "merges", "grace", is_dry_run=True)
    assert (told.n_put_back, told.final) == (0, {"merge": 6})


def test_refused_merges_by_rule_are_not_proposed_again(play: Play) -> None:
    for n in range(6):
        ada(play, f"ada{n}.king{n}@example.com", first_name=f"Ada{n}", last_name=f"King{n}")
        ada(play, f"ada{n}.king{n}+shop@example.com", first_name=f"Ada{n}", last_name=f"King{n}")
    play.come_to_rest()
    looked(play, by_rule=True)
    (plan,) = play.rows("SELECT id FROM plan WHERE state = 'stopped'")
    assert decide.refuse_plan(play.db, plan["id"], play.now, "grace").is_done
    looked(play, by_rule=True)
    assert play.rows("SELECT id FROM plan WHERE state = 'stopped'") == []
    assert play.rows("SELECT id FROM merge") == []
    assert play.cases("integration.plan_stopped") == []
