"""A wide network that starts as a trained narrow one (Chen, Goodfellow and Shlens, "Net2Net", ICLR 2016)."""

from collections.abc import Sequence

import keras
import numpy as np

from tfxai3d.errors import UserError


def widened(narrow: keras.Model, shapes: Sequence[tuple[int, ...]], seed: int = 0) -> list[np.ndarray]:
    """Returns weights with which a network of more channels computes what the narrow one does.

    Every channel becomes as many equal ones, side by side, and each weight that reads it is shared out among
    them at random; so the copies get gradients of their own and part in training.

    Args:
        narrow: A trained model whose kernels end in the axes of their input and output channels.
        shapes: Shapes of the wide network's weights, in the order of `narrow.weights`: the same architecture
            with a whole multiple of the channels, or the same number.
        seed: Seed of the random division.

    Raises:
        UserError: If the shapes are those of another network.
    """
    rng = np.random.default_rng(seed)
    values = narrow.get_weights()
    if [value.ndim for value in values] != [len(shape) for shape in shapes]:
        raise UserError(f"{narrow.name!r} is another network, not a narrower one of the same kind")
    return [_widened(value, tuple(shape), rng) for value, shape in zip(values, shapes, strict=True)]


def _widened(value: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Returns a vector repeated, or a kernel whose outputs are repeated and whose inputs are shared out."""
    factors = [wide // size for wide, size in zip(shape, value.shape, strict=True)]
    whole = tuple(factor * size for factor, size in zip(factors, value.shape, strict=True)) == shape
    if not whole or any(factor != 1 for factor in factors[:-2]):
        raise UserError(f"weights {value.shape} do not fit {shape}: another network or number of classes")
    if factors:
        value = np.repeat(value, factors[-1], axis=-1)
    if value.ndim < 2 or factors[-2] == 1:
        return value
    shares = rng.dirichlet(np.ones(factors[-2]), value.shape).astype(value.dtype)  # the last axis sums to 1
    return np.moveaxis(value[..., None] * shares, -1, -2).reshape(shape)
