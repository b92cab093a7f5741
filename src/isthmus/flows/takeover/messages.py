"""What a sample of the account means for a connection: what must be decided, and what each answer would do here."""

from collections.abc import Iterator
from datetime import date

from msgspec import Struct

from isthmus.flows.takeover.precheck import Sampled
from isthmus.identity.foreign_match import ForeignVerdict
from isthmus.shopify.access import AccessFinding

CODE = "platform.foreign_writer"


class TakeoverState(Struct, frozen=True, kw_only=True):
    """Where a connection stands. `mode` and `takeover` are what its file asks for, `start_at` the day in it; the rest
    is how it was: already live, the takeover carried out, and how many records went out under adopted ids.
    """

    name: str
    is_live: bool
    takeover: str | None
    start_at: date | None
    today: date
    was_live: bool = False
    is_carried_out: bool = False
    n_sent: int = 0


def takeover_findings(told: Sampled, at: TakeoverState) -> Iterator[AccessFinding]:
    """What a person must know or do. Blocking is what would count orders twice."""
    goes_live = at.is_live and not at.was_live
    if told.is_foreign and at.takeover is None:
        yield AccessFinding(CODE, f"{describe_found(told)}. {describe_choices(told)}", is_blocking=goes_live)
    elif told.is_foreign:
        yield AccessFinding(CODE, f"{describe_found(told)}. {describe_decision(at)}", is_blocking=False)
    if at.takeover != "adopt_ids" and at.n_sent:
        yield AccessFinding(
            CODE,
            f"{at.n_sent:,} records are written under another writer's ids already: leave connection.takeover at"
            ' "adopt_ids", or they would be sent once more under our own',
        )
    if goes_live and needs_listing(at) and not at.is_carried_out:
        yield AccessFinding(
            CODE,
            f'the takeover has not been carried out: connect with mode = "shadow", then isthmus backfill {at.name} and'
            f" isthmus takeover {at.name}, and go live after that",
        )
    for one in told.collections:
        if one.n_of_ours and one.customer_ids != "ours":
            yield AccessFinding(
                CODE,
                f"contacts in {one.name} have the customer_id of people of these stores in another form"
                f" ({one.customer_ids}): Ometria joins them to ours by address, and may ignore our customer_id there",
                is_blocking=False,
            )


def needs_listing(at: TakeoverState) -> bool:
    """Whether all that is there must be known before anything is sent."""
    return at.takeover == "adopt_ids" or (at.start_at is not None and at.start_at <= at.today)


def describe_found(told: Sampled) -> str:
    """What is there under other ids, with sums and without persons."""
    parts = []
    for verdict, what in (
        (ForeignVerdict.MATCHED, "are orders of these stores under other ids"),
        (ForeignVerdict.CONFLICTING, "have the number of an order of these stores and another total or buyer"),
        (ForeignVerdict.OURS, "are there under the ids that we would give"),
    ):
        for group in told.groups:
            if group.kind == "order" and group.verdict == verdict:
                money = ", ".join(f"{currency} {amount}" for currency, amount in group.revenue.items())
                parts.append(f"{group.n:,} {what} ({money or 'none valid'}; such as {group.examples[0]})")
    goods = told.n("product", ForeignVerdict.MATCHED)
    if goods:
        parts.append(f"{goods:,} of {told.n_products:,} products are there under other ids")
    share = f"of {told.n_orders:,} orders looked at, of about {told.n_orders_there:,} in the account"
    return f"another writer has been here: {share}, {'; '.join(parts)}"


def describe_choices(told: Sampled) -> str:
    """The three values of `takeover`, and what each would mean for what was found."""
    n, unsure = told.n("order", ForeignVerdict.MATCHED), told.n("order", ForeignVerdict.CONFLICTING)
    held = f"; {unsure:,} would be held back as cases" if unsure else ""
    return (
        f'Set connection.takeover: "adopt_ids": these {n:,} go on under the ids they have, said by us{held}; '
        f'"start_at = DATE": what was placed before DATE stays theirs and is not sent; '
        f'"ignore": all is sent under our own ids, and these {n:,} would count twice'
    )


def describe_decision(at: TakeoverState) -> str:
    """What was decided, in words."""
    match at.takeover:
        case "adopt_ids":
            return "They go on under the ids they have, said by us, as decided"
        case "ignore":
            return "Nobody minds, as decided: all is sent under our own ids, and these count twice"
    return f"What was placed before {at.start_at} (00:00 UTC) stays theirs, as decided"
