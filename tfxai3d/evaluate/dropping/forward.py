"""Logits of many clouds, whatever their sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.explain.engine.network import network

Clouds = Sequence[np.ndarray] | np.ndarray
"""Many clouds: arrays (N_i,3) of any sizes, or one array (M,N,3)."""


class Forward:
    """A model's logits of clouds of any sizes, in one compiled function that is traced once.

    A model that `ignores_copies`, such as PointNet and PointNet++, takes clouds of different sizes in one
    batch, filled up with copies of each cloud's first point. Other models get batches of equal size.

    Args:
        model: Maps points (B,N,3) to logits (B,C); whatever an explainer takes.
        batch_size: The most clouds a forward pass.
    """

    def __init__(self, model: Any, batch_size: int = 32):
        self.network, self.batch_size = network(model), batch_size
        clouds = tf.TensorSpec((None, None, 3), self.network.dtype)
        self._compiled = tf.function(self.network, input_signature=[clouds], autograph=False)

    def __call__(self, clouds: Clouds) -> np.ndarray:
        """Returns the logits (M,C) of M clouds (N_i,3)."""
        sizes = np.array([len(cloud) for cloud in clouds])
        order = np.argsort(sizes, kind="stable")  # neighbours in size need the fewest copies
        logits: list[np.ndarray] = [np.empty(0)] * len(clouds)
        for batch in self._batches(order, sizes):
            filled = np.stack([_filled(clouds[i], sizes[batch[-1]]) for i in batch])
            for i, row in zip(batch, self._compiled(filled).numpy(), strict=True):
                logits[i] = row
        return np.stack(logits)

    def _batches(self, order: np.ndarray, sizes: np.ndarray) -> list[np.ndarray]:
        """Splits cloud numbers, ordered by size, into batches."""
        parts = [order]
        if not self.network.ignores_copies:
            parts = np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1)
        return [part[i : i + self.batch_size] for part in parts for i in range(0, len(part), self.batch_size)]


def _filled(cloud: np.ndarray, size: int) -> np.ndarray:
    if len(cloud) == size:
        return cloud
    return np.concatenate([cloud, np.broadcast_to(cloud[:1], (size - len(cloud), 3))])
