from datetime import timedelta

import pytest

from isthmus.cases.triage import Act, decide_retry
from isthmus.kit.backoff import WAITS
from isthmus.model.failure import BlockedError, RejectedError, TransientError


def test_a_transient_failure_waits_by_the_list() -> None:
    verdict = decide_retry(TransientError("platform.unavailable", "push answered 502"), attempt=1)
    assert (verdict.act, verdict.wait) == (Act.DEFER, WAITS[0])


def test_a_neighbour_may_ask_for_a_longer_wait() -> None:
    verdict = decide_retry(TransientError("platform.rate_limited", retry_after=timedelta(seconds=90)), attempt=1)
    assert verdict.wait == timedelta(seconds=90)


def test_a_transient_failure_is_never_given_up_and_is_shown_once_it_lasts() -> None:
    verdicts = [decide_retry(TransientError("platform.unavailable"), attempt) for attempt in range(1, 1_000)]
    assert {verdict.act for verdict in verdicts} == {Act.DEFER}
    assert [verdict.is_lasting for verdict in verdicts[:6]] == [False, False, False, False, True, True]


def test_a_rejected_record_is_buried_at_once() -> None:
    verdict = decide_retry(RejectedError("platform.refused_batch", "push answered 422"), attempt=1)
    assert (verdict.act, verdict.detail) == (Act.BURY, "push answered 422")


def test_a_blocked_connection_is_shut() -> None:
    assert decide_retry(BlockedError("platform.key_refused"), attempt=1).act is Act.BLOCK


def test_anything_else_is_a_bug_that_tells_its_place_and_not_its_words() -> None:
    with pytest.raises(AttributeError) as raised:
        decide_retry(RejectedError("x.y"), attempt=1).missing("jo@example.com")  # type: ignore[attr-defined]
    verdict = decide_retry(raised.value.with_traceback(raised.tb), attempt=1)
    assert (verdict.act, verdict.code) == (Act.BURY, "internal.bug")
    assert verdict.detail.startswith("AttributeError in ")
    assert "jo@" not in verdict.detail
