"""Failures, named by how much of the pipeline they close, each with a stable dotted code from the case catalogue."""

from datetime import timedelta


class Failure(Exception):  # noqa: N818 - the house says failure, the subclasses say error
    """Something that stopped work. `code` is a row of cases/catalogue.py; `detail` never carries personal data."""

    def __init__(self, code: str, detail: str = "", *, retry_after: timedelta | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class TransientError(Failure):
    """This attempt failed; a later one may not. `may_have_arrived`: the external API may have acted on it."""

    def __init__(
        self, code: str, detail: str = "", *, retry_after: timedelta | None = None, may_have_arrived: bool = False
    ) -> None:
        super().__init__(code, detail, retry_after=retry_after)
        self.may_have_arrived = may_have_arrived


class SlowError(TransientError):
    """An answer began and then came too slowly to be waited for."""


class RejectedError(Failure):
    """This record can never go through as it is."""


class BlockedError(Failure):
    """Nothing of this connection can go through until a person acts."""
