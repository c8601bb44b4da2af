"""One split of a data set: labels and origins at hand, inputs read or made when they are asked for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tfxai3d.errors import UserError

Index = slice | Sequence[int] | np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """Inputs in memory.

    Attributes:
        inputs: All of them.
        rotate: Yields them rotated to as many positions as its second argument says.
    """

    inputs: np.ndarray
    rotate: Callable[[np.ndarray, int], Iterator[np.ndarray]]

    def views(self, count: int) -> Iterator[np.ndarray]:
        """Returns the inputs, rotated; see `Split.views`."""
        return self.rotate(self.inputs, count)

    def __getitem__(self, numbers: np.ndarray) -> Stored:
        return Stored(self.inputs[numbers], self.rotate)


class Made:
    """Inputs that are made one by one when they are first asked for.

    Args:
        numbers: Which examples, int (M,).
        make: Makes the views of one example, given its number and how many views.
    """

    def __init__(self, numbers: np.ndarray, make: Callable[[int, int], Iterable[np.ndarray]]):
        self.numbers, self.make = numbers, make

    @functools.cached_property
    def inputs(self) -> np.ndarray:
        """All of them, as they are."""
        return self._made(1)[0]

    def views(self, count: int) -> Iterable[np.ndarray]:
        """Returns the inputs, rotated; see `Split.views`."""
        return [self.inputs] if count == 1 else self._made(count)

    def __getitem__(self, numbers: np.ndarray) -> Made:
        some = Made(self.numbers[numbers], self.make)
        if "inputs" in self.__dict__:  # what is made is not made again
            some.__dict__["inputs"] = self.inputs[numbers]
        return some

    def _made(self, count: int) -> np.ndarray:
        progress = tqdm(self.numbers.tolist(), unit="example", disable=None, delay=2)
        made = [np.stack(list(self.make(number, count))) for number in progress]
        if shapes := sorted({one.shape[1:] for one in made})[1:]:
            first = made[0].shape[1:]
            other = next(shape for shape in [*shapes, first] if shape != first)
            raise UserError(f"objects have different shapes, {first} and {other}; resample them to one")
        return np.stack(made, axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Mapped:
    """Inputs of which a function makes others."""

    examples: Stored | Made | Mapped
    function: Callable[[np.ndarray], np.ndarray]

    @functools.cached_property
    def inputs(self) -> np.ndarray:
        """All of them."""
        return self.function(self.examples.inputs)

    def views(self, count: int) -> Iterator[np.ndarray]:
        """Returns the inputs, rotated; see `Split.views`."""
        return map(self.function, self.examples.views(count))

    def __getitem__(self, numbers: np.ndarray) -> Mapped:
        return Mapped(self.examples[numbers], self.function)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Labelled examples. Some of them, `split[10:20]` or `split[split.labels == 3]`, are a split as well.

    Attributes:
        labels: Classes, int64 (M,), as positions in `class_names`; or the parts of the points, (M,N).
        class_names: The classes that the labels count.
        where: A record for each example that says where it is from: its `index` in the whole split, and its
            `file`, or `dataset` and `split`.
        examples: Where the inputs come from: from memory, or made one by one.
        features: Names of the columns of clouds after x y z.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    where: list[dict[str, Any]]
    examples: Stored | Made | Mapped = dataclasses.field(repr=False)
    features: tuple[str, ...] = ()

    @property
    def inputs(self) -> np.ndarray:
        """Points, float32 (M,N,3+F), y up, or voxels (M,D,H,W,C), z up; read at the first use.

        Occupancy is uint8, as far as nothing else was asked for.

        Raises:
            UserError: If the objects have different shapes.
        """
        return self.examples.inputs

    def views(self, count: int) -> Iterable[np.ndarray]:
        """Returns the inputs rotated about the up axis by multiples of 360 / `count` degrees, 0 first.

        Meshes are rotated before they are voxelised; stored voxels only by quarter turns.

        Raises:
            UserError: If the inputs are stored voxels and `count` is not 1, 2 or 4.
        """
        return self.examples.views(count)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Split:
        """Returns the split with what a function makes of the inputs (M,...) in their place."""
        return dataclasses.replace(self, examples=Mapped(self.examples, function))

    def spread(self, count: int) -> Split:
        """Returns at most `count` examples, spread evenly over all of them."""
        return self[np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Index) -> Split:
        numbers = np.arange(len(self))[index]
        where = [self.where[number] for number in numbers]
        return Split(self.labels[numbers], self.class_names, where, self.examples[numbers], self.features)


def relabel(labels: np.ndarray, names: Sequence[str], class_names: Sequence[str] | None) -> np.ndarray:
    """Counts the classes as another list of them does.

    Args:
        labels: Classes (M,), as positions in `names`.
        names: Names of the classes.
        class_names: The names in the order to count them in, with others besides or not; None knows none.

    Returns:
        Classes, int (M,), as positions in `class_names`.

    Raises:
        UserError: If it lacks one of the names.
    """
    class_names = list(class_names or ())
    if unknown := sorted(set(names) - set(class_names)):
        raise UserError(
            f"the model was not trained on {', '.join(unknown)}; give other data or another model"
        )
    return np.array([class_names.index(name) for name in names])[labels]
