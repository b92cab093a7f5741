"""What a failure does to the work that met it: wait and try again, bury it, or shut the connection."""

import traceback
from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from isthmus.kit.backoff import wait_after_attempt
from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError

BUG = "internal.bug"


class Act(StrEnum):
    """defer: a later attempt may go through · bury: this record never will · block: nothing of this connection will."""

    DEFER = "defer"
    BURY = "bury"
    BLOCK = "block"


class RetryDecision(Struct, frozen=True):
    """What to do. `wait` is set when deferring; burying and blocking make a case of `code` and `detail`, deferring
    makes one for all that waits where it `is_lasting`."""

    act: Act
    code: str
    detail: str
    wait: timedelta | None = None
    is_lasting: bool = False


LASTS_AFTER = 5
"""Attempts (three quarters of a minute) after which people see a failure that was to pass by itself."""


def decide_retry(error: BaseException, attempt: int) -> RetryDecision:
    """The verdict on a failure of the given attempt (1 = first).

    A transient failure waits by the list of kit/backoff.py for as long as it lasts. Whatever is no `Failure` is a bug:
    its place in the code is told, its message is not, since that may quote a person's data.
    """
    match error:
        case BlockedError():
            return RetryDecision(Act.BLOCK, error.code, error.detail)
        case RejectedError():
            return RetryDecision(Act.BURY, error.code, error.detail)
        case TransientError():
            wait = wait_after_attempt(attempt, error.retry_after)
            return RetryDecision(Act.DEFER, error.code, error.detail, wait, is_lasting=attempt >= LASTS_AFTER)
        case Failure():
            return RetryDecision(Act.BURY, error.code, error.detail)
    return RetryDecision(Act.BURY, BUG, _place(error))


def _place(error: BaseException) -> str:
    """The kind of the error and the innermost place of ours: `KeyError in isthmus/flows/process.py:41`."""
    at = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        # By module, not by path: the folder that all of this lies in may well be called isthmus, too.
        if at is None or name.partition(".")[0] == "isthmus":
            at = f"{name.replace('.', '/')}.py:{line}"
    return type(error).__name__ if at is None else f"{type(error).__name__} in {at}"
