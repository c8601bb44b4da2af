"""Neighbours in clouds of points: sampling, ball query, gathering and interpolation (PointNet++, NIPS 2017).

Everything is plain `keras.ops`. Indices carry no gradient, gathered and interpolated values do. Distances
are sums of squared differences: coinciding points are exactly 0 apart, and no root can make a NaN of them.

Under TensorFlow XLA compiles two loops, sampling (5 times faster) and the distance test (8 times). It
compiles for one shape at a time, so points are filled up to a multiple of `_BLOCK`. It contracts products and
sums: distances equal to the last bit may fall either way between backends.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

_BLOCK = 256
_NEAREST = 1e-10  # squared distance below which a centroid takes all the weight, as in the authors' code


def farthest_points(points: Any, count: int) -> Any:
    """Chooses points of clouds (B,N,3), each the farthest from those before it: indices, int32 (B,count).

    Point 0 is the first. Among equally far points the lowest index wins. Once every place is taken, in clouds
    with fewer than `count` distinct points, point 0 is chosen again and again.
    """
    return _farthest(_filled(ops.stop_gradient(points)), count)


def ball_query(points: Any, centroids: Any, radius: float, count: int) -> Any:
    """Finds the first `count` points (B,N,3), in index order, nearer than a radius to each centroid (B,S,3).

    Where there are fewer, the first found fills the rest; a ball without any point gets point 0. A point at
    exactly the radius is outside, as in the authors' code. Returns indices, int32 (B,S,count).
    """
    points, centroids = ops.stop_gradient(points), ops.stop_gradient(centroids)
    inside = _inside(_filled(points), centroids, float(radius))[:, :, : ops.shape(points)[1]]
    # XLA, JAX's only way, cannot compile lists whose length depends on the data; elsewhere they are faster.
    return (_first_by_search if keras.backend.backend() == "jax" else _first_by_list)(inside, count)


def gather(values: Any, index: Any) -> Any:
    """Looks rows (B,N,C) up by their numbers in each cloud, int32 (B,...): (B,...,C)."""
    batch, rows = ops.shape(values)[0], ops.shape(values)[1]
    first = ops.reshape(ops.arange(batch, dtype="int32") * rows, (-1, *[1] * (len(index.shape) - 1)))
    return ops.take(ops.reshape(values, (-1, values.shape[-1])), index + first, axis=0)


def group(points: Any, centroids: Any, index: Any) -> Any:
    """Returns neighbours, int32 (B,S,K) of points (B,N,3), relative to their centroids (B,S,3): (B,S,K,3)."""
    return gather(points, index) - centroids[:, :, None]


def interpolate(points: Any, centroids: Any, values: Any, count: int = 3) -> Any:
    """Carries values from centroids to points: the mean over the nearest, weighted by 1 / distance^2.

    A point (B,N,3) on a centroid (B,S,3) takes its value (B,S,C). Among equally near centroids the lowest
    index counts as nearer; where there are fewer than `count`, all are used. Differentiable in all three.
    """
    distance = _squared_distance(points, centroids)
    index, weight = [], []
    for _ in range(count):
        nearest = ops.cast(ops.argmin(distance, axis=-1), "int32")[..., None]
        index.append(nearest)
        weight.append(1.0 / ops.maximum(ops.take_along_axis(distance, nearest, axis=-1), _NEAREST))
        taken = ops.arange(ops.shape(distance)[-1], dtype="int32") == nearest
        distance = ops.where(taken, float("inf"), distance)  # weight 0 for a centroid used already
    weights = ops.concatenate(weight, axis=-1)
    weights = weights / ops.sum(weights, axis=-1, keepdims=True)
    return ops.sum(gather(values, ops.concatenate(index, axis=-1)) * weights[..., None], axis=-2)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function compiled by XLA under TensorFlow, where it has XLA, and unchanged elsewhere."""

    @functools.cache
    def build() -> Callable[..., Any]:
        if keras.backend.backend() != "tensorflow" or not _has_xla():
            return function
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False, reduce_retracing=True)

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        return build()(*args)

    return call


@functools.cache
def _has_xla() -> bool:
    """Whether this TensorFlow can compile; not every build and platform can."""
    import tensorflow as tf

    try:
        with tf.init_scope():
            tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1))
    except (tf.errors.OpError, ValueError):
        return False
    return True


def _filled(points: Any) -> Any:
    """Repeats point 0 at the end up to a multiple of _BLOCK points; sampling never prefers a copy to it."""
    count = ops.shape(points)[1]
    if isinstance(count, int) and count % _BLOCK == 0:
        return points
    index = ops.arange((count + _BLOCK - 1) // _BLOCK * _BLOCK, dtype="int32")
    return ops.take(points, ops.where(index < count, index, 0), axis=1)


@_compiled
def _farthest(points: Any, count: int) -> Any:
    batch, total = ops.shape(points)[0], ops.shape(points)[1]
    axes = [points[..., axis] for axis in range(3)]
    number = ops.arange(total, dtype="int32")

    def choose(step: Any, state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        chosen, distance, last = state
        chosen = ops.slice_update(chosen, (step, 0), last[None])
        new = sum(ops.square(x - ops.take_along_axis(x, last[:, None], axis=1)) for x in axes)
        distance = ops.minimum(distance, new)
        # An arg-max in two steps, each of which is vectorised: twice as fast.
        nearer = distance < ops.max(distance, axis=1, keepdims=True)
        return chosen, distance, ops.min(ops.where(nearer, total, number), axis=1)

    nowhere, first = ops.full_like(axes[0], float("inf")), ops.zeros((batch,), "int32")
    start = ops.zeros((count, batch), "int32"), nowhere, first
    return ops.transpose(ops.fori_loop(0, count, choose, start)[0])


def _squared_distance(points: Any, centroids: Any) -> Any:
    """Returns the squared distances (B,N,S) of points (B,N,3) from centroids (B,S,3)."""
    return sum(ops.square(points[:, :, None, axis] - centroids[:, None, :, axis]) for axis in range(3))


@_compiled
def _inside(points: Any, centroids: Any, radius: float) -> Any:
    """Returns whether each point is in each ball, bool (B,S,N)."""
    return _squared_distance(centroids, points) < radius * radius


def _first_by_list(inside: Any, count: int) -> Any:
    """Returns the first `count` True of each row of (B,S,N), from the list of all."""
    batch, balls, points = ops.shape(inside)[0], ops.shape(inside)[1], ops.shape(inside)[2]
    row, column = ops.nonzero(ops.reshape(inside, (-1, points)))
    number = ops.cast(ops.arange(batch * balls), row.dtype)
    edges = (ops.searchsorted(row, number, side) for side in ("left", "right"))
    begin, end = (ops.cast(edge, "int32")[:, None] for edge in edges)
    step = ops.arange(count, dtype="int32")
    position = begin + ops.where(step < end - begin, step, 0)
    # One point 0 at the end of the list, for the balls without a point.
    column = ops.append(ops.cast(column, "int32"), ops.zeros((1,), "int32"))
    position = ops.where(end > begin, position, ops.shape(column)[0] - 1)
    return ops.reshape(ops.take(column, position), (batch, balls, count))


def _first_by_search(inside: Any, count: int) -> Any:
    """Returns the first `count` True of each row of (B,S,N), by one search for each."""
    batch, balls, points = ops.shape(inside)
    number = ops.arange(points, dtype="int32")

    def search(step: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
        found, last = state
        later = ops.logical_and(inside, number > last[..., None])
        last = ops.min(ops.where(later, number, points), axis=-1)
        return ops.slice_update(found, (step, 0, 0), last[None]), last

    start = ops.zeros((count, batch, balls), "int32"), ops.full((batch, balls), -1, "int32")
    found = ops.transpose(ops.fori_loop(0, count, search, start)[0], (1, 2, 0))
    first = ops.where(found[..., :1] < points, found[..., :1], 0)
    return ops.where(found < points, found, first)
