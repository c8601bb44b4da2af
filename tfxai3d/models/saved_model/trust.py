"""What a SavedModel of a stranger may hold: checked before TensorFlow reads its graphs.

TensorFlow runs whatever a graph says, files and network included. So a graph may hold the operations of
`models.saved_model.operations` and no others, wherever they stand: in functions that call one another, in
branches that are never taken, in functions that nothing calls. What is on that list still takes time and
memory.
"""

import functools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.loops import check_loops
from tfxai3d.models.saved_model.operations import ALLOWED, SAVER, SIZED
from tfxai3d.storage.limits import MAX_BYTES, check_size

MAX_OPERATIONS = 5_000_000
"""Of a function after each call in it is replaced by what is called, as TensorFlow does: eight functions of
a hundred calls to the next one would be 10^16."""

_MAX_RANK = 254  # TensorFlow's
_MAX_GRAPH = 2 << 30  # bytes; protobuf's
_STREAMS = (b"", b"stdout", b"stderr", b"log(info)", b"log(warning)", b"log(error)")


def check_saved_model(path: Path) -> None:
    """Checks that a SavedModel can be loaded and called although nobody knows who made it.

    Its graphs hold known operations alone, and nothing in the folder leads out of it. Constants, variables
    and tensors whose shape is a constant are limited to `storage.limits.MAX_BYTES`.

    Raises:
        UserError: If it holds anything else; the message names the operation and the function it stands in.
        Exception: Nearly any, if it is damaged.
    """
    try:
        _check_links(path)
        for name in ("saved_model.pb", "saved_model.pbtxt"):
            if (path / name).exists():
                _check_content(_read(path / name), path)
    except UserError as error:  # which may name a function that is called as a stranger likes
        reason = "".join(letter if letter.isprintable() else "?" for letter in str(error))[:300]
        raise UserError(f"{path}: {reason}; if you trust whoever made it, give trust=True") from error
    _check_variables(path)


def _check_links(path: Path) -> None:
    root = path.resolve()
    for folder, folders, files in os.walk(path):
        for item in (Path(folder, name) for name in (*folders, *files)):
            if not item.resolve().is_relative_to(root):
                raise UserError(f"its {item.relative_to(path)} is a link that leaves the folder")
            if not (item.is_file() or item.is_dir()):
                raise UserError(f"its {item.relative_to(path)} is no file")


def _read(file: Path) -> Any:
    content = saved_model_pb2.SavedModel()
    if file.stat().st_size > _MAX_GRAPH:
        raise UserError(f"its {file.name} is of more than {_MAX_GRAPH:,} bytes")
    if file.suffix == ".pb":
        content.ParseFromString(file.read_bytes())
    else:
        text_format.Parse(file.read_text(encoding="utf-8"), content)
    return content


def _check_content(content: Any, path: Path) -> None:
    """Checks the graphs, with which functions TensorFlow loads, and the assets."""
    if len(content.meta_graphs) != 1 or not content.meta_graphs[0].HasField("object_graph_def"):
        raise UserError("it holds a graph of TensorFlow 1 or several graphs, of which any may be run")
    (meta,) = content.meta_graphs
    for asset in meta.asset_file_def:
        if not (path / "assets" / asset.filename).resolve().is_relative_to(path.resolve()):
            raise UserError(f"its asset {asset.filename!r} is not in the folder")
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    if len(functions) < len(meta.graph_def.library.function):
        raise UserError("it holds two functions of one name")
    saver = _saver_functions(meta, functions)
    # TensorFlow 2 makes the variables itself; their handles stand in the main graph, for TensorFlow 1.
    _check_nodes(meta.graph_def.node, "the main graph", functions, ALLOWED | {"VarHandleOp"})
    for name, function in functions.items():
        known = ALLOWED | SAVER if name in saver else ALLOWED
        _check_nodes(function.node_def, f"the function {name}", functions, known)
        _check_values(function.attr.values(), f"the function {name}", functions)
    _check_calls(functions)
    check_loops(functions, meta.graph_def)
    if sum(_bytes(tensor, "the signatures") for tensor in _tensors(meta.object_graph_def)) > MAX_BYTES:
        raise UserError(f"its signatures declare constants of more than {MAX_BYTES:,} bytes")


def _saver_functions(meta: Any, functions: Mapping[str, Any]) -> set[str]:
    """Returns the functions that save and restore for TensorFlow 1, if nothing else can call them.

    Only the nodes of the main graph that the saver names may mention them, and nothing may use these nodes:
    no node, no signature, no initialiser. An `api_implements` would let TensorFlow put one in the place of
    another function.
    """
    ends = {meta.saver_def.save_tensor_name.split(":")[0], meta.saver_def.restore_op_name}
    used = {name for node in meta.graph_def.node for name in node.input}
    used.update(name for collection in meta.collection_def.values() for name in collection.node_list.value)
    used.update(info.name for one in meta.signature_def.values() for info in one.outputs.values())
    if ends & {name.lstrip("^").split(":")[0] for name in used}:
        return set()
    library, graph = meta.graph_def.library, meta.graph_def.node
    objects = meta.object_graph_def.SerializeToString()
    elsewhere = {name for name in functions if name.encode() in objects}
    elsewhere.update(gradient.gradient_func for gradient in library.registered_gradients)
    elsewhere.update(name for pair in library.gradient for name in (pair.function_name, pair.gradient_func))
    for name, function in functions.items():
        elsewhere.update(_mentioned(function.node_def), _strings(function.attr.values()))
        if "api_implements" in function.attr:
            elsewhere.add(name)
    elsewhere.update(_mentioned(node for node in graph if node.name not in ends))
    return (_mentioned(node for node in graph if node.name in ends) & functions.keys()) - elsewhere


def _mentioned(nodes: Iterable[Any]) -> set[str]:
    """Returns whatever some nodes may name a function with."""
    return {name for node in nodes for name in (node.op, *_strings(node.attr.values()))}


def _strings(values: Iterable[Any]) -> Iterator[str]:
    for kind, value in _parts(values):
        if kind == "func":
            yield value
        elif kind == "s":
            yield value.decode("utf-8", "replace")


def _parts(values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yields functions by name, texts, shapes, tensors and open places in attributes, nested ones as well."""
    for value in values:
        kind = value.WhichOneof("value")
        if kind == "func":
            yield kind, value.func.name
            yield from _parts(value.func.attr.values())
        elif kind in ("s", "shape", "tensor", "placeholder"):
            yield kind, getattr(value, kind)
        elif kind == "list":
            for several in ("s", "shape", "tensor"):
                yield from ((several, one) for one in getattr(value.list, several))
            for func in value.list.func:
                yield "func", func.name
                yield from _parts(func.attr.values())


def _check_nodes(
    nodes: Iterable[Any], where: str, functions: Mapping[str, Any], known: frozenset[str]
) -> None:
    """Checks the operations of one graph, and what they declare."""
    constants, total = {node.name: node.attr["value"].tensor for node in nodes if node.op == "Const"}, 0
    for node in nodes:
        if node.op not in known:
            raise UserError(f"it holds the operation {node.op} in {where}, which is not known to be harmless")
        if node.op == "PrintV2" and node.attr["output_stream"].s not in _STREAMS:
            raise UserError(f"it holds the operation PrintV2 in {where}, which writes a file")
        total += _check_values(node.attr.values(), where, functions)
        places = (place for place in SIZED.get(node.op, ()) if place < len(node.input))
        shapes = [constants.get(node.input[place].split(":")[0]) for place in places]
        sizes = [tf.make_ndarray(s).flat for s in shapes if s is not None and _count(s) <= _MAX_RANK]
        _check_count((int(size) for one in sizes for size in one), f"operation {node.op} in {where}")
    if total > MAX_BYTES:
        raise UserError(f"its constants in {where} declare {total:,} bytes, more than {MAX_BYTES:,}")


def _check_values(values: Iterable[Any], where: str, functions: Mapping[str, Any]) -> int:
    """Checks attributes, and returns the bytes of the tensors in them."""
    total = 0
    for kind, value in _parts(values):
        if kind == "func" and value not in functions:
            raise UserError(f"it calls the function {value!r} in {where}, which it does not hold")
        if kind == "placeholder":  # its value would come from who calls, past every check
            raise UserError(f"it leaves the attribute {value!r} open in {where}")
        if kind == "shape":
            _check_count((dim.size for dim in value.dim), f"shape in {where}")
        if kind == "tensor":
            total += _bytes(value, where)
    return total


def _check_count(sizes: Iterable[int], what: str) -> None:
    """Checks how many numbers a tensor of some sizes has; unknown ones, -1, ask for nothing."""
    if (count := math.prod(size for size in sizes if size > 1)) > MAX_BYTES:
        raise UserError(f"its {what} makes {count:,} numbers")


def _tensors(message: Any) -> Iterator[Any]:
    """Yields the tensors in a message, however deep: TensorFlow makes arrays of those in signatures."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            value = [one for one in value.values() if hasattr(one, "ListFields")]
        elif hasattr(value, "ListFields"):
            value = [value]
        for one in value:
            yield from _tensors(one)


def _bytes(tensor: Any, where: str) -> int:
    """Returns how many bytes a tensor declares."""
    dtype = tf.as_dtype(tensor.dtype)
    if dtype in (tf.variant, tf.resource):
        raise UserError(f"it holds a constant of {dtype.name} in {where}, a handle of something else")
    return _count(tensor) * (24 if dtype == tf.string else dtype.size)  # a text takes 24 bytes


def _count(tensor: Any) -> int:
    """Returns how many numbers a tensor declares; more than any memory holds if its shape is nonsense."""
    shape = tensor.tensor_shape.dim
    return math.prod(abs(size.size) for size in shape) if len(shape) <= _MAX_RANK else 1 << 64


def _check_calls(functions: Mapping[str, Any]) -> None:
    """Checks that no function is endless or absurdly large once its calls are written out."""

    @functools.cache
    def size(name: str) -> int:
        total = 0
        for node in functions[name].node_def:
            called = [value for kind, value in _parts(node.attr.values()) if kind == "func"]
            total += 1 + sum(size(one) for one in called)
        return total

    try:
        for name in functions:
            if size(name) > MAX_OPERATIONS:
                raise UserError(f"its function {name} is of more than {MAX_OPERATIONS:,} operations")
    except RecursionError as error:
        raise UserError("its functions call themselves, or one another without end") from error


def _check_variables(path: Path) -> None:
    """Checks what the variables declare against the files that hold them."""
    folder = path / "variables"
    if not (folder / "variables.index").exists():
        return
    reader = tf.train.load_checkpoint(str(folder / "variables"))
    dtypes = reader.get_variable_to_dtype_map()
    held = sum(file.stat().st_size for file in folder.glob("variables.data-*"))
    for name, shape in reader.get_variable_to_shape_map().items():
        try:  # a text takes at least the byte of its length
            check_size(math.prod(shape) * (dtypes[name].size or 1), held)
        except UserError as error:
            raise UserError(f"{path}: its variable {name!r} {error}") from error
