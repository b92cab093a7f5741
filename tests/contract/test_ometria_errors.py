"""The error feed: https://docs.ometria.com/docs/list-errors, and the fuller item two independent clients model."""

import pytest
from ometria_account import OmetriaAccount, contact

BAD = contact(1, lastname=7)


def test_a_record_that_fails_validation_is_accepted_first_and_named_later(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/push-endpoint (OK means received, not valid), docs.ometria.com/docs/list-errors"""
    answer = account.settled(BAD, contact(2))
    (error,) = account.errors()
    assert answer["accepted"] == 2
    assert error["request_id"] == answer["request_id"]
    assert (error["record_type"], error["record_id"], error["record"]) == ("contact", "uk:1", BAD)
    assert error["message"] == {"error": "not a valid value", "error_path": "root > lastname"}
    assert account.listing("uk:2")["email"] == "a2@example.com"


def test_a_flat_item_carries_the_documented_keys_beside_the_record() -> None:
    """docs.ometria.com/docs/list-errors; where the keys sit is not settled"""
    account = OmetriaAccount(errors_shape="flat")
    account.settled(BAD)
    (error,) = account.errors()
    assert error["record_id"] == "uk:1"
    assert (error["error_message"], error["error_path"]) == ("not a valid value", "root > lastname")


def test_a_bare_item_is_the_documents_example_and_names_no_record() -> None:
    """docs.ometria.com/docs/list-errors"""
    account = OmetriaAccount(errors_shape="bare")
    account.settled(BAD)
    assert account.errors() == [{"error_message": "not a valid value", "error_path": "root > lastname"}]


def test_only_the_hundred_newest_errors_are_kept(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/list-errors"""
    account.settled(*[contact(n, lastname=7) for n in range(100)])
    account.settled(contact(100, lastname=7))
    listed = [error["record_id"] for error in account.errors()]
    assert len(listed) == 100
    assert (listed[0], listed[-1]) == ("uk:100", "uk:1")


def test_another_writers_errors_push_ours_out(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.settled(BAD)
    account.faults.set({"ometria.error_feed_noise": 30.0})
    account.wait(1)
    assert "uk:1" in {error["record_id"] for error in account.errors()}
    account.wait(2)
    assert "uk:1" not in {error["record_id"] for error in account.errors()}
    assert account.faults.injected["ometria.error_feed_noise"] >= 100


def test_chosen_ids_are_refused_later_until_they_are_let_through(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.faults.set({"ometria.refuse_ids": ["uk:1"]})
    assert account.settled(contact(1), contact(2))["accepted"] == 2
    assert [error["record_id"] for error in account.errors()] == ["uk:1"]
    account.faults.set({"ometria.refuse_ids": []})
    account.settled(contact(1))
    assert account.listing("uk:1")["email"] == "a1@example.com"


@pytest.mark.parametrize("record_id", [None, "", 7.5])
def test_a_record_without_a_usable_id_ends_in_the_feed(account: OmetriaAccount, record_id: object) -> None:
    """docs.ometria.com/docs/push-endpoint (id is required)"""
    assert account.refusal(contact(id=record_id)) == "root > id"
