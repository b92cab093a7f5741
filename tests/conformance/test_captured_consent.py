"""Writing consent to the simulated shop is answered as the real Admin API was captured answering it."""

import json
from typing import Any

import pytest
from captures import Replay
from sources import find

FOLDER = find("live-captures/customers")
NAMES = ("customer-email-marketing-consent-update-parity", "customer-sms-marketing-consent-update-parity")
PEOPLE = {
    "precondition": "precondition/response",
    "transitionCustomer": "validation/matrixPreconditions/transitionCustomer",
    "emailOnlyCustomer": "validation/matrixPreconditions/emailOnlyCustomer",
    "phoneOnlyCustomer": "validation/matrixPreconditions/phoneOnlyCustomer",
    "missingLevelCustomer": "validation/matrixPreconditions/missingLevelCustomer",
}
FIELDS = """
  id firstName lastName displayName email
  defaultEmailAddress { emailAddress marketingState marketingOptInLevel marketingUpdatedAt }
  defaultPhoneNumber {
    phoneNumber marketingState marketingOptInLevel marketingUpdatedAt marketingCollectedFrom
  }
"""

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the captured answers are not on this machine")


def document(channel: str) -> str:
    """The captured mutation; the column of its variable stands in the captured errors."""
    root = f"customer{channel}MarketingConsentUpdate"
    return (
        f"#graphql\n  mutation Customer{channel}MarketingConsentUpdate($input: {root[0].upper()}{root[1:]}Input!) {{\n"
        f"    {root}(input: $input) {{ customer {{ {FIELDS} }} userErrors {{ field message code }} }}\n  }}"
    )


def bring_to_life(replay: Replay, shown: dict[str, Any]) -> None:
    """Give a captured customer, as it was answered, to the simulated shop."""
    store = replay.shopify.world.store("uk")
    one = next(
        each for each in list(store.customers.values()) if f"gid://shopify/Customer/{each.id}" not in taken(replay)
    )
    store.unindex_customer(one)
    one.first_name, one.last_name, one.email = shown["firstName"], shown["lastName"], shown["email"]
    one.phone = (shown["defaultPhoneNumber"] or {}).get("phoneNumber")
    for consent in (one.email_consent, one.sms_consent):
        consent.state, consent.opt_in_level, consent.updated_at = "NOT_SUBSCRIBED", "SINGLE_OPT_IN", None
    store.index_customer(one)
    replay.names[shown["id"]] = f"gid://shopify/Customer/{one.id}"


def taken(replay: Replay) -> set[str]:
    return set(replay.names.values())


def steps(captured: dict[str, Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """List name, variables and answer of every write in the order it was made."""
    validation = captured["validation"]
    found = [("mutation", captured["mutation"]), ("unknown customer", validation["unknownCustomer"])]
    found.append(("missing level", validation["missingOptInLevel"]))
    found += [(each["name"], each) for each in validation["matrix"]]
    return [(name, each["variables"], each["response"]) for name, each in found]


def at(captured: Any, path: str) -> Any:
    for part in path.split("/"):
        captured = captured.get(part) if isinstance(captured, dict) else None
    return captured


@pytest.mark.parametrize("name", NAMES)
def test_every_captured_write_is_answered_alike(name: str) -> None:
    assert FOLDER is not None
    captured = json.loads((FOLDER / f"{name}.json").read_text())
    channel = "Email" if "email" in name else "Sms"
    replay, other = Replay.begin(), {"Email": "sms", "Sms": "email"}[channel]
    first_customers = json.loads((FOLDER / f"{NAMES[0]}.json").read_text())
    for path in PEOPLE.values():
        path = f"{path}/data/customerCreate/customer"
        shown = at(captured, path) or at(first_customers, path)
        if shown is not None:
            bring_to_life(replay, shown)
    wrong: list[str] = []
    for told, variables, answer in steps(captured):
        ours = replay.ask(document(channel), variables)
        for body in (answer, ours):  # where a document of its own text stands differs
            for error in body.get("errors", []):
                error.pop("locations", None)
            _forget(body.get("data"), other)
        wrong += [f"{told}{each}" for each in replay.differences(_part(answer), _part(ours))]
    assert not wrong, "\n".join(wrong)
    assert replay.compared > 250


def _part(body: dict[str, Any]) -> dict[str, Any]:
    return {key: body[key] for key in ("data", "errors") if key in body}


def _forget(data: Any, other: str) -> None:
    """Leave the other channel's consent out: both captures were taken on the same people, one after the other."""
    for payload in (data or {}).values():
        customer = (payload or {}).get("customer")
        if customer is not None:
            customer.pop({"sms": "defaultPhoneNumber", "email": "defaultEmailAddress"}[other], None)
