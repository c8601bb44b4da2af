"""The layers of a PointNet++ set abstraction: sample centroids, group neighbours, shared MLP, max.

The layers compute what the paper's do, with fewer operations, by three exact rewritings:

* BatchNorm folds into the kernels, in training as well (see `shared_mlp`).
* The first layer is linear before BatchNorm, so its products are made once a point and then gathered,
  instead of once for each of the 32 to 128 balls that a point is in (`NeighborDense`).
* BatchNorm and ReLU are monotone, so the max over the neighbours comes first (`NeighborMax`).
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tfxai3d.models.layers.neighbors import ball_query, farthest_points, gather, group
from tfxai3d.models.layers.shared_mlp import Shape, SharedDense


class _Geometry(keras.layers.Layer):
    """A layer without weights on coordinates, which keep their precision under every dtype policy."""

    def __init__(self, **kwargs: Any):
        super().__init__(**{"autocast": False, **kwargs})
        # JAX compiles everything; TensorFlow's XLA is slow at the ball query, which compiles what it can.
        self.supports_jit = keras.backend.backend() != "tensorflow"


class PointIndexing(_Geometry):
    """A layer that chooses points by its method `find`; no gradient flows to a choice."""

    find: Callable[..., Any]


@keras.saving.register_keras_serializable(package="tfxai3d")
class Centroids(PointIndexing):
    """Chooses `count` centroids by farthest point sampling: points (B,N,3) to (B,count,3)."""

    def __init__(self, count: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.count = count

    def find(self, points: Any) -> Any:
        """Maps points (B,N,3) to indices, int32 (B,count)."""
        return farthest_points(points, self.count)

    def call(self, points: Any) -> Any:
        """Returns the chosen points; the gradient flows to them, not to the choice."""
        return gather(points, self.find(points))

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "count": self.count}


@keras.saving.register_keras_serializable(package="tfxai3d")
class BallQuery(PointIndexing):
    """Finds `count` neighbours of each centroid within a radius: indices (B,S,count); see `ball_query`."""

    def __init__(self, radius: float, count: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.radius, self.count = radius, count

    def find(self, points: Any, centroids: Any) -> Any:
        """Maps points (B,N,3) and centroids (B,S,3) to indices, int32 (B,S,count)."""
        return ball_query(points, centroids, self.radius, self.count)

    def call(self, points: Any, centroids: Any) -> Any:
        """Returns what `find` does."""
        return self.find(points, centroids)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "radius": self.radius, "count": self.count}


@keras.saving.register_keras_serializable(package="tfxai3d")
class Columns(_Geometry):
    """The columns of points (B,N,C) from one number to before another."""

    def __init__(self, first: int, end: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.first, self.end = first, end

    def call(self, points: Any) -> Any:
        """Returns the columns (B,N,end-first)."""
        return points[..., self.first : self.end]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "first": self.first, "end": self.end}


@keras.saving.register_keras_serializable(package="tfxai3d")
class Group(_Geometry):
    """Positions of neighbours relative to their centroids: (B,S,K,3)."""

    def call(self, points: Any, centroids: Any, index: Any) -> Any:
        """Maps points (B,N,3), centroids (B,S,3) and indices (B,S,K) to positions (B,S,K,3)."""
        return group(points, centroids, index)


@keras.saving.register_keras_serializable(package="tfxai3d")
class NeighborDense(SharedDense):
    """`SharedDense` of each neighbour's relative position and features, concatenated in this order.

    `concat(p_j - c_s, f_j) @ W` is the difference of `concat(p_j, f_j) @ W`, one row a point, and
    `c_s @ W[:3]`, one row a centroid. The batch statistics need no more: with the matrix A (S,N) of how
    often a point is a centroid's neighbour, their sums over all neighbours are products with A.
    """

    def build(self, input_shape: Any) -> None:
        """Makes the kernel (3+F, units) and the four BatchNorm vectors (units,)."""
        super().build((None, None, 3 + input_shape[0][-1]))

    def call(self, x: Any, training: bool = False) -> Any:
        """Maps features (B,N,F), points (B,N,3), centroids (B,S,3), neighbours (B,S,K) to (B,S,K,units)."""
        features, points, centroids, index = x
        rows = ops.concatenate([points, features], axis=-1)
        kernel, bias = self._folded((rows, centroids, index), training)
        of_points, of_centroids = ops.matmul(rows, kernel), bias - ops.matmul(centroids, kernel[:3])
        return self.activation(gather(of_points, index) + of_centroids[:, :, None])

    def _batch_statistics(self, x: Any, kernel: Any) -> tuple[Any, Any]:
        rows, centroids = (ops.cast(value, self._wide) for value in x[:2])
        of_points, of_centroids = ops.matmul(rows, kernel), ops.matmul(centroids, kernel[:3])
        adjacency, count = _adjacency(x[2], ops.shape(rows)[1], self._wide), x[2].shape[-1]
        near = ops.matmul(adjacency, of_points)  # (B,S,units), sums over the neighbours
        often = ops.sum(adjacency, axis=1)[..., None]
        share = 1.0 / ops.cast(ops.size(x[2]), self._wide)
        mean = share * ops.sum(near - count * of_centroids, axis=(0, 1))
        square = ops.sum(often * ops.square(of_points), axis=(0, 1))
        square = square + ops.sum(of_centroids * (count * of_centroids - 2 * near), axis=(0, 1))
        return mean, ops.relu(share * square - ops.square(mean))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Returns the shape of the output for input shapes."""
        return (*input_shape[-1], self.units)


@keras.saving.register_keras_serializable(package="tfxai3d")
class NeighborMax(SharedDense):
    """`SharedDense` followed by the max over the neighbours: (B,S,K,C) to (B,S,units).

    With few neighbours a backward pass through all of them is faster than one through the winners alone
    (`max_linear`), of which there are more than neighbours.
    """

    def call(self, x: Any, training: bool = False) -> Any:
        """Maps neighbours' features (B,S,K,C) to the maxima over the neighbours (B,S,units)."""
        kernel, bias = self._folded(x, training)
        product = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
        product = ops.reshape(product, (*ops.shape(x)[:-1], self.units))
        return self.activation(ops.max(product, axis=-2) + bias)

    def features(self, x: Any, training: bool = False) -> Any:
        """Maps neighbours' features (B,S,K,C) to (B,S,K,units); their max over K is what `call` returns."""
        return super().call(x, training=training)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Returns the shape of the output for an input shape."""
        return (*input_shape[:-2], self.units)


def _adjacency(index: Any, points: Any, dtype: str) -> Any:
    """Returns how often each point occurs among each centroid's neighbours: (B,S,K) to (B,S,N)."""
    batch, balls = ops.shape(index)[0], ops.shape(index)[1]
    first = ops.arange(batch * balls, dtype="int32") * points
    place = ops.reshape(ops.reshape(index, (-1, index.shape[-1])) + first[:, None], (-1,))
    often = ops.segment_sum(ops.ones_like(place, dtype=dtype), place, num_segments=batch * balls * points)
    return ops.reshape(often, (batch, balls, points))
