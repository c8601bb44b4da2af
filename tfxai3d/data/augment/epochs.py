"""What epochs of clouds and of grids share: augmentations in a row, and shuffled batches, all by seed."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from tfxai3d.data.augment.draws import on_tensorflow
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

Transform = Callable[[Any, Any], Any]
"""Maps a batch and a seed, int (2,), to a new batch; equal seeds give equal results, whatever ran before."""

Batches: TypeAlias = "tf.data.Dataset | keras.utils.PyDataset"
"""Inputs and one-hot labels of an epoch, for `fit`: of tf.data where Keras computes with TensorFlow."""


def compose(known: Mapping[str, Transform], names: Sequence[str]) -> Transform:
    """Returns the transform that applies the named ones in order, each with a seed of its own."""
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"unknown augmentation {unknown[0]!r}; known are {', '.join(known)}")

    def apply(batch: Any, seed: Any) -> Any:
        for i, name in enumerate(names):
            batch = known[name](batch, seed + np.array([i + 1, 0]))
        return batch

    return apply


def shuffled_batches(
    make: Callable[[Any, Any], tuple[Any, Any]],
    count: int,
    *,
    num_classes: int,
    batch_size: int,
    seed: tuple[int, int],
) -> Batches:
    """Returns the batches of one epoch in random order, inputs and one-hot labels; see `training_batches`.

    `make` makes the inputs of a batch and their classes, given the numbers of its examples, of which there
    are `count`, and its seed, int64 (2,).
    """
    steps = count // batch_size
    order = np.random.default_rng(seed).permutation(count)[: steps * batch_size].reshape(steps, batch_size)
    seeds = np.stack([np.full(steps, seed[0] * 7919 + seed[1] * 104729), np.arange(steps)], axis=-1)
    seeds = seeds.astype(np.int64)

    def load(index: Any, batch_seed: Any) -> tuple[Any, Any]:
        inputs, classes = make(index, batch_seed)
        return inputs, keras.ops.one_hot(classes, num_classes, dtype="float32")

    if not on_tensorflow():
        return _InOrder(load, order, seeds)
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((order, seeds)).map(load, num_parallel_calls=1).prefetch(2)


class _InOrder(keras.utils.PyDataset):
    """Batches made one after the other, each from the numbers of its examples and its seed."""

    def __init__(self, load: Callable[[Any, Any], tuple[Any, Any]], order: np.ndarray, seeds: np.ndarray):
        super().__init__()
        self._load, self._order, self._seeds = load, order, seeds

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, step: int) -> tuple[Any, Any]:
        return self._load(self._order[step], self._seeds[step])
