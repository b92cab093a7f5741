"""Intake of pushes, as https://docs.ometria.com/docs/push-endpoint and /docs/ometria-data-api-introduction say."""

from uuid import UUID

import pytest
from ometria_account import KEY, OmetriaAccount, contact, order

from sims.wire import TIMEOUT_HEADER, TIMEOUT_STATUS


@pytest.mark.parametrize("headers", [{}, {"x-ometria-auth": "wrong"}])
def test_a_missing_or_wrong_key_is_403_in_the_documented_words(
    account: OmetriaAccount, headers: dict[str, str]
) -> None:
    """docs.ometria.com/docs/push-endpoint"""
    answer = account.call("POST", "/v2/push", [contact()], headers)
    assert answer.status == 403
    assert answer.json()["message"] == "API key is not authorised to access this resource"


@pytest.mark.parametrize("path", ["/v2/push", "/push"])
def test_an_accepted_push_says_so_with_an_id_and_two_counts(account: OmetriaAccount, path: str) -> None:
    """docs.ometria.com/docs/push-endpoint"""
    answer = account.call("POST", path, [contact(1), contact(2)])
    body = answer.json()
    assert answer.status == 200
    assert UUID(body["request_id"])
    assert (body["status"], body["accepted"], body["rejected"]) == ("OK", 2, 0)


def test_a_hundred_records_are_the_most(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction; the status 400 is assumed"""
    assert account.push(*[contact(n) for n in range(100)]).status == 200
    assert account.push(*[contact(n) for n in range(101)]).status == 400


def test_object_types_are_never_mixed(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction; the status 400 is assumed"""
    assert account.push(contact(), order()).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b'{"@type":"contact"}', b"[]", b"\xff\xfe"])
def test_what_is_no_array_of_records_is_refused(account: OmetriaAccount, body: bytes) -> None:
    """docs.ometria.com/docs/push-endpoint (an array even for one); the status 400 is assumed"""
    assert account.call("POST", "/v2/push", body).status == 400


def test_a_record_over_60_kb_is_too_large_in_the_documented_words(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction"""
    answer = account.push(contact(1), contact(2, firstname="x" * 60_000))
    assert answer.status == 400
    assert answer.json()["message"] == "Payload invalid: Record is too large"


def test_by_switch_only_the_record_that_is_too_large_is_rejected() -> None:
    """which of the two happens is not documented"""
    account = OmetriaAccount(oversize="record")
    body = account.push(contact(1), contact(2, firstname="x" * 60_000)).json()
    assert (body["accepted"], body["rejected"]) == (1, 1)


def test_records_of_unknown_types_are_rejected_at_once(account: OmetriaAccount) -> None:
    """assumed: the counts are of the synchronous stage"""
    body = account.push({"@type": "basket", "id": "1"}).json()
    assert (body["accepted"], body["rejected"]) == (0, 1)


def test_eight_pushes_a_second_then_429_without_retry_after(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction"""
    answers = [account.push(contact(n)) for n in range(9)]
    assert [answer.status for answer in answers] == [200] * 8 + [429]
    assert "Retry-After" not in answers[-1].headers
    account.clock.advance(0.125)
    assert account.push(contact()).status == 200


def test_an_accounts_own_limit_replaces_the_default(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction (adjustable by plan)"""
    account.platform.turn({"push_rps": 2})
    assert [account.push(contact(n)).status for n in range(3)] == [200, 200, 429]


def test_reads_have_their_own_limit_of_four_a_second(account: OmetriaAccount) -> None:
    """docs.ometria.com/docs/ometria-data-api-introduction"""
    assert [account.call("GET", "/v2/orders").status for _ in range(5)] == [200] * 4 + [429]
    assert account.push(contact()).status == 200


def test_the_queue_says_how_much_room_is_left_and_refuses_what_does_not_fit() -> None:
    """support.ometria.com/support/solutions/articles/7000045354-push-api"""
    account = OmetriaAccount(queue_max=3)
    answer = account.push(contact(1), contact(2))
    assert (answer.headers["X-QueueSize-Limit"], answer.headers["X-QueueSize-Remaining"]) == ("3", "1")
    assert account.push(contact(3), contact(4)).status == 429
    account.wait(3)
    assert account.push(contact(3), contact(4)).status == 200


def test_the_queue_headers_can_be_missing() -> None:
    """the newest docs.ometria.com/docs/ometria-data-api-introduction no longer names them"""
    account = OmetriaAccount(queue_headers=False)
    assert "X-QueueSize-Remaining" not in account.push(contact()).headers


def test_accepted_records_are_seen_only_after_a_while_and_in_order(account: OmetriaAccount) -> None:
    """support.ometria.com/hc/en-gb/articles/360011617238 (asynchronous); the delay is assumed"""
    account.push(contact(1, firstname="first"))
    account.push(contact(1, firstname="second"))
    assert account.call("GET", "/v2/contacts/shopify/uk:1").status == 404
    account.wait(2)
    assert account.listing("uk:1")["firstname"] == "second"


def test_the_path_for_a_requests_status_is_there_only_by_switch() -> None:
    """docs.ometria.com/docs/push-endpoint promises it, the path was never seen"""
    account = OmetriaAccount(push_status_path=True)
    request_id = account.push(contact()).json()["request_id"]
    assert account.get(f"/v2/push/{request_id}")["status"] == "QUEUED"
    account.wait(3)
    assert account.get(f"/v2/push/{request_id}")["status"] == "PROCESSED"
    account.platform.turn({"push_status_path": False})
    account.clock.advance(1)
    assert account.call("GET", f"/v2/push/{request_id}").status == 404


def test_a_timeout_after_acceptance_hangs_but_applies(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.faults.set({"ometria.p_timeout_after_accept": 1.0, "ometria.hang_seconds": 12.0})
    answer = account.push(contact())
    assert answer.status == TIMEOUT_STATUS
    assert answer.headers[TIMEOUT_HEADER] == "12"
    account.wait(3)
    assert account.listing("uk:1")["email"] == "a1@example.com"
    assert account.faults.injected == {"ometria.p_timeout_after_accept": 1}


def test_a_drop_before_acceptance_hangs_and_applies_nothing(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.faults.set({"ometria.p_drop_before_accept": 1.0})
    assert account.push(contact()).status == TIMEOUT_STATUS
    account.wait(3)
    assert account.call("GET", "/v2/contacts/shopify/uk:1").status == 404


@pytest.mark.parametrize(
    ("knobs", "status"), [({"ometria.p429": 1.0}, 429), ({"ometria.p502": 1.0}, 502), ({"ometria.down": True}, 503)]
)
def test_faults_answer_with_their_status_and_accept_nothing(
    account: OmetriaAccount, knobs: dict[str, object], status: int
) -> None:
    """a fault of ours; 502 is what a retailer's public client retries"""
    account.faults.set(knobs)
    assert account.push(contact()).status == status
    assert account.call("GET", "/v2/orders").status == status
    assert account.platform.account.backlog == 0
    assert account.faults.injected == {next(iter(knobs)): 2}


def test_slow_application_holds_back_everything_behind_it(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.faults.set({"ometria.slow_application": 30.0})
    account.push(contact(1))
    account.faults.set({"ometria.slow_application": 0.0})
    account.push(contact(2))
    account.wait(5)
    assert account.platform.account.backlog == 2
    account.wait(30)
    assert account.platform.account.backlog == 0


def test_a_record_may_be_rejected_at_once(account: OmetriaAccount) -> None:
    """a fault of ours"""
    account.faults.set({"ometria.reject_sync": 1.0})
    body = account.push(contact(1), contact(2)).json()
    assert (body["accepted"], body["rejected"]) == (0, 2)


def test_everything_received_is_on_the_tape(account: OmetriaAccount) -> None:
    """ours"""
    account.push(contact())
    account.call("GET", "/v2/orders?limit=5", headers=KEY)
    pushed, read = account.tape.read()
    assert (pushed["side"], pushed["path"], pushed["status"], pushed["body"]) == (
        "ometria",
        "/v2/push",
        200,
        [contact()],
    )
    assert read["summary"] == {"query": {"limit": "5"}}


def test_something_in_front_refuses_large_bodies_and_nothing_else(account: OmetriaAccount) -> None:
    """ASSUMED: a proxy's page, not Ometria's own words."""
    account.faults.set({"ometria.largest_body": 1_000})
    assert account.push(*(contact(id=f"uk:{n}") for n in range(50))).status == 413
    assert account.push(contact()).status < 300
    assert account.faults.injected == {"ometria.largest_body": 1}
