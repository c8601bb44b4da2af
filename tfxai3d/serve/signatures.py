"""The functions of a SavedModel: the model's answer, and its explanation by a method."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.finite import assert_finite
from tfxai3d.explain.engine.head import probabilities
from tfxai3d.explain.engine.layout import Shape
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.region import RegionTensor, pooled
from tfxai3d.explain.engine.several_inputs import holding
from tfxai3d.explain.engine.target import resolved
from tfxai3d.explain.explainer import Explainer

Tensors = Mapping[str, tf.Tensor]
_TARGET, _REGION = "target", "region"


def answer(network: Network, shape: Shape) -> Any:
    """Returns `serving_default`: inputs to `logits` (B,C), `class` int32 (B,) and its `probability` (B,).

    `probabilities` (B,C) are those of all classes; of a segmentation all four are of each point or voxel. A
    model that returns a value, not of classes, has a `value` (B,1) alone. The argument is called as the kind
    of data, and the others of a model of several inputs by their own names; `shape` is that of one example,
    None where it may vary.
    """

    def call(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        with holding(_held(network, inputs)):
            scores = network(inputs[network.kind])
        if network.head == "regression":
            return {"value": scores}
        sure = probabilities(scores, network.head)
        return {
            "logits": scores,
            "class": tf.argmax(scores, axis=-1, output_type=tf.int32),
            "probability": tf.reduce_max(sure, axis=-1),
            "probabilities": sure,
        }

    return _traced(call, network, shape)


def places(answer: Any) -> Shape | None:
    """Returns the shape of the points or voxels that a segmentation scores; None of whole examples.

    Args:
        answer: Its `serving_default`.
    """
    outputs = answer.structured_outputs
    shape = outputs.get("logits", outputs.get("value")).shape
    return tuple(shape[1:-1]) if shape.rank > 2 else None


def explanation(explainer: Explainer, shape: Shape, region: Shape | None = None) -> Any:
    """Returns the signature of a method.

    Its arguments are those of the answer and `target`, the class to explain of each example, int32 (B,), -1
    for the predicted one: a signature has no optional arguments. Of a segmentation `region` bool (B,...) says
    which points or voxels it is about; where all are False, those where the class is predicted.

    It returns `attributions`, `importance`, `scores` (the logits, of a segmentation their mean over the
    region), `target` (the explained class) and, of path methods, `delta`. The network sees at most
    `explainer.batch_size` examples at once, however many come. Inputs, classes and results that would be
    refused by the explainer are errors here too (`InvalidArgumentError`).

    Args:
        explainer: The method, bound to its network.
        shape: Of one example, None where it may vary.
        region: What `places` says of the network.
    """
    network = explainer.network
    specs = {_TARGET: tf.TensorSpec((None,), tf.int32, _TARGET)}
    if region is not None:
        specs[_REGION] = tf.TensorSpec((None, *region), tf.bool, _REGION)

    def call(**arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, target = arguments[network.kind], arguments[_TARGET]
        checked = tf.debugging.assert_all_finite(inputs, f"{network.kind} hold NaN or infinite values")
        parts = _in_batches(explainer, {**arguments, network.kind: checked})
        scores = tf.debugging.assert_all_finite(parts["scores"], "the model's scores are not finite")
        attributions = assert_finite(explainer.method, parts["attributions"])
        of_each = network.layout.places(inputs)
        tf.debugging.assert_equal(
            tf.shape(parts["importance"]), tf.shape(of_each), "the layer has no row for each input"
        )
        results = {
            "attributions": tf.ensure_shape(attributions, inputs.shape),
            "importance": tf.ensure_shape(parts["importance"], of_each.shape),
            "scores": scores,
            "target": resolved(target, scores),
        }
        if "convergence_delta" in parts:
            results["delta"] = parts["convergence_delta"]
        return results

    return _traced(call, network, shape, **specs)


def _traced(call: Callable[..., Any], network: Network, shape: Shape, **more: tf.TensorSpec) -> Any:
    """Returns the ConcreteFunction of keyword arguments, inputs of any number first.

    Raises:
        UserError: If an input that is held is called as another argument.
    """
    inputs: dict[str, tf.TensorSpec] = {
        network.kind: tf.TensorSpec((None, *shape), network.dtype, network.kind)
    }
    for name, spec in network.several.specs.items() if network.several else ():
        if name in (network.kind, _TARGET, _REGION):
            raise UserError(
                f"{network.name} holds an input called {name!r}, as an argument here is: rename it"
            )
        inputs[name] = tf.TensorSpec(spec.shape, spec.dtype, name)
    return tf.function(call, autograph=False).get_concrete_function(**inputs, **more)


def _held(network: Network, arguments: Tensors) -> Tensors:
    """Returns those arguments that are inputs which are held."""
    return {name: arguments[name] for name in network.several.specs} if network.several else {}


def _explain_batch(explainer: Explainer, arguments: Tensors) -> dict[str, tf.Tensor]:
    """Returns the parts of one batch, whose examples share the inputs that are held."""
    network = explainer.network
    inputs, target, held = arguments[network.kind], arguments[_TARGET], _held(network, arguments)
    with holding({name: value[:1] for name, value in held.items()}):
        if _REGION in arguments:
            target = _region(network, inputs, target, arguments[_REGION])
        parts = explainer.explain_batch(inputs, target)
    parts = parts._replace(scores=pooled(parts.scores, target))
    return {name: part for name, part in parts._asdict().items() if part is not None}


def _region(network: Network, inputs: tf.Tensor, target: tf.Tensor, given: tf.Tensor) -> RegionTensor:
    """Returns regions: what is given of each example, where nothing is what is predicted as its class."""
    count = tf.shape(inputs)[0]
    given = tf.reshape(given, (count, -1))
    said = tf.reduce_any(given, axis=1, keepdims=True)

    def predicted() -> tf.Tensor:
        found = tf.argmax(network(inputs), axis=-1, output_type=tf.int32)
        return tf.where(said, given, tf.reshape(found, (count, -1)) == target[:, None])

    mask = tf.cond(tf.reduce_all(said), lambda: given, predicted)
    empty = "a region is empty: its mask is, and its class is predicted nowhere"
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(tf.reduce_any(mask, axis=1)), [empty])]):
        return RegionTensor(target, tf.cast(mask, tf.float32))


def _in_batches(explainer: Explainer, arguments: Tensors) -> dict[str, tf.Tensor]:
    """Returns the parts of any number of examples, of which the network sees `batch_size` at once."""
    network, target = explainer.network, arguments[_TARGET]
    total, size = tf.shape(target)[0], explainer.batch_size

    @tf.function(autograph=False)
    def explain(**some: tf.Tensor) -> dict[str, tf.Tensor]:
        return _explain_batch(explainer, some)

    specs = {name: tf.TensorSpec(x.shape, x.dtype) for name, x in arguments.items()}
    traced = explain.get_concrete_function(**specs)
    classes = traced.structured_outputs["scores"].shape[-1]
    if classes is not None:  # on GPUs a class out of range would be no error, but a score of 0
        with tf.control_dependencies([tf.debugging.assert_less(target, classes, "there is no such class")]):
            arguments = {**arguments, _TARGET: tf.identity(target)}
    held = _held(network, arguments)
    batches = {
        name: tf.TensorArray(
            part.dtype,
            -(-total // size),
            dynamic_size=bool(held),
            infer_shape=False,
            element_shape=part.shape,
        )
        for name, part in traced.structured_outputs.items()
    }

    def step(start: tf.Tensor, number: tf.Tensor, batches: dict[str, Any]) -> tuple[Any, ...]:
        stop = start + _alike(held, start, size)
        parts = traced(**{name: value[start:stop] for name, value in arguments.items()})
        return stop, number + 1, {name: batches[name].write(number, part) for name, part in parts.items()}

    loop = tf.while_loop(lambda start, *_: start < total, step, (0, 0, batches), parallel_iterations=1)
    return {name: batch.concat() for name, batch in loop[2].items()}


def _alike(held: Tensors, start: tf.Tensor, size: int) -> tf.Tensor | int:
    """Returns how many examples from the first on, at most `size`, hold the same inputs as it does."""
    if not held:
        return size
    same: list[tf.Tensor] = []
    for value in held.values():
        rows = value[start : start + size]
        flat = tf.reshape(rows, (tf.shape(rows)[0], -1))
        same.append(tf.reduce_all(flat == flat[:1], axis=1))
    return tf.reduce_sum(tf.math.cumprod(tf.cast(tf.reduce_all(same, axis=0), tf.int32)))
