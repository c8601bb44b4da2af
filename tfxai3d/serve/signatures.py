"""The functions of a SavedModel: the model's answer, and its explanation by a method."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfxai3d.explain.engine.finite import assert_finite
from tfxai3d.explain.engine.head import probabilities
from tfxai3d.explain.engine.layout import Shape
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.explainer import Explainer

Function = Callable[..., dict[str, tf.Tensor]]


def answer(network: Network, shape: Shape) -> Any:
    """Returns `serving_default`: inputs to `logits` (B,C), `class` int32 (B,) and its `probability` (B,).

    `probabilities` (B,C) are those of all classes. A model that returns a value, not of classes, has a
    `value` (B,1) alone. The one argument is called as the kind of data; `shape` is that of one example, None
    where it may vary.
    """

    def call(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
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


def explanation(explainer: Explainer, shape: Shape) -> Any:
    """Returns the signature of a method.

    Its arguments are `points` or `voxels` and `target`, the class to explain of each example, int32 (B,), -1
    for the predicted one: a signature has no optional arguments. It returns `attributions`, `importance`,
    `scores` (the logits), `target` (the explained class) and, of path methods, `delta`. The network sees at
    most `explainer.batch_size` examples at once, however many come. Inputs, classes and results that would
    be refused by the explainer are errors here too (`InvalidArgumentError`).
    """
    network = explainer.network

    def call(**arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs, target = arguments[network.kind], arguments["target"]
        inputs = tf.debugging.assert_all_finite(inputs, f"{network.kind} hold NaN or infinite values")
        parts = _in_batches(explainer, inputs, target)
        scores = tf.debugging.assert_all_finite(parts["scores"], "the model's scores are not finite")
        attributions = assert_finite(explainer.method, parts["attributions"])
        predicted = tf.argmax(scores, axis=-1, output_type=tf.int32)
        places = network.layout.places(inputs)
        tf.debugging.assert_equal(
            tf.shape(parts["importance"]), tf.shape(places), "the layer has no row for each input"
        )
        results = {
            "attributions": tf.ensure_shape(attributions, inputs.shape),
            "importance": tf.ensure_shape(parts["importance"], places.shape),
            "scores": scores,
            "target": tf.where(target < 0, predicted, target),
        }
        if "convergence_delta" in parts:
            results["delta"] = parts["convergence_delta"]
        return results

    return _traced(call, network, shape, target=tf.TensorSpec((None,), tf.int32, "target"))


def _traced(call: Function, network: Network, shape: Shape, **more: tf.TensorSpec) -> Any:
    """Returns the ConcreteFunction of keyword arguments, inputs of any number first."""
    inputs = {network.kind: tf.TensorSpec((None, *shape), network.dtype, network.kind)}
    return tf.function(call, autograph=False).get_concrete_function(**inputs, **more)


def _in_batches(explainer: Explainer, inputs: tf.Tensor, target: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns the parts of any number of examples, of which the network sees `batch_size` at once."""
    total, size = tf.shape(inputs)[0], explainer.batch_size

    @tf.function(autograph=False)
    def explain(some: tf.Tensor, targets: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = explainer.explain_batch(some, targets)._asdict()
        return {name: part for name, part in parts.items() if part is not None}

    traced = explain.get_concrete_function(*(tf.TensorSpec(x.shape, x.dtype) for x in (inputs, target)))
    classes = traced.structured_outputs["scores"].shape[-1]
    if classes is not None:  # on GPUs a class out of range would be no error, but a score of 0
        with tf.control_dependencies([tf.debugging.assert_less(target, classes, "there is no such class")]):
            target = tf.identity(target)
    batches = {
        name: tf.TensorArray(part.dtype, -(-total // size), infer_shape=False)
        for name, part in traced.structured_outputs.items()
    }

    def step(start: tf.Tensor, batches: dict[str, Any]) -> tuple[tf.Tensor, dict[str, Any]]:
        parts = traced(inputs[start : start + size], target[start : start + size])
        return start + size, {name: batches[name].write(start // size, part) for name, part in parts.items()}

    loop = tf.while_loop(lambda start, _: start < total, step, (0, batches), parallel_iterations=1)
    return {name: batch.concat() for name, batch in loop[1].items()}
