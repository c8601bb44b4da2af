"""The mean activating surface of a neuron: what the objects that excite it most have in common."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from scipy import ndimage

from tfxai3d.errors import UserError
from tfxai3d.features.units import Pool, Units
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.visualization import Visualization

_NEIGHBOURS = ndimage.generate_binary_structure(3, 1)[None]  # the six, and none in another grid


def mean_activating_surface(
    model: Any,
    batches: Iterable[Any],
    channels: Sequence[int] | None = None,
    layer: str | None = None,
    top: int = 32,
    pool: Pool = "max",
    data_kind: DataKind | None = "voxels",
) -> Visualization:
    """Computes the mean of the surfaces that excite a unit most, weighted by the activation.

    `M = sum_i a_i S_i / sum_i a_i` over the `top` grids of the highest activation `a_i`, of which only
    positive ones count. `S_i` marks the grid's surface: occupied voxels with an empty neighbour among six.

    Args:
        model: Maps voxels (B,D,H,W,1) to logits: a Keras model or, for its classes, any callable.
        batches: Grids (B,D,H,W,1) of 0 and 1, or pairs of them and anything, such as labels. Grids without
            an occupied voxel are passed over.
        channels: Numbers of the units, classes or channels; the first 8 by default.
        layer: Name of the layer whose channels are shown; the classes by default.
        top: How many grids to average.
        pool: How a channel's activations at all voxels become one number.
        data_kind: What the model takes, "voxels".

    Returns:
        A Visualization: `inputs` and `importance` are M, between 0 and 1; `activations` the highest;
        `options["counted"]` how many grids had a positive activation and `options["examples"]` the numbers
        in the stream of all that were averaged, best first. A unit that nothing excites has M = 0.

    Raises:
        UserError: If there is no such unit or no grid, or an option is out of range.
    """
    if top < 1:
        raise UserError(f"top must be at least 1, it is {top}")
    if "points" in (data_kind, getattr(model, "data_kind", None), getattr(model, "kind", None)):
        raise UserError("the mean surface needs a voxel network; this one takes points")
    units = Units(model, layer, pool, data_kind)
    best = _Best(top)
    run, numbers, seen = None, np.zeros(0, np.int32), 0
    for batch in batches:
        grids = np.asarray(batch[0] if isinstance(batch, tuple) else batch)
        if not units.network.accepts(grids.shape):
            raise UserError(f"grids must be {units.network.inputs}, they are {grids.shape}")
        if run is None:
            spec = tf.TensorSpec((None, *grids.shape[1:]), units.network.dtype)
            run = tf.function(units, autograph=False).get_concrete_function(spec)
        every = run(tf.constant(grids, units.network.dtype)).numpy()
        numbers = units.checked(channels, every.shape[1])
        activations = every[:, numbers]
        matter = grids.reshape(len(grids), -1).any(axis=1)
        best.add(np.arange(seen, seen + len(grids))[matter], activations[matter], grids[matter, ..., 0] > 0)
        seen += len(grids)
    if not best.surfaces:
        raise UserError("no grid to average: the data set is empty")
    mean = np.stack([best.mean(unit) for unit in range(len(numbers))]).astype(np.float32)
    options: dict[str, Any] = {"layer": layer, "pool": pool, "top": top, "grids": seen}
    options["counted"] = (best.activations > 0).sum(axis=1).tolist()
    options["examples"] = best.examples.tolist()
    return Visualization(
        inputs=mean[..., None],
        importance=mean,
        activations=best.activations[:, 0].astype(np.float32),
        channels=numbers,
        names=units.names(numbers),
        method="mean_surface",
        options=options,
        kind="voxels",
    )


class _Best:
    """The grids of the highest activation of each unit, of those seen so far."""

    def __init__(self, top: int):
        self.top = top
        self.activations = np.zeros((0, 0))  # (U,K), best first; among equal ones the earlier grid
        self.examples = np.zeros((0, 0), int)  # numbers of the grids (U,K)
        self.surfaces: dict[int, np.ndarray] = {}  # surfaces of these grids, bool (D,H,W), by number

    def add(self, examples: np.ndarray, activations: np.ndarray, grids: np.ndarray) -> None:
        """Takes in the grids (B,D,H,W) with numbers (B,) and activations (B,U)."""
        if not len(examples):
            return
        activations = activations.astype(np.float64).T
        if not np.isfinite(activations).all():
            raise UserError("the activations are not finite: the model's weights or the grids are wrong")
        numbers = np.broadcast_to(examples, activations.shape)
        if self.activations.size:
            activations = np.concatenate([self.activations, activations], axis=1)
            numbers = np.concatenate([self.examples, numbers], axis=1)
        order = np.argsort(-activations, axis=1, kind="stable")[:, : self.top]
        self.activations = np.take_along_axis(activations, order, axis=1)
        self.examples = np.take_along_axis(numbers, order, axis=1)
        kept = set(self.examples.ravel().tolist())
        new = [i for i, example in enumerate(examples) if example in kept]
        surfaces = _surfaces(grids[new])
        known = self.surfaces | {int(examples[i]): surface for i, surface in zip(new, surfaces, strict=True)}
        self.surfaces = {example: known[example] for example in kept}

    def mean(self, unit: int) -> np.ndarray:
        """Returns the weighted mean of a unit's surfaces (D,H,W), zeros where nothing excites it."""
        weights = np.maximum(self.activations[unit], 0)
        surfaces = np.stack([self.surfaces[example] for example in self.examples[unit].tolist()])
        return np.tensordot(weights / (weights.sum() or 1), surfaces, axes=1)


def _surfaces(grids: np.ndarray) -> np.ndarray:
    """Returns the occupied voxels of grids bool (B,D,H,W) that have an empty neighbour."""
    return grids & ~ndimage.binary_erosion(grids, _NEIGHBOURS)
