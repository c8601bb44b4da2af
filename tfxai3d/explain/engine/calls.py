"""What is called of a model: a Keras model in inference mode, a signature, a function."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.answers import keras_head
from tfxai3d.explain.engine.head import Reading
from tfxai3d.explain.engine.layout import DataFormat, Layout, Shape, built_shape
from tfxai3d.explain.engine.several_inputs import Inputs, inputs_of, is_held, packed, several_inputs
from tfxai3d.explain.engine.shadow import needs_shadow, shadow
from tfxai3d.results.heads import Head


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


class Called(NamedTuple):
    """A model as it is called; see the attributes of `Network`."""

    reading: Reading
    function: Callable[[tf.Tensor], tf.Tensor]
    data_format: DataFormat
    dtype: str = "float32"
    shape: Shape | None = None
    columns: int | None = None
    several: Inputs | None = None
    segments: bool = False


def of_keras(
    model: keras.Model,
    layout: Layout,
    name: str,
    input_name: str | None = None,
    output_name: str | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> Called:
    """Returns how a Keras model is called.

    Args:
        model: The model.
        layout: The kind of its data, and where the channels are.
        name: What errors call it.
        input_name: The input that is explained, see `several_inputs`.
        output_name: The output that is explained, see `output_of`.
        fixed: The inputs that are held once and for all, see `Inputs.holding`.

    Raises:
        UserError: If it is not built, or has no such input or output.
    """
    named = inputs_of(model)
    several = several_inputs(named, layout, input_name, name, partial(packed, model), fixed)
    output = output_of(model, output_name, name)
    reading = reading_of(model, several, output)
    shape, dtype = built_shape(model, layout.kind), model.input_dtype
    if named:
        taken = named[several.explained] if several else next(iter(named.values()))
        shape, dtype = tuple(taken.shape[1:]), taken.dtype
        if not layout.fits(shape):
            raise UserError(
                f"data_kind {layout.kind!r} means {layout.words()}, {name} takes {(None, *shape)}"
            )
    return Called(
        reading,
        in_graph(reading) if reading.head is None else scores_by(reading),
        layout.data_format,
        "float64" if dtype == "float64" else "float32",
        shape,
        output.tensor.shape[-1] if output.tensor is not None and output.tensor.shape[1:] else None,
        several,
        output.tensor is not None and len(output.tensor.shape) > 2,
    )


def signature_of(model: Any) -> Any:
    """Returns the signature by which a loaded SavedModel is called, or a signature; None for others."""
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return model if model.structured_input_signature[1] else None
    return None if callable(model) else getattr(model, "signatures", {}).get("serving_default")


def of_signature(
    signature: Any,
    layout: Layout,
    name: str,
    input_name: str | None = None,
    output_name: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    head: Head | None = None,
) -> Called:
    """Returns how a signature of a SavedModel is called, which says what it takes.

    Args:
        signature: A concrete function whose arguments have names.
        layout: As for `of_keras`, as the others.
        name: What errors call it.
        input_name: The input that is explained.
        output_name: The output that is explained.
        fixed: The inputs that are held.
        head: What it returns, if `serve.export` has written it: then it is scores already.

    Raises:
        UserError: If it has no such input, or one of another form.
    """
    specs = dict(sorted(signature.structured_input_signature[1].items()))  # in no order of their own
    several = several_inputs(specs, layout, input_name, name, dict, fixed)
    explained = several.explained if several else next(iter(specs))
    taken = specs[explained]
    shape = None if taken.shape.rank is None else tuple(taken.shape[1:])
    if (shape is not None and not layout.fits(shape)) or not taken.dtype.is_floating:
        raise UserError(f"{name} takes {taken}; {layout.words()} of floating point are explained")

    def answer(inputs: tf.Tensor) -> Any:
        named = several.arguments(inputs) if several else {explained: inputs}
        return signature(**{key: tf.cast(value, specs[key].dtype) for key, value in named.items()})

    reading = Reading(name, answer, head, None if head is None else False, output_name)
    outputs = signature.structured_outputs
    outputs = outputs if isinstance(outputs, dict) else {}
    only = next(iter(outputs.values())) if len(outputs) == 1 else None
    scores = outputs.get(output_name or "logits", only)
    return Called(
        reading,
        in_graph(reading),
        layout.data_format,
        "float64" if taken.dtype == tf.float64 else "float32",
        shape,
        None if scores is None or scores.shape.rank != 2 else scores.shape[-1],
        several,
        scores is not None and (scores.shape.rank or 0) > 2,
    )


def of_function(
    model: Any, layout: Layout, name: str, output_name: str | None = None, head: Head | None = None
) -> Called:
    """Returns how a function, or an object with one, is called; see `of_signature`.

    Raises:
        UserError: If it is not callable, and has no `serve` of a Keras export either.
    """
    function = model if callable(model) else getattr(model, "serve", None)
    if function is None:
        raise UserError(f"{name} is neither a Keras model nor callable, and has no serving_default signature")
    reading = Reading(name, function, head, None if head is None else False, output_name)
    return Called(reading, in_graph(reading), layout.data_format)
