"""Ask a shop whether the app is gone from it, before anybody is called for that.

The body of app/uninstalled is the shop's own record, as shop/update sends it too, and the signature covers no topic: a
captured body can be sent again as this one. One reading tells them apart.
"""

from isthmus.db.pool import Tx
from isthmus.db.sql import increment
from isthmus.flows.context import ConnectionContext
from isthmus.flows.parse_events import ParsedBatch
from isthmus.model.event import Event, EventOutcome, EventState
from isthmus.model.failure import Failure

CONFIRMS = "storefront.token_refused"

REFUTED = "the shop answers: the app is installed"


def verify_uninstalls(context: ConnectionContext, heard: ParsedBatch) -> None:
    """Read each shop once that is said to have lost the app; what it answers decides whether a person is called."""
    answers: dict[str, str | None] = {}
    for event in heard.uninstalls:
        if event.store not in answers:
            answers[event.store] = _ask(context, event)
        detail = answers[event.store]
        if detail is None:
            heard.outcomes.append(EventOutcome(event.id, EventState.SKIPPED, REFUTED))
        else:
            heard.matters.append(event)
            heard.details[event.id] = detail


def count_refuted(tx: Tx, context: ConnectionContext, heard: ParsedBatch) -> None:
    """Count those that the shop refuted."""
    increment(tx, context.connection, {"uninstall.refuted": sum(one.reason == REFUTED for one in heard.outcomes)})


def _ask(context: ConnectionContext, event: Event) -> str | None:
    """None where the shop answers; else what is known of it."""
    try:
        context.shops[event.store].reader.newest()
    except Failure as failure:
        if failure.code == CONFIRMS:
            return "confirmed: the shop refuses our credentials"
        return f"not confirmed: the shop could not be asked ({failure.code})"
    return None
