"""The spaces in which an input is looked for: occupancy of voxels, and points in the unit ball.

Each says where to start, how to shake an input so that what is found does not hang on single positions, how
the gradient comes back from the shaken one, which inputs are unwanted (for an activation whose gradient has
RMS 1), and which input of the space is nearest. Everything is traceable and the same for all examples of a
batch, so that what is found for a unit depends on no other.
"""

import tensorflow as tf


class VoxelDomain:
    """Occupancy (B,D,H,W,1) from 0 to 1, sparse and smooth.

    The regulariser is `sparsity * sum(x) + smoothness / 2 * sum (x - neighbour)^2` over the six neighbours;
    outside the grid is empty. Grids are shaken by whole voxels, as in VRN's training.
    """

    sparsity, smoothness, shift = 0.5, 0.1, 1

    def start(self, seed: tf.Tensor, shape: tuple[int, ...], dtype: str) -> tf.Tensor:
        """Returns a faint noise."""
        return tf.random.stateless_uniform((1, *shape), seed, 0.0, 0.2, dtype)

    def shaken(self, inputs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the grids moved by at most `shift` voxels an axis; what leaves comes back opposite."""
        return tf.roll(inputs, self._moves(seed), axis=(1, 2, 3))

    def unshaken(self, gradient: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the gradient moved back."""
        return tf.roll(gradient, -self._moves(seed), axis=(1, 2, 3))

    def penalty_gradient(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `sparsity + smoothness * (6 x - the sum of the six neighbours)`."""
        padded = tf.pad(inputs, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
        inner = slice(1, -1)
        near = tf.add_n(
            [
                padded[:, :-2, inner, inner], padded[:, 2:, inner, inner], padded[:, inner, :-2, inner],
                padded[:, inner, 2:, inner], padded[:, inner, inner, :-2], padded[:, inner, inner, 2:],
            ]
        )  # fmt: skip
        return self.sparsity + self.smoothness * (6 * inputs - near)

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """Clips to 0..1."""
        return tf.clip_by_value(inputs, 0, 1)

    def _moves(self, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform((3,), seed, -self.shift, self.shift + 1, tf.int32)


class PointDomain:
    """Points (B,N,3) in the unit ball; those without influence sink to its middle.

    The regulariser is `pull / 2 * sum |p|^2`. Points are shaken each by itself.
    """

    pull, jitter = 0.1, 0.02

    def start(self, seed: tf.Tensor, shape: tuple[int, ...], dtype: str) -> tf.Tensor:
        """Returns points spread evenly over the volume of the ball."""
        draws = tf.random.stateless_uniform((1, *shape), seed, 0.0, 1.0, dtype)
        height, radius = 2 * draws[..., :1] - 1, draws[..., 1:2] ** (1 / 3)
        angle, flat = 2 * 3.141592653589793 * draws[..., 2:], tf.sqrt(1 - height**2)
        return radius * tf.concat([flat * tf.cos(angle), height, flat * tf.sin(angle)], axis=-1)

    def shaken(self, inputs: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the points moved by at most `jitter` an axis."""
        shape = (1, *inputs.shape[1:])
        return inputs + tf.random.stateless_uniform(shape, seed, -self.jitter, self.jitter, inputs.dtype)

    def unshaken(self, gradient: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the gradient as it is."""
        return gradient

    def penalty_gradient(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns `pull * p`."""
        return self.pull * inputs

    def project(self, inputs: tf.Tensor) -> tf.Tensor:
        """Moves points outside of the ball to its surface."""
        return inputs / tf.maximum(tf.norm(inputs, axis=-1, keepdims=True), 1)


Domain = VoxelDomain | PointDomain
