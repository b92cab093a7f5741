"""Which of two statements about one channel stands.

https://shopify.dev/docs/api/admin-graphql/latest/objects/CustomerEmailMarketingConsentState: a customer's state is the
record with the most recent time. Ties and doubt go to opt-out.
"""

from datetime import UTC, datetime

from isthmus.model.customer import Consent

_NEVER = datetime.min.replace(tzinfo=UTC)
OUT = frozenset({"UNSUBSCRIBED", "REDACTED", "INVALID"})


def stands(known: Consent | None, told: Consent, *, is_reading: bool) -> tuple[Consent, str]:
    """The consent that stands after hearing `told`, and the rule that decided.

    A reading is the shop's present word: it stands unless it would opt someone in over a later opt-out
    that was heard.
    A claim stands only when its own time is later; at the same time the opt-out stands.
    """
    if known is None:
        return told, "first"
    if known == told:
        return known, "same"
    before, after = known.updated_at or _NEVER, told.updated_at or _NEVER
    if is_reading:
        if known.state in OUT and told.state not in OUT and before > after:
            return known, "later_opt_out"
        return told, "reading"
    if after > before:
        return told, "newest"
    if after == before and told.state in OUT and known.state not in OUT:
        return told, "tie_to_opt_out"
    return known, "older"
