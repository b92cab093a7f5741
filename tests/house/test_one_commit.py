"""Two rules of transactions: one place commits, and none is held open across a call to an external API or a wait."""

import ast
import functools
from collections.abc import Iterator

import pytest
from house_tree import Module, calls, dotted, modules, nodes, sample

COMMITS = "isthmus/db/pool.py"

OPENS = {
    "isthmus/db/pool.py": "a rehearsal is a transaction that is taken back",
    "isthmus/db/migrate.py": "a migration is a unit of work of its own",
    "isthmus/ops/case_queries.py": "looks, and touches nothing",
    "isthmus/ops/consent_history.py": "looks, in one snapshot, and touches nothing",
    "isthmus/ops/order_names.py": "looks, and touches nothing",
    "isthmus/ops/notify.py": "looks, in one snapshot, and touches nothing",
    "isthmus/ops/status.py": "looks, in one snapshot, and touches nothing",
    "isthmus/ops/report/gather.py": "looks, in one snapshot, and touches nothing",
    "isthmus/ops/alerting_queries/facts.py": "looks, in one snapshot, and touches nothing",
    "isthmus/ops/trace.py": "looks, in one snapshot, and touches nothing",
    "isthmus/app/context.py": "what every role must know before there is a flow: connections, doors, the hash key",
    "isthmus/commands/connect.py": "storing a connection goes with resolved secrets, which stop at the runtime",
    "isthmus/runtime/demo.py": "the demo looks at its own connection",
    "isthmus/runtime/tasks.py": "a step that failed is a case",
    "isthmus/app/engine.py": "each of the job engine's migrations is a unit of work of its own",
    "isthmus/runtime/scheduler.py": "the sweep and what comes round look for what is due",
}
"""Who may open a transaction beside the flows, and why."""

TRANSACTIONS = (".transaction", ".rehearsal")
"""How a unit of work is opened."""

OUTSIDE = {"platform", "reader", "client", "shopify", "ometria", "http"}
"""Names by which the flows hold an external API."""

WAITS = {"wait", "sleep"}


def commits(module: Module) -> list[int]:
    """Lines that commit or roll back."""
    return [line for line, name in calls(module) if name.endswith((".commit", ".rollback"))]


def opens(module: Module) -> list[int]:
    """Lines that open a transaction of the house."""
    return [line for line, name in calls(module) if name.endswith(TRANSACTIONS)]


@functools.cache
def outward(tree: ast.Module) -> set[str]:
    """The functions of a module that speak with an external API or wait, themselves or through one another."""
    called = {node.name: _names(node.body) for node in nodes(tree) if isinstance(node, ast.FunctionDef)}
    found: set[str] = set()
    while True:
        more = {name for name, names in called.items() if name not in found and _goes_out(names, found)}
        if not more:
            return found
        found |= more


def held_open(module: Module, elsewhere: frozenset[str] = frozenset()) -> list[str]:
    """Calls that go out, or open a second transaction, while one is open: in its block, or where a `tx` is given.

    `elsewhere` are the outward functions of other flows, as they are called here: `trouble.shut`.
    """
    found = outward(module.tree) | elsewhere
    return sorted(
        f"{module.path}:{call.lineno} {name}"
        for body in _in_transaction(module.tree)
        for call in _calls(body)
        if (name := dotted(call.func)) is not None and (_is_out(name) or name in found or name.endswith(TRANSACTIONS))
    )


def _in_transaction(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in nodes(tree):
        if isinstance(node, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and (dotted(item.context_expr.func) or "").endswith(TRANSACTIONS)
            for item in node.items
        ):
            yield node.body
        if isinstance(node, ast.FunctionDef) and any(argument.arg == "tx" for argument in node.args.args):
            yield node.body


def _calls(body: list[ast.stmt]) -> Iterator[ast.Call]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield node


def _names(body: list[ast.stmt]) -> set[str]:
    return {name for call in _calls(body) if (name := dotted(call.func)) is not None}


def _goes_out(names: set[str], known: set[str]) -> bool:
    return any(_is_out(name) or name in known for name in names)


def _is_out(name: str) -> bool:
    parts = name.split(".")
    return bool(OUTSIDE & set(parts[:-1])) or parts[-1] in WAITS


def test_one_place_commits() -> None:
    assert [m.path for m in modules() if commits(m)] == [COMMITS]


def test_transactions_open_in_flows() -> None:
    there = {m.path for m in modules() if opens(m) and not m.path.startswith("isthmus/flows/")}
    assert there == {path for path in OPENS if path in {m.path for m in modules()}}


@pytest.mark.parametrize("room", ["flows", "ops", "runtime"])
def test_nothing_goes_out_while_a_transaction_is_open(room: str) -> None:
    rooms = [m for m in modules() if m.path.startswith(f"isthmus/{room}/")]
    elsewhere = frozenset(
        f"{m.path.rpartition('/')[2].removesuffix('.py')}.{name}" for m in rooms for name in outward(m.tree)
    )
    assert [bad for m in rooms for bad in held_open(m, elsewhere)] == []


def test_a_commit_elsewhere_is_seen() -> None:
    assert commits(sample("def f(tx):\n    tx.connection.commit()")) == [2]


@pytest.mark.parametrize(
    "inside",
    [
        "road.platform.push([])",
        "road.clock.wait(1)",
        "_look(road)",
        "compare.read(road)",
        "db.transaction()",
        "db.rehearsal()",
    ],
)
def test_a_call_that_goes_out_is_seen(inside: str) -> None:
    code = f"""
def _look(road):
    return road.shops["uk"].reader.orders([1])

def flow(db, road):
    with db.transaction() as tx:
        {inside}

def part(tx, road):
    {inside}
"""
    assert len(held_open(sample(code), frozenset({"compare.read"}))) == 2


def test_a_call_between_two_transactions_is_fine() -> None:
    code = """
def flow(db, road):
    with db.transaction() as tx:
        batch = outbox.claim(tx)
    answer = road.platform.push(batch)
    with db.transaction() as tx:
        outbox.settle(tx, answer)
"""
    assert held_open(sample(code)) == []
