"""What an answer of a server means: the type of a row in the tables of both APIs."""

from datetime import timedelta

from msgspec import Struct

from isthmus.model.failure import BlockedError, Failure, RejectedError, TransientError


class StatusMeaning(Struct, frozen=True):
    """A row: which failure an answer is, its code, and for a write whether it may have been carried out all the same.

    The failure says what happens next: TransientError is tried again, BlockedError is looked at again every minute
    until it is over, RejectedError is never tried again as it is.
    """

    failure: type[Failure]
    code: str
    may_have_arrived: bool = False

    def of(self, detail: str, retry_after: timedelta | None = None, *, is_write: bool = True) -> Failure:
        """The failure of this row."""
        if self.failure is TransientError:
            return TransientError(
                self.code, detail, retry_after=retry_after, may_have_arrived=self.may_have_arrived and is_write
            )
        return self.failure(self.code, detail)


def retryable(code: str, *, may_have_arrived: bool = False) -> StatusMeaning:
    return StatusMeaning(TransientError, code, may_have_arrived)


def blocking(code: str) -> StatusMeaning:
    return StatusMeaning(BlockedError, code)


def rejected(code: str) -> StatusMeaning:
    return StatusMeaning(RejectedError, code)
