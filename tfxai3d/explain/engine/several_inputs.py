"""Models of several inputs: one is explained, the others are held."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layout import Layout, Shape

_HELD: ContextVar[Mapping[str, tf.Tensor]] = ContextVar("held")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The inputs of a model that takes several.

    Attributes:
        explained: Name of the one that is explained.
        specs: Of each of the others, by name.
        pack: Maps all tensors, by name, to what the model takes.
    """

    explained: str
    specs: Mapping[str, tf.TensorSpec]
    pack: Callable[[Mapping[str, tf.Tensor]], Any]

    def arguments(self, x: tf.Tensor) -> Any:
        """Returns what the model takes: x, and the others as `holding` says, repeated for all rows of x."""
        count = tf.shape(x)[0]
        held = {
            name: tf.repeat(value, count // tf.shape(value)[0], axis=0) for name, value in held_now().items()
        }
        return self.pack({self.explained: x, **held})

    def checked(self, fixed: Mapping[str, Any] | None, examples: int) -> dict[str, np.ndarray]:
        """Returns what a user holds, one row an example.

        Raises:
            UserError: If an input is missing, is none of the model's, or its values do not fit.
        """
        given = dict(fixed or {})
        if given.keys() != self.specs.keys():
            wanted = ", ".join(f"{name} {tuple(spec.shape)}" for name, spec in self.specs.items())
            raise UserError(
                f"fixed must give the inputs that are held, {wanted}, beside {self.explained!r}, which is "
                f"explained; it gives {', '.join(map(str, given)) or 'none'}"
            )
        return {name: self._fitting(name, value, examples) for name, value in given.items()}

    def _fitting(self, name: str, value: Any, examples: int) -> np.ndarray:
        spec = self.specs[name]
        try:
            array = np.asarray(value, spec.dtype.as_numpy_dtype)
            one = array.ndim == spec.shape.rank - 1
            array = np.repeat(array[None], examples, axis=0) if one else array
            fits = len(array) == examples and spec.shape.is_compatible_with(array.shape)
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise UserError(
                f"fixed: {name} must be numbers {tuple(spec.shape)}, one row an example, here {examples}, "
                f"or one row without the first axis for all; it is {np.shape(value)}"
            )
        return array


def held_inputs(network: Any, fixed: Mapping[str, Any] | None, examples: int) -> dict[str, np.ndarray]:
    """Returns the inputs of a Network that are held, one row an example; none of a network of one input.

    Raises:
        UserError: If they are not those of the network.
    """
    if network.several is not None:
        return network.several.checked(fixed, examples)
    if fixed:
        raise UserError(f"fixed: {network.name} has one input, which is explained")
    return {}


def rows_alike(held: Mapping[str, np.ndarray], examples: int, batch_size: int) -> Iterator[np.ndarray]:
    """Yields the numbers of the examples of each batch, int (P,); all of a batch share what is held."""
    alike: dict[bytes, list[int]] = {}
    for example in range(examples):
        alike.setdefault(b"".join(array[example].tobytes() for array in held.values()), []).append(example)
    for same in alike.values():
        for start in range(0, len(same), batch_size):
            yield np.array(same[start : start + batch_size])


@contextlib.contextmanager
def holding(values: Mapping[str, tf.Tensor]) -> Iterator[None]:
    """Holds inputs, by name (1,...) or (B,...), in everything that is computed inside."""
    token = _HELD.set(values)
    try:
        yield
    finally:
        _HELD.reset(token)


def is_held() -> bool:
    """Whether inputs are held."""
    return _HELD.get(None) is not None


def held_now() -> Mapping[str, tf.Tensor]:
    """Returns the inputs that are held.

    Raises:
        UserError: If none are.
    """
    try:
        return _HELD.get()
    except LookupError:
        raise UserError("the model takes several inputs: give fixed, those that are held") from None


def several_inputs(model: keras.Model, layout: Layout, input_name: str | None, name: str) -> Inputs | None:
    """Returns the inputs of a Keras model of several, None if it has one.

    Args:
        model: The model.
        layout: The kind of the data that is explained.
        input_name: The input that is explained; by default the only one that can be of this kind.
        name: What errors call the model.

    Raises:
        UserError: If there is no such input, or several can be of this kind.
    """
    tensors = getattr(model, "inputs", None) or []
    if len(tensors) < 2:
        if input_name is not None and input_name not in [one.name for one in tensors]:
            raise UserError(f"input_name: {name} has one input, it is not called {input_name!r}")
        return None
    flat = _named(model)
    fitting = [one for one, tensor in flat.items() if layout.fits(tuple(tensor.shape[1:]))]
    explained = input_name if input_name is not None else _only(fitting, layout, flat, name)
    if explained not in flat:
        raise UserError(f"input_name: {name} has the inputs {', '.join(flat)}, none is called {explained!r}")
    specs = {
        one: tf.TensorSpec(tensor.shape, tensor.dtype) for one, tensor in flat.items() if one != explained
    }

    def pack(values: Mapping[str, tf.Tensor]) -> Any:
        named = {one: values[one] for one in flat}
        return named if isinstance(model._inputs_struct, dict) else list(named.values())

    return Inputs(explained, specs, pack)


def shape_of(model: keras.Model, inputs: Inputs | None) -> tuple[Shape | None, str]:
    """Returns the shape of an example of the input that is explained, and its dtype."""
    tensors = getattr(model, "inputs", None) or []
    if not tensors:
        return None, model.input_dtype
    chosen = tensors[0]
    if inputs is not None:
        chosen = _named(model)[inputs.explained]
    return tuple(chosen.shape[1:]), chosen.dtype


def _named(model: keras.Model) -> dict[str, Any]:
    """Returns the inputs of a Keras model by name, in its order."""
    structure = model._inputs_struct
    return dict(structure) if isinstance(structure, dict) else {one.name: one for one in model.inputs}


def _only(fitting: Sequence[str], layout: Layout, flat: Mapping[str, Any], name: str) -> str:
    if len(fitting) != 1:
        inputs = ", ".join(f"{one} {tuple(tensor.shape)}" for one, tensor in flat.items())
        count = "several" if fitting else "none"
        raise UserError(
            f"{name} takes {inputs}, of which {count} can be {layout.words()}: give input_name, the one "
            "to explain"
        )
    return fitting[0]
