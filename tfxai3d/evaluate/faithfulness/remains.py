"""A network's answers to what is left of examples when some of their points or voxels are gone."""

import numpy as np
import tensorflow as tf

from tfxai3d.evaluate.dropping.forward import Forward
from tfxai3d.explain.engine.network import Network


class Remains:
    """The scores of what is left of examples, compiled once for all of them.

    Points that are gone are removed, voxels that are gone are 0.

    Args:
        network: The network.
        batch_size: The most examples that it sees at once.
        zeroed: Move points to the origin in the place of taking them away.
    """

    def __init__(self, network: Network, batch_size: int = 32, zeroed: bool = False):
        self.network, self.batch_size = network, batch_size
        self._removes = network.kind == "points" and not zeroed
        self._forward = Forward(network, batch_size) if self._removes else None
        self._compiled = tf.function(network, autograph=False)

    def places(self, inputs: np.ndarray) -> np.ndarray:
        """Returns what can go of inputs (B,...), bool (B,M): all points, or the voxels that are not 0."""
        if self.network.kind == "points":
            return np.ones(self.network.layout.places(inputs).shape, bool)
        axis = self.network.layout.axis(inputs.ndim)
        there = inputs != 0 if axis is None else np.any(inputs != 0, axis=axis)
        return np.asarray(there.reshape(len(inputs), -1))

    def __call__(self, inputs: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Returns the scores (B,K,C) of what is kept of each of the inputs (B,...), bool (B,K,M)."""
        if self._forward is not None:
            clouds = [cloud[some] for cloud, rows in zip(inputs, kept, strict=True) for some in rows]
            scores = self._forward(clouds)
        else:
            self.network.settle(inputs[:1])
            scores = np.concatenate([self._masked(*one) for one in zip(inputs, kept, strict=True)])
        return scores.reshape(*kept.shape[:2], -1)

    def _masked(self, example: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Returns the scores (K,C) of an example whose other places are 0."""
        shape = tf.TensorSpec((None, *example.shape), self.network.dtype)
        run = self._compiled.get_concrete_function(shape)
        axis = self.network.layout.axis(example.ndim + 1)
        places = example.shape if axis is None else np.delete(example.shape, axis - 1)
        kept = kept.reshape(len(kept), *places)
        kept = kept if axis is None else np.expand_dims(kept, axis)
        parts = (kept[i : i + self.batch_size] for i in range(0, len(kept), self.batch_size))
        masked = (np.where(part, example, 0).astype(self.network.dtype) for part in parts)
        return np.concatenate([run(tf.constant(some)).numpy() for some in masked])


def ranks(importance: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Returns in which order places go, the most important first, among equals the lower index.

    Args:
        importance: Numbers (B,M).
        places: What can be taken away, bool (B,M).

    Returns:
        Numbers from 0, int (B,M); those of what cannot be taken away come last.
    """
    order = np.where(places, -importance, np.inf).argsort(axis=1, kind="stable")
    return np.asarray(order.argsort(axis=1))
