"""Logits of many clouds, whatever their sizes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.filling import check_copies
from tfxai3d.explain.engine.network import Network, network
from tfxai3d.explain.engine.several_inputs import check_one_input

Clouds = Sequence[np.ndarray] | np.ndarray
"""Many clouds: arrays (N_i,3) of any sizes, or one array (M,N,3)."""


class Forward:
    """A model's logits of clouds of any sizes, in one compiled function that is traced once.

    A model that `ignores_copies`, such as PointNet and PointNet++, takes clouds of different sizes in one
    batch, filled up with copies of each cloud's first point, and so does one of a fixed number of points.
    Other models get batches of equal size.

    Args:
        model: Maps points (B,N,3) to logits (B,C); whatever an explainer takes.
        batch_size: The most clouds a forward pass.
    """

    def __init__(self, model: Any, batch_size: int = 32):
        self.network, self.batch_size = network(model, "points"), batch_size
        check_one_input(self.network)
        clouds = tf.TensorSpec((None, None, self.network.layout.usual()[-1]), self.network.dtype)
        self._compiled = tf.function(self.network, input_signature=[clouds], autograph=False)

    def __call__(self, clouds: Clouds) -> np.ndarray:
        """Returns the logits (M,C) of M clouds (N_i,3)."""
        sizes = np.array([len(cloud) for cloud in clouds])
        smallest = np.asarray(clouds[int(sizes.argmin())])[None]
        self.network.settle(smallest)
        check_copies(self.network, smallest)
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
        if not self.network.ignores_copies and self.network.size is None:
            parts = np.split(order, np.flatnonzero(np.diff(sizes[order])) + 1)
        return [part[i : i + self.batch_size] for part in parts for i in range(0, len(part), self.batch_size)]


def _filled(cloud: np.ndarray, size: int) -> np.ndarray:
    if len(cloud) == size:
        return cloud
    return np.concatenate([cloud, np.broadcast_to(cloud[:1], (size - len(cloud), cloud.shape[1]))])


def least_points(net: Network, cloud: np.ndarray) -> int:
    """Finds the fewest points, from `MIN_POINTS` on, of which a network takes a cloud.

    One that looks for the k nearest neighbours of each point needs k of them.

    Args:
        net: The network.
        cloud: A cloud (N,3).

    Raises:
        UserError: If it does not take the whole cloud.
    """

    def takes(count: int) -> bool:
        try:
            net(tf.constant(cloud[None, :count], net.dtype))
        except (tf.errors.InvalidArgumentError, ValueError):
            return False
        return True

    check_one_input(net)
    net.settle(cloud[None])
    check_copies(net, cloud[None, : len(cloud) - 1])
    if net.ignores_copies or net.size is not None:
        return MIN_POINTS
    too_few, enough = MIN_POINTS - 1, len(cloud)
    if takes(MIN_POINTS):
        return MIN_POINTS
    if not takes(enough):
        raise UserError(f"{net.name} does not take a cloud of {enough} points")
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if takes(middle) else (middle, enough)
    return enough
