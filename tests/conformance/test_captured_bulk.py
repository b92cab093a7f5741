"""Bulk operations are answered by the simulated shop as the real Admin API was captured answering them.

What differs by nature is compared for being there: ids, times, cursors, counts, sizes and addresses.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from captures import Replay
from sources import find

from sims.shopify.bulk.output import Output
from sims.shopify.bulk.record import Operation

FOLDER = find("live-captures/bulk-operations")
FILES = sorted(FOLDER.glob("*.json")) if FOLDER is not None else []
LEFT_OUT = {
    "bulkOperationRunMutation": "bulk mutations are not simulated: nothing here writes to a shop in bulk",
    "stagedUploadsCreate": "uploads are not simulated: nothing here writes to a shop in bulk",
    "productCreate": "products are not created through this API by the simulated shop",
    "productDelete": "products are not deleted through this API by the simulated shop",
    "MUTATION": "bulk mutations are not simulated: nothing here writes to a shop in bulk",
    "draftOrders": "draft orders are not in the simulated shop",
}
OTHERS = ("upstreamCalls", "preconditions")
"""What the capturing tool did on its own account."""

HELD = {
    "bulk-operation-run-query-concurrency-limit": {"shopify.bulk_starts_after": 30.0},
    "bulk-operation-run-query-schema-roots": {"shopify.bulk_stops_after": 2.5},
}
"""How slow the capturing shop was, where it matters."""

VOLATILE = (
    "objectCount",
    "rootObjectCount",
    "fileSize",
    "url",
    "partialDataUrl",
    "createdAt",
    "completedAt",
    "count",
    "hasNextPage",
)

pytestmark = pytest.mark.skipif(FOLDER is None, reason="the captured answers are not on this machine")


def calls(captured: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk the calls of a file in its order."""
    if isinstance(captured, dict):
        if isinstance(captured.get("response"), dict) and isinstance(captured.get("query"), str):
            yield where, captured
            return
        for key, value in captured.items():
            if key not in OTHERS:
                yield from calls(value, f"{where}/{key}" if where else key)
    elif isinstance(captured, list):
        for n, value in enumerate(captured):
            yield from calls(value, f"{where}/{n}")


def left_out(where: str, call: dict[str, Any]) -> str | None:
    if "draftOrders" in where:
        return LEFT_OUT["draftOrders"]
    if where.startswith("searchProbes"):
        return "the product that is searched for is not created here"
    text = call["query"] + json.dumps(call.get("variables") or {})
    return next((reason for name, reason in LEFT_OUT.items() if re.search(rf"\b{name}\b", text)), None)


def level(value: Any) -> Any:
    """Reduce what differs by nature to whether it is there."""
    if isinstance(value, dict):
        return {
            key: value[key] is not None if key in VOLATILE else level(value[key]) for key in value if key != "locations"
        }
    return [level(each) for each in value] if isinstance(value, list) else value


def told(body: dict[str, Any]) -> dict[str, Any]:
    extensions = body.get("extensions") or {}
    found = {key: body[key] for key in ("data", "errors") if key in body}
    return {**found, "search": extensions["search"]} if "search" in extensions else found


def costs(body: dict[str, Any]) -> Any:
    return (body.get("extensions") or {}).get("cost", {}).get("requestedQueryCost")


def begin(captured: Any) -> Replay:
    replay = Replay.begin(datetime.fromisoformat(captured["capturedAt"]))
    # In the capturing shop an operation had begun by the second poll, not by the first.
    replay.shopify.faults.set({"shopify.bulk_starts_after": 2.5})
    return replay


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_captured_call_is_answered_alike(path: Path) -> None:
    captured = json.loads(path.read_text())
    if path.stem in OWN:
        OWN[path.stem](captured)
        return
    if "run-mutation" in path.stem:
        pytest.skip(f"{path.stem}: {LEFT_OUT['bulkOperationRunMutation']}")
    replay, reasons, compared = begin(captured), set(), 0
    replay.shopify.faults.set(HELD.get(path.stem, {}))
    found = list(calls(captured))
    stock(replay, found)
    own = {each["id"] for _, call in found for each in operations(call) if "bulkOperationRunQuery" in call["query"]}
    for where, call in found:
        reason = left_out(where, call)
        if reason is not None:
            reasons.add(f"{where}: {reason}")
            continue
        for each in operations(call):
            if each["id"] not in own:
                bring_to_life(replay, each)
        if "statusPolls/" in where and not where.endswith("/0"):
            replay.clock.advance(2)
        ours = replay.ask(call["query"], searched(replay, call.get("variables") or {}))
        answer = call["response"].get("payload") or call["response"]
        wrong = replay.differences(renamed(replay, level(told(answer))), level(told(ours)), where)
        assert not wrong, "\n".join(wrong)
        assert costs(answer) is None or costs(ours) == costs(answer), where
        compared += 1
    if not compared:
        pytest.skip(f"{path.stem}: {'; '.join(sorted(reasons))}")


def searched(replay: Replay, variables: dict[str, Any]) -> dict[str, Any]:
    """Put our number where a search names that of the capture."""

    def own(match: re.Match[str]) -> str:
        known = f"gid://shopify/BulkOperation/{match[1]}"
        return f"id:{replay.names.get(known, known).rpartition('/')[2]}"

    query = variables.get("query")
    return {**variables, "query": re.sub(r"\bid:(\d+)", own, query)} if isinstance(query, str) else variables


def stock(replay: Replay, found: list[tuple[str, dict[str, Any]]]) -> None:
    """Give a captured product that is read beside operations to the simulated shop."""
    named = re.search(
        r'"id": "(gid://shopify/Product/\d+)", "title": "([^"]*)"', json.dumps([each for _, each in found])
    )
    if named is not None:
        product = next(iter(replay.shopify.world.store("uk").products.values()))
        product.title = named[2]
        replay.names[named[1]] = f"gid://shopify/Product/{product.id}"


def renamed(replay: Replay, answer: Any) -> Any:
    """Put our ids where an answer names those of the capture inside a text."""
    text = json.dumps(answer)
    for known, own in replay.names.items():
        text = re.sub(rf"(: |, ){re.escape(known)}\b", rf"\1{own}", text) if known.startswith("gid:") else text
    return json.loads(text)


def operations(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Find the operations that an answer shows."""
    rest = [call["response"]]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            if str(each.get("id", "")).startswith("gid://shopify/BulkOperation/") and "status" in each:
                yield each
            rest += each.values()
        elif isinstance(each, list):
            rest += each


def bring_to_life(replay: Replay, shown: dict[str, Any]) -> None:
    """Give a captured operation to the simulated shop."""
    bulk, known = replay.shopify.bulk, shown["id"]
    if known in replay.names:
        return
    number, made = int(known.rpartition("/")[2]), None
    if shown.get("url"):
        made = Output(f"{number:x}")
        made.write(b"{}\n")
        made.flush()
    now = replay.clock.now()
    bulk.operations[number] = Operation(
        number,
        next(iter(replay.shopify.world.stores)),
        shown.get("query") or "",
        False,
        _at(shown.get("createdAt")) or now - timedelta(days=1),
        status=shown["status"],
        completed_at=_at(shown.get("completedAt")),
        type=shown["type"],
        output=made,
        ends_at=now + timedelta(days=7) if made else None,
    )
    replay.names[known] = known


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def sorted_catalogue(captured: Any) -> None:
    """The captured operations, listed by either key in either direction, come in the captured order."""
    replay = begin(captured)
    cases = captured["cases"]
    listings = [case for name, case in cases.items() if name != "idRejected"]
    for case in listings:
        for node in case["response"]["data"]["bulkOperations"]["nodes"]:
            bring_to_life(replay, node)
    for case in listings:
        ours = replay.ask(case["query"], case["variables"])["data"]["bulkOperations"]["nodes"]
        wanted = case["response"]["data"]["bulkOperations"]["nodes"]
        assert [each["id"] for each in ours] == [each["id"] for each in wanted]
    refused = replay.ask(cases["idRejected"]["query"], {})
    assert level(told(refused)) == level(told(cases["idRejected"]["response"]))


def cancelled_while_running(captured: Any) -> None:
    """What an operation had counted stays when it is cancelled."""
    told_of = json.dumps(captured).replace("collections", "metafields")  # a product's collections are not simulated
    replay, steps = begin(captured), json.loads(told_of)["lifecycle"]
    replay.shopify.faults.set({"shopify.bulk_never_finishes": 1})
    for name in ("run", "preCancelObservation", "cancelAttempt", "readAfterCancel"):
        call = steps[name]
        ours = replay.ask(call["query"], call["variables"])
        wrong = replay.differences(level(told(call["response"])), level(told(ours)), name)
        if name == "run":
            replay.clock.advance(5)
        assert not wrong, "\n".join(wrong)
        steps[name] = ours
    counts = [next(iter(steps[name]["data"].values())) for name in ("preCancelObservation", "readAfterCancel")]
    assert counts[0]["objectCount"] == counts[1]["objectCount"] != "0"


def into_a_window(captured: Any) -> None:
    """A new operation stands first in the listing."""
    replay = begin(captured)
    for node in reversed(captured["preRunWindow"]["response"]["data"]["bulkOperations"]["nodes"]):
        bring_to_life(replay, node)
    replay.ask(captured["run"]["query"], captured["run"]["variables"])
    window = captured["postRunWindow"]
    ours = replay.ask(window["query"], window["variables"])["data"]["bulkOperations"]["nodes"]
    wanted = window["response"]["data"]["bulkOperations"]["nodes"]
    assert [each["status"] for each in ours] == [each["status"] for each in wanted]
    assert set(ours[0]) == set(wanted[0])


OWN = {
    "bulk-operations-sort-key": sorted_catalogue,
    "bulk-operation-cancel-preserves-fields": cancelled_while_running,
    "bulk-operations-live-hybrid-base-overlay": into_a_window,
}
"""Captures that only make sense beside what the capturing shop held."""
