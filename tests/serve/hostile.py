"""SavedModels made to do harm: one small SavedModel, with something put into its graphs."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, function_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfxai3d import serve
from tfxai3d.errors import UserError


class Small(tf.Module):
    """A model with a branch that is not taken, a loop and a gradient of its own."""

    def __init__(self):
        super().__init__()
        self.weights = tf.Variable([[1.0, 2.0], [3.0, -1.0], [0.0, 0.5]])

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), name="points")], autograph=False)
    def __call__(self, points):
        @tf.custom_gradient
        def doubled(x):
            return 2 * x, lambda upstream: 2 * upstream

        rows = tf.reduce_sum(doubled(points) @ self.weights, axis=1)
        rows = tf.cond(tf.shape(points)[0] > 1000, lambda: tf.exp(rows), lambda: rows)
        return tf.while_loop(lambda i, x: i < 2, lambda i, x: (i + 1, x + 1.0), (0, rows))[1]


def save_small(folder):
    """Writes the SavedModel that all the others are made of."""
    model = Small()

    @tf.function(input_signature=model.__call__.input_signature, autograph=False)
    def serve(points):
        return {"logits": model(points)}

    tf.saved_model.save(model, str(folder), signatures={"serving_default": serve})


class Edited:
    """A copy of the small SavedModel to be edited; `write` puts the graphs back."""

    def __init__(self, small, folder):
        shutil.copytree(small, folder)
        self.folder, self.content = Path(folder), saved_model_pb2.SavedModel()
        self.content.ParseFromString((self.folder / "saved_model.pb").read_bytes())
        self.meta = self.content.meta_graphs[0]
        self.library = self.meta.graph_def.library

    def write(self):
        """Writes the graphs and returns the folder."""
        (self.folder / "saved_model.pb").write_bytes(self.content.SerializeToString())
        return self.folder

    def place(self, name):
        """Returns a graph, by the place that it has in the model."""
        if name == "main graph":
            return self.meta.graph_def
        if name == "function that nothing calls":
            self.library.function.add().CopyFrom(function_pb2.FunctionDef())
            self.library.function[-1].signature.name = "idle"
            return self.library.function[-1]
        if name == "gradient":
            wanted = self.library.registered_gradients[0].gradient_func
        elif name in ("then_branch", "else_branch", "cond", "body"):
            wanted = next(
                node.attr[name].func.name
                for function in self.library.function
                for node in function.node_def
                if name in node.attr and node.attr[name].func.name
            )
        elif name in ("save", "restore"):
            wanted = next(f for f in self.names() if f"traced_{name}" in f)
        else:
            wanted = next(f for f in self.names() if name in f)
        return next(function for function in self.library.function if function.signature.name == wanted)

    def names(self):
        """Returns the names of all functions."""
        return [function.signature.name for function in self.library.function]


def attribute(value):
    """Returns a Python value as an attribute of a node."""
    if isinstance(value, tf.DType):
        return attr_value_pb2.AttrValue(type=value.as_datatype_enum)
    if isinstance(value, bool):
        return attr_value_pb2.AttrValue(b=value)
    if isinstance(value, int):
        return attr_value_pb2.AttrValue(i=value)
    if isinstance(value, bytes):
        return attr_value_pb2.AttrValue(s=value)
    if isinstance(value, tf.TensorShape):
        return attr_value_pb2.AttrValue(shape=value.as_proto())
    if isinstance(value, str):
        return attr_value_pb2.AttrValue(func=attr_value_pb2.NameAttrList(name=value))
    if isinstance(value, list):
        found = attr_value_pb2.AttrValue()
        for item in value:
            one = attribute(item)
            kind = one.WhichOneof("value")
            if kind == "func":
                found.list.func.append(one.func)
            else:
                getattr(found.list, kind).append(getattr(one, kind))
        found.list.SetInParent()
        return found
    return attr_value_pb2.AttrValue(tensor=value)


def node(op, *inputs, name="evil", **attributes):
    """Returns a node."""
    attr = {key: attribute(value) for key, value in attributes.items()}
    return node_def_pb2.NodeDef(name=name, op=op, input=inputs, attr=attr)


def constant(value, dtype=None, name="constant"):
    """Returns a node that holds a constant."""
    tensor = tf.make_tensor_proto(value, dtype)
    return node("Const", name=name, dtype=tf.as_dtype(tensor.dtype), value=tensor)


def absurd(dtype, *shape, name="constant"):
    """Returns a constant of one stored number that stands for as many as the shape says."""
    tensor = tf.make_tensor_proto(b"1" if dtype == tf.string else 1, dtype)
    tensor.tensor_shape.CopyFrom(tf.TensorShape(shape).as_proto())
    return node("Const", name=name, dtype=dtype, value=tensor)


def put(graph, *nodes):
    """Puts nodes into a graph; in a function the last one is run whenever the function is called."""
    if hasattr(graph, "node_def"):
        graph.node_def.extend(nodes)
        graph.control_ret[nodes[-1].name] = nodes[-1].name
        graph.signature.control_output.append(nodes[-1].name)
        graph.signature.is_stateful = True
    else:
        graph.node.extend(nodes)


def write_file(target):
    """Returns the nodes that write a file."""
    names = [constant(str(target).encode(), name="evil_name"), constant(b"was here", name="evil_text")]
    return [*names, node("WriteFile", "evil_name:output:0", "evil_text:output:0")]


def save_file(target):
    """Returns the nodes that write a checkpoint."""
    names = [
        constant(str(target).encode(), name="evil_name"),
        constant([b"x"], name="evil_tensors"),
        constant([b""], name="evil_slices"),
        constant(1.0, name="evil_value"),
    ]
    inputs = [f"{one.name}:output:0" for one in names]
    return [*names, node("SaveV2", *inputs, dtypes=[tf.float32])]


def refused(folder, *parts):
    """Loads a SavedModel, which must end in one line with these parts."""
    with pytest.raises(UserError) as caught:
        serve.load(folder, "points")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{folder}: ")
    for part in parts:
        assert part in message
    return message
