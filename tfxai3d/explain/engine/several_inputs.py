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
        specs: Of each of the others that is given anew in every call, by name.
        pack: Maps all tensors, by name, to what the model takes.
        held: Those of the others that are held once and for all, (1,...) each.
    """

    explained: str
    specs: Mapping[str, tf.TensorSpec]
    pack: Callable[[Mapping[str, tf.Tensor]], Any]
    held: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def arguments(self, x: tf.Tensor) -> Any:
        """Returns what the model takes: x, and the others as `holding` says, repeated for all rows of x."""
        count = tf.shape(x)[0]
        values = {**self.held, **(held_now() if self.specs else {})}
        held = {name: tf.repeat(value, count // tf.shape(value)[0], axis=0) for name, value in values.items()}
        return self.pack({self.explained: x, **held})

    def some(self) -> dict[str, tf.Tensor]:
        """Returns random values of the inputs that are held, for whoever asks without values."""
        rng = np.random.default_rng(0)
        shapes = {name: [size or 1 for size in spec.shape] for name, spec in self.specs.items()}
        return {
            name: tf.cast(rng.uniform(0, 1, shape), self.specs[name].dtype) for name, shape in shapes.items()
        }

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

    def holding(self, fixed: Mapping[str, Any]) -> "Inputs":
        """Returns the same with inputs that are held once and for all, each without the first axis.

        Raises:
            UserError: As `checked`.
        """
        held = self.checked(fixed, 1)
        return dataclasses.replace(self, specs={}, held=held)

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
    if network.several is not None and network.several.specs:
        return network.several.checked(fixed, examples)
    if fixed:
        raise UserError(f"fixed: {network.name} has one input, which is explained, or all others are held")
    return {}


def check_one_input(network: Any) -> None:
    """Raises a UserError if a Network takes inputs that are to be held, and none are."""
    if network.several is not None and network.several.specs:
        held_now()


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


def several_inputs(
    named: Mapping[str, Any],
    layout: Layout,
    input_name: str | None,
    name: str,
    pack: Callable[[Mapping[str, tf.Tensor]], Any],
    fixed: Mapping[str, Any] | None = None,
) -> Inputs | None:
    """Returns the inputs of a model of several, None if it has one.

    Args:
        named: What it takes, symbols or specs by name.
        layout: The kind of the data that is explained.
        input_name: The input that is explained; by default the only one that can be of this kind.
        name: What errors call the model.
        pack: See `Inputs`.
        fixed: The inputs that are held once and for all, if they are; see `Inputs.holding`.

    Raises:
        UserError: If there is no such input, or several can be of this kind.
    """
    if len(named) < 2:
        if input_name is not None and input_name not in named:
            raise UserError(f"input_name: {name} has one input, it is not called {input_name!r}")
        if fixed:
            raise UserError(f"fixed: {name} has one input, which is explained")
        return None
    fitting = [one for one, tensor in named.items() if layout.fits(_example(tensor))]
    explained = input_name if input_name is not None else _only(fitting, layout, named, name)
    if explained not in named:
        raise UserError(f"input_name: {name} has the inputs {', '.join(named)}, none is called {explained!r}")
    others = {one: tensor for one, tensor in named.items() if one != explained}
    found = Inputs(explained, {one: tf.TensorSpec(x.shape, x.dtype) for one, x in others.items()}, pack)
    return found.holding(fixed) if fixed else found


def inputs_of(model: keras.Model) -> dict[str, Any]:
    """Returns the inputs of a Keras model by name, in its order; none of one that does not say."""
    if not getattr(model, "inputs", None):
        return {}
    structure = getattr(model, "_inputs_struct", None)  # a Sequential has none
    return dict(structure) if isinstance(structure, dict) else {one.name: one for one in model.inputs}


def packed(model: keras.Model, values: Mapping[str, tf.Tensor]) -> Any:
    """Returns what a Keras model of several inputs takes."""
    named = {one: values[one] for one in inputs_of(model)}
    return named if isinstance(model._inputs_struct, dict) else list(named.values())


def _example(tensor: Any) -> Shape:
    """Returns the shape of an example of an input; that of one whose rank is not known fits nothing."""
    return () if getattr(tensor.shape, "rank", 0) is None else tuple(tensor.shape[1:])


def _only(fitting: Sequence[str], layout: Layout, named: Mapping[str, Any], name: str) -> str:
    if len(fitting) != 1:
        inputs = ", ".join(f"{one} {tuple(tensor.shape)}" for one, tensor in named.items())
        count = "several" if fitting else "none"
        raise UserError(
            f"{name} takes {inputs}, of which {count} can be {layout.words()}: give input_name, the one "
            "to explain"
        )
    return fitting[0]
