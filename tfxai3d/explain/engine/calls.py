"""What is called of a model: a Keras model in inference mode, a signature, a function."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.head import Reading, keras_head
from tfxai3d.explain.engine.several_inputs import Inputs, is_held
from tfxai3d.explain.engine.shadow import needs_shadow, shadow


class Output(NamedTuple):
    """The output of a model that is explained.

    Attributes:
        key: What picks it from what the model returns; None where there is but one.
        tensor: Its symbol, if the model says.
    """

    key: str | int | None = None
    tensor: Any = None


ONLY = Output()


def inference(model: keras.Model, several: Inputs | None = None) -> Callable[[tf.Tensor], Any]:
    """Returns the model's call in inference mode, which leaves no new statistic or loss on the model.

    What computes in half precision computes in float32 here, see `shadow`.
    """
    called = shadow(model, lambda original, copy: None) if needs_shadow(model) else model

    def call(inputs: tf.Tensor) -> Any:
        with keras.StatelessScope():
            return called(several.arguments(inputs) if several else inputs, training=False)

    return call


def output_of(model: keras.Model, output_name: str | None, name: str) -> Output:
    """Returns the output of a Keras model that is explained.

    Args:
        model: The model.
        output_name: Its name; by default the only one, or "logits".
        name: What errors call the model.

    Raises:
        UserError: If there is no such output, or several and no name.
    """
    tensors = getattr(model, "outputs", None) or []
    if len(tensors) < 2:
        one = tensors[0] if tensors else None
        return Output(output_name if one is None else None, one)
    structure = model._outputs_struct
    keys: dict[str, str | int] = (
        {key: key for key in structure}
        if isinstance(structure, dict)
        else {key: place for place, key in enumerate(model.output_names)}
    )
    wanted = output_name or "logits"
    if wanted not in keys:
        raise UserError(f"{name} has the outputs {', '.join(keys)}: give output_name, the one to explain")
    return Output(keys[wanted], structure[keys[wanted]])


def reading_of(model: keras.Model, several: Inputs | None = None, output: Output = ONLY) -> Reading:
    """Returns how a Keras model's answer is read.

    Raises:
        UserError: If it is not built.
    """
    name = f"model {model.name!r}"
    if not model.built:
        raise UserError(f"{name} has no weights yet: call it once, or load them")
    head, activated = keras_head(model, output.tensor)
    return Reading(name, inference(model, several), head, activated, output.key)


def callable_of(model: Any, name: str) -> Callable[[tf.Tensor], Any]:
    """Returns what to call: the object, the `serve` of a Keras export, or the default signature."""
    if isinstance(model, tf.types.experimental.ConcreteFunction) and _keywords(model):
        (keyword,) = _keywords(model)
        dtype = model.structured_input_signature[1][keyword].dtype
        return lambda inputs: model(**{keyword: tf.cast(inputs, dtype)})
    if callable(model):
        return model
    if hasattr(model, "serve"):
        return model.serve
    if "serving_default" in getattr(model, "signatures", {}):
        return callable_of(model.signatures["serving_default"], name)
    raise UserError(f"{name} is neither a Keras model nor callable, and has no serving_default signature")


def _keywords(function: Any) -> list[str]:
    """Returns the argument of a SavedModel's signature, which takes no positional ones."""
    names = sorted(function.structured_input_signature[1])
    if len(names) > 1:
        raise UserError(f"the signature takes {len(names)} inputs, {', '.join(names)}; one can be explained")
    return names


def scores_by(reading: Reading) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function from inputs to scores."""
    return lambda inputs: reading.scores(reading.answer(inputs))


def in_graph(reading: Reading) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns the function from inputs to scores as one that is a graph even where it is called eagerly.

    What goes into a softmax that is not of Keras can be found in a graph alone.
    """
    scores = scores_by(reading)
    compiled = tf.function(scores, autograph=False, reduce_retracing=True)
    alone = partial(tf.function, scores, autograph=False)

    def call(inputs: tf.Tensor) -> tf.Tensor:
        if not tf.executing_eagerly():
            return scores(inputs)
        reading.settle(np.asarray(inputs))
        return alone()(inputs) if is_held() else compiled(inputs)  # what is held is a constant of the graph

    return call
