"""Activation maximisation: the input that excites a unit most (Erhan et al. 2009; Simonyan et al. 2014)."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfxai3d.errors import UserError
from tfxai3d.features.domains import Domain, PointDomain, VoxelDomain
from tfxai3d.features.units import Pool, Units
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.visualization import Visualization

_MOMENTUM = 0.9
_RATES = {"points": 0.02, "voxels": 0.1}  # change of an input number a step, for a gradient of 1
_TINY = 1e-20
_POINTS = (1024, 3)


class ActivationMaximization:
    """Looks for the input that excites a unit most, by gradient ascent from noise.

    Each step shakes the input, scales the gradient of the activation to RMS 1, so that the regularisers
    weigh the same for every unit, subtracts theirs, moves along the mean of the last gradients and projects
    back: occupancy to 0..1, points into the unit ball; see `domains`. All steps are one compiled loop.

    Args:
        model: Maps points (B,N,3) or voxels (B,D,H,W,1) to logits: a Keras model or, for its classes, any
            differentiable callable.
        layer: Name of the layer whose channels are shown; the classes by default.
        steps: Number of steps.
        pool: How a channel's activations at all places become one number.
        shape: Shape of one input, needed where the model takes any; (1024,3) for points by default.
        seed: Seed of the first input and the shaking.
        batch_size: The most units at once.
        data_kind: "points" or "voxels"; by default what the model says.

    Raises:
        UserError: If an option is out of range, or as `Units`.
    """

    method: ClassVar[str] = "activation_maximization"

    def __init__(
        self,
        model: Any,
        layer: str | None = None,
        steps: int = 100,
        pool: Pool = "mean",
        shape: tuple[int, ...] | None = None,
        seed: int = 0,
        batch_size: int = 8,
        data_kind: DataKind | None = None,
    ):
        for name, value in (("steps", steps), ("batch_size", batch_size)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, it is {value}")
        self.units = Units(model, layer, pool, data_kind)
        self.steps, self.seed, self.batch_size = steps, seed, batch_size
        self.shape = _shape(self.units, shape)
        points = self.units.network.kind == "points"
        self._domain: Domain = PointDomain() if points else VoxelDomain()
        self._rate = _RATES[self.units.network.kind]
        # One trace of the network serves all steps and any number of units.
        self._excited = tf.function(self._excite, autograph=False)
        units = tf.TensorSpec((None,), tf.int32)
        self._compiled = tf.function(self._ascend, input_signature=[units], autograph=False)

    def __call__(self, channels: Sequence[int] | None = None, progress: bool = False) -> Visualization:
        """Looks for the best input of each unit.

        Args:
            channels: Numbers of the units, classes or channels; the first 8 by default.
            progress: Whether to show a bar on stderr, if that is a terminal.

        Returns:
            A Visualization. `importance` is the occupancy of a voxel, and the L2 norm of the activation's
            gradient for a point; `activations` are those for the inputs found, `options["start"]` those for
            the noise that the search began with.

        Raises:
            UserError: If there is no such unit, no gradient reaches the inputs, or one is not finite.
        """
        network = self.units.network
        numbers = self.units.checked(channels, self.units.count(self.shape))
        parts = []
        starts = range(0, len(numbers), self.batch_size)
        for i in tqdm(starts, desc="maximising", unit="batch", disable=None if progress else True):
            found = self._compiled(tf.constant(numbers[i : i + self.batch_size]))
            parts.append([part.numpy() for part in found])
        inputs, importance, activations, start = (np.concatenate(part) for part in zip(*parts, strict=True))
        if not np.isfinite(activations).all():
            raise UserError(f"the activations of {network.name} are not finite: its weights are wrong")
        options = {"layer": self.units.layer, "pool": self.units.pool, "steps": self.steps, "seed": self.seed}
        return Visualization(
            inputs=inputs.astype(np.float32),
            importance=importance.astype(np.float32),
            activations=activations.astype(np.float32),
            channels=numbers,
            names=self.units.names(numbers),
            method=self.method,
            options=options | {"start": start.tolist()},
            kind=network.kind,
        )

    def _ascend(self, channels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns inputs, importance, their activations and those of the start, for units (U,)."""
        dtype = self.units.network.dtype
        start = self._domain.start(tf.constant([self.seed, -1]), self.shape, dtype)
        start = tf.repeat(start, tf.size(channels), axis=0)
        axes = list(range(1, len(self.shape) + 1))

        def climb(step: tf.Tensor, inputs: tf.Tensor, speed: tf.Tensor) -> tuple[tf.Tensor, ...]:
            seed = tf.stack([self.seed, step])
            _, gradient = self._excited(self._domain.shaken(inputs, seed), channels)
            gradient = self._domain.unshaken(gradient, seed)
            size = tf.sqrt(tf.reduce_mean(gradient**2, axis=axes, keepdims=True))
            gradient = gradient / (size + _TINY) - self._domain.penalty_gradient(inputs)
            speed = _MOMENTUM * speed + (1 - _MOMENTUM) * gradient
            return step + 1, self._domain.project(inputs + self._rate * speed), speed

        first, _ = self._excited(start, channels)
        state = (tf.constant(0), start, tf.zeros_like(start))
        _, inputs, _ = tf.while_loop(lambda step, *_: step < self.steps, climb, state, parallel_iterations=1)
        activations, gradient = self._excited(inputs, channels)
        points = self.units.network.kind == "points"
        return inputs, tf.norm(gradient, axis=-1) if points else inputs[..., 0], activations, first

    def _excite(self, inputs: tf.Tensor, channels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the activation (U,) of each input's unit, and its gradient."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            activations = tf.gather(self.units(inputs), channels, batch_dims=1)
        gradient = tape.gradient(activations, inputs)
        if gradient is None:
            raise UserError(f"no gradient reaches the inputs of {self.units.network.name}")
        return activations, tf.convert_to_tensor(gradient)


def _shape(units: Units, shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Returns the shape of one input: the wanted one, the network's, or the usual one of points."""
    network = units.network
    if shape is None and network.shape is not None and None not in network.shape:
        shape = tuple(size for size in network.shape if size is not None)
    if shape is None and network.kind == "points":
        shape = _POINTS
    if shape is None or not network.accepts((1, *shape)):
        raise UserError(f"shape must be that of one of {network.inputs}, without B; it is {shape}")
    return tuple(shape)
