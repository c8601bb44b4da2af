"""Loops of a SavedModel that have no end, as far as this can be told without running them.

Whether a loop ends cannot be told of all loops. It can of one whose condition asks for nothing that the loop
changes: it is not entered at all or never left, and nobody writes it but to do harm.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.operations import FAMILIES

_PURE = frozenset().union(
    *(
        names
        for family, names in FAMILIES.items()
        if family.startswith(("arithmetic", "reductions", "shapes"))
    )
)
_LOOPS = ("While", "StatelessWhile")
_PASSED_ON = ("Identity", "IdentityN", "StopGradient", "Snapshot", "NextIteration", "Switch")


def check_loops(functions: Mapping[str, Any], graph: Any) -> None:
    """Raises a UserError if a loop of a function or of the main graph has no end.

    Args:
        functions: All functions, by name; those that are called are among them.
        graph: The main graph.
    """
    places = [("the main graph", graph.node)]
    places += [(f"the function {name}", function.node_def) for name, function in functions.items()]
    for where, nodes in places:
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op in _LOOPS:
                endless = _is_endless(*(functions[node.attr[k].func.name] for k in ("cond", "body")))
            else:
                endless = node.op == "LoopCond" and _is_written_out_endless(node, by_name)
            if endless:
                raise UserError(f"its loop {node.name} in {where} has no end: its condition never changes")


def _is_endless(condition: Any, body: Any) -> bool:
    """Returns whether what a condition asks for stays as it is."""
    arguments = [argument.name for argument in body.signature.input_arg]
    nodes = {node.name: node for node in body.node_def}
    results = (body.ret[output.name] for output in body.signature.output_arg)
    kept = [_origin(result, nodes) == own for result, own in zip(results, arguments, strict=True)]
    same = {one.name for one, is_kept in zip(condition.signature.input_arg, kept, strict=True) if is_kept}
    answers = (condition.ret[output.name] for output in condition.signature.output_arg)
    return all(_is_constant(node, same) for answer in answers for node in _needed(answer, condition))


def _is_written_out_endless(condition: Any, nodes: Mapping[str, Any]) -> bool:
    """The same of a loop that is written out as single nodes, as in frozen graphs.

    What it changes meets the next round in a `Merge`, of its first value and a `NextIteration`; all that
    stands outside comes in by an `Enter` and stays as it is.
    """
    todo, seen = [condition.name], set()
    while todo:
        node = nodes.get(todo.pop())
        if node is None or node.op not in _PURE | {"LoopCond", "Enter", "Merge"}:
            return False
        inputs = [_name(tensor) for tensor in node.input if not tensor.startswith("^")]
        if node.op == "Merge" and any(
            one in nodes and nodes[one].op == "NextIteration" and _name(_origin(one, nodes)) != node.name
            for one in inputs
        ):
            return False
        if node.op not in ("Enter", "Merge") and node.name not in seen:
            seen.add(node.name)
            todo.extend(inputs)
    return True


def _name(tensor: str) -> str:
    """Returns the node that a tensor comes from."""
    return tensor.split(":")[0]


def _origin(tensor: str, nodes: Mapping[str, Any]) -> str:
    """Returns where a tensor of a function comes from, if it is only passed on."""
    for _ in nodes:
        node = nodes.get(_name(tensor))
        if node is None or node.op not in _PASSED_ON:
            break
        number = tensor.rpartition(":")[2] if node.op == "IdentityN" else "0"
        tensor = node.input[int(number) if number.isdecimal() else 0]
    return tensor


def _needed(tensor: str, function: Any) -> Iterator[Any]:
    """Yields the nodes that a tensor of a function is computed from, and the names of its arguments."""
    nodes, todo, seen = {node.name: node for node in function.node_def}, [tensor], set()
    while todo:
        name = _name(todo.pop().lstrip("^"))
        if name not in seen:
            seen.add(name)
            yield nodes.get(name, name)
            todo.extend(nodes[name].input if name in nodes else ())


def _is_constant(node: Any, same: set[str]) -> bool:
    """Returns whether a node of a condition, or an argument by its name, is the same in every round."""
    if isinstance(node, str):
        return node in same
    return node.op in _PURE
