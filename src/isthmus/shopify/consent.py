"""Write to a shop what its customers allow, and find the customer of an address.

https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/customerEmailMarketingConsentUpdate and
…/customerSmsMarketingConsentUpdate; what is refused and what is silently nothing was captured from the real API.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from isthmus.kit import ids
from isthmus.kit.clock import Clock
from isthmus.kit.email import normalise_email
from isthmus.model.consent import Channel
from isthmus.model.failure import BlockedError, RejectedError, TransientError
from isthmus.shopify import documents
from isthmus.shopify import errors as trouble
from isthmus.shopify.batched_operations import batch_operations
from isthmus.shopify.client import Shopify
from isthmus.shopify.parse.json import to_utc
from isthmus.shopify.topics import CONSENT_SCOPE

BATCH = 20
"""Wishes of one request: at 12 points each it leaves most of a standard shop's bucket to the readings."""

LOOKUPS = 50
"""Addresses of one request, at 3 points each."""

SKEW = timedelta(minutes=2)
"""How far Shopify's clock may be behind ours: a time that it calls the future is told again this much earlier."""


class ConsentUpdateOutcome(StrEnum):
    """What came of a wish: it was written, it was refused, there is no such customer, or no address to write it to."""

    WRITTEN = "written"
    REFUSED = "refused"
    GONE = "gone"
    NOTHING = "nothing"


class ConsentUpdate(Struct, frozen=True):
    """One statement for one customer's default address of a channel, with the time it was made."""

    customer_id: int
    channel: Channel
    state: Literal["SUBSCRIBED", "UNSUBSCRIBED"]
    at: datetime
    level: str = "SINGLE_OPT_IN"


class ConsentUpdateResult(Struct, frozen=True):
    """What became of a wish, and what the customer's consent is right after it, where the answer shows it.

    `code` and `detail` say why it was refused: Shopify's code, or our own where the whole call was refused, and which
    field; never an address. INTERNAL_ERROR is Shopify's trouble and may pass.
    """

    outcome: ConsentUpdateOutcome
    state: str | None = None
    level: str | None = None
    updated_at: datetime | None = None
    code: str = ""
    detail: str = ""

    def holds(self, wish: ConsentUpdate) -> bool:
        """Whether the answer itself shows the wish. A later time that stands there makes a wish a silent nothing, and
        what is shown may still be undone seconds later, so only a reading after a while is proof."""
        return self.outcome is ConsentUpdateOutcome.WRITTEN and self.state == wish.state


class Consents:
    """One shop's consent. Safe to share between threads, but whoever writes must keep the wishes of one customer in
    order. Methods raise what the client raises: TransientError with `may_have_arrived` when a write got no answer, and
    writing it again is harmless. BlockedError `storefront.scope_missing` is about writing alone: readings go on.
    """

    def __init__(self, shop: Shopify, clock: Clock) -> None:
        self._shop = shop
        self._clock = clock

    def write(self, wishes: Sequence[ConsentUpdate]) -> list[ConsentUpdateResult]:
        """Write wishes in their order and give their answers in the same; BATCH of them are one request.

        Of more than BATCH the answers of the first requests are lost when a later one fails.
        """
        answers: list[ConsentUpdateResult] = []
        for start in range(0, len(wishes), BATCH):
            answers += self._write(wishes[start : start + BATCH])
        late = [n for n, answer in enumerate(answers) if answer.detail.endswith(_TIME)]
        for n in late:
            if not any(_is_same(wishes[n], later) for later in wishes[n + 1 :]):
                answers[n] = self._write([replace(wishes[n], at=self._clock.now() - SKEW)])[0]
        return answers

    def find(self, addresses: Sequence[str], channel: Channel = Channel.EMAIL) -> dict[str, int | None]:
        """The customer of each email address, or of each phone number in E.164; None where there is none.

        Exact: an answer whose own address is another one does not count. What cannot be an address is not asked for.
        """
        found: dict[str, int | None] = dict.fromkeys(addresses)
        askable = [one for one in found if _plain(one, channel)]
        for start in range(0, len(askable), LOOKUPS):
            found |= self._find(askable[start : start + LOOKUPS], channel)
        return found

    def _find(self, addresses: Sequence[str], channel: Channel) -> dict[str, int | None]:
        key = "emailAddress" if channel is Channel.EMAIL else "phoneNumber"
        given = {f"i{n}": {key: _plain(one, channel)} for n, one in enumerate(addresses)}
        try:
            data = self._shop.graphql(batch_operations([documents.BY_ADDRESS] * len(addresses), "query"), given)
        except RejectedError as failure:
            if not trouble.is_too_expensive(failure) or len(addresses) == 1:
                raise
            half = len(addresses) // 2
            return self._find(addresses[:half], channel) | self._find(addresses[half:], channel)
        found: dict[str, int | None] = {}
        for n, one in enumerate(addresses):
            node = data.get(f"a{n}")
            is_theirs = node is not None and _plain(_address(node, channel), channel) == _plain(one, channel)
            found[one] = ids.numeric_id(node["id"]) if node is not None and is_theirs else None
        return found

    def _write(self, wishes: Sequence[ConsentUpdate]) -> list[ConsentUpdateResult]:
        """One request; when it is refused as a whole, which of them it was is found by writing halves of it again."""
        text = batch_operations([_DOCUMENTS[one.channel] for one in wishes], "mutation")
        try:
            data = self._shop.graphql(text, {f"i{n}": self._input(one) for n, one in enumerate(wishes)})
        except BlockedError as failure:
            if CONSENT_SCOPE not in failure.detail:
                raise
            raise BlockedError("storefront.scope_missing", CONSENT_SCOPE) from None
        except RejectedError as failure:
            if len(wishes) == 1:
                return [ConsentUpdateResult(ConsentUpdateOutcome.REFUSED, code=failure.code, detail=failure.detail)]
            half = len(wishes) // 2
            return [*self._write(wishes[:half]), *self._write(wishes[half:])]
        except TransientError as failure:
            if failure.code != trouble.UNEXPLAINED or len(wishes) == 1:
                raise
            return self._apart(wishes, failure)
        return [_told(data.get(f"a{n}"), one.channel) for n, one in enumerate(wishes)]

    def _apart(self, wishes: Sequence[ConsentUpdate], failure: TransientError) -> list[ConsentUpdateResult]:
        """An error that nobody knows may be about one wish or about the shop: each half is tried, and what fails alone
        while others are written is refused. Where nothing can be written, the shop's trouble is raised."""
        answers: list[ConsentUpdateResult] = []
        half = len(wishes) // 2
        for some in (wishes[:half], wishes[half:]):
            try:
                answers += self._write(some)
            except TransientError as again:
                if again.code != trouble.UNEXPLAINED:
                    raise
                answers += [
                    ConsentUpdateResult(ConsentUpdateOutcome.REFUSED, code=again.code, detail=again.detail)
                ] * len(some)
        if all(answer.code == trouble.UNEXPLAINED for answer in answers):
            raise failure
        return answers

    def _input(self, wish: ConsentUpdate) -> dict[str, Any]:
        """All three fields, always: without a level some states are refused, without a time it is the call's own."""
        at = min(wish.at, self._clock.now()).astimezone(UTC)
        consent = {
            "marketingState": wish.state,
            "marketingOptInLevel": wish.level,
            "consentUpdatedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        return {"customerId": ids.global_id("Customer", wish.customer_id), _PARTS[wish.channel]: consent}


_DOCUMENTS = {Channel.EMAIL: documents.EMAIL_CONSENT, Channel.SMS: documents.SMS_CONSENT}
_PARTS = {Channel.EMAIL: "emailMarketingConsent", Channel.SMS: "smsMarketingConsent"}
_TIME = ".consentUpdatedAt"


def _told(payload: Mapping[str, Any] | None, channel: Channel) -> ConsentUpdateResult:
    if payload is None:
        raise trouble.error_from_malformed_response()
    errors = payload["userErrors"]
    if errors:
        return _complaint(errors[0])
    customer = payload["customer"]
    if customer is None:
        raise trouble.error_from_malformed_response()
    consent = _shown(customer, channel)
    if consent is None:
        # By email a success all the same (captured).
        return ConsentUpdateResult(ConsentUpdateOutcome.NOTHING)
    state, level, at = consent
    return ConsentUpdateResult(
        ConsentUpdateOutcome.WRITTEN, state, level, None if at is None else to_utc(datetime.fromisoformat(at))
    )


def _complaint(error: Mapping[str, Any]) -> ConsentUpdateResult:
    field = ".".join(str(step) for step in error.get("field") or ())
    message = str(error.get("message", ""))
    if message == "Customer not found" or field.endswith("customerId"):
        return ConsentUpdateResult(ConsentUpdateOutcome.GONE)
    if field == f"input.{_PARTS[Channel.SMS]}" and "phone number is required" in message:
        return ConsentUpdateResult(ConsentUpdateOutcome.NOTHING)
    # The words of Shopify may come to hold an address; the code and the field never do.
    return ConsentUpdateResult(
        ConsentUpdateOutcome.REFUSED, code=str(error.get("code") or "no code"), detail=field or "no field"
    )


def _shown(customer: Mapping[str, Any], channel: Channel) -> tuple[str, str | None, str | None] | None:
    if channel is Channel.EMAIL:
        email = customer["defaultEmailAddress"]
        return email and (email["marketingState"], email["marketingOptInLevel"], email["marketingUpdatedAt"])
    phone = customer["defaultPhoneNumber"]
    sms = phone and phone["smsMarketingConsent"]
    return sms and (sms["state"], sms["optInLevel"], sms["updatedAt"])


def _is_same(one: ConsentUpdate, other: ConsentUpdate) -> bool:
    return (one.customer_id, one.channel) == (other.customer_id, other.channel)


def _address(node: Mapping[str, Any], channel: Channel) -> str | None:
    if channel is Channel.EMAIL:
        return (node["defaultEmailAddress"] or {}).get("emailAddress")
    return (node["defaultPhoneNumber"] or {}).get("phoneNumber")


def _plain(address: str | None, channel: Channel) -> str | None:
    if channel is Channel.EMAIL:
        return normalise_email(address)
    trimmed = (address or "").strip()
    return trimmed if trimmed.startswith("+") and trimmed[1:].isdecimal() else None
