"""Volumes rotated by small angles about any axis."""

import numpy as np
import tensorflow as tf


def rotate(grids: tf.Tensor, seed: tf.Tensor, limit: float = 15.0) -> tf.Tensor:
    """Rotates each grid about a random axis through its middle by up to `limit` degrees: float32.

    Values between the voxels are interpolated linearly; what comes from outside of the grid is empty.
    """
    grids, count = tf.cast(grids, tf.float32), tf.shape(grids)[0]
    axis = tf.math.l2_normalize(tf.random.stateless_normal((count, 3), seed), axis=1)
    degrees = tf.random.stateless_uniform((count, 1), seed + 1, -limit, limit)
    shape = tf.shape(grids)[1:4]
    middle = tf.cast(shape - 1, tf.float32) / 2
    places = tf.stack(tf.meshgrid(*(tf.range(shape[i]) for i in range(3)), indexing="ij"), axis=-1)
    offsets = tf.cast(tf.reshape(places, (1, -1, 3)), tf.float32) - middle
    turned = _rotated(offsets, axis[:, None], degrees[:, None] * np.pi / 180)
    return tf.reshape(_interpolated(grids, turned + middle), tf.shape(grids))


def _rotated(vectors: tf.Tensor, axis: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Returns vectors (1,V,3) rotated about axes (B,1,3) of length 1 by angles (B,1,1), by Rodrigues."""
    across = tf.linalg.cross(*(tf.broadcast_to(one, _joint(axis, vectors)) for one in (axis, vectors)))
    along = axis * tf.reduce_sum(axis * vectors, axis=-1, keepdims=True)
    return vectors * tf.cos(angle) + across * tf.sin(angle) + along * (1 - tf.cos(angle))


def _joint(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.broadcast_dynamic_shape(tf.shape(a), tf.shape(b))


def _interpolated(grids: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Returns the values (B,V,C) of grids at places (B,V,3) in voxels, 0 outside."""
    count, shape, channels = tf.shape(grids)[0], tf.shape(grids)[1:4], grids.shape[4]
    padded = tf.pad(grids, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
    a, b, c = (shape[i] + 1 for i in range(3))
    corners = [padded[:, i : a + i, j : b + j, k : c + k] for i, j, k in np.ndindex(2, 2, 2)]
    cells = tf.reshape(tf.stack(corners, axis=4), (count, -1, 8 * channels))  # all that one place needs
    places = tf.clip_by_value(places + 1, 0.0, tf.cast(shape, tf.float32) + 1)
    low = tf.minimum(tf.floor(places), tf.cast(shape, tf.float32))
    index, (x, y, z) = tf.cast(low, tf.int32), tf.unstack(places - low, axis=-1)
    number = (index[..., 0] * b + index[..., 1]) * c + index[..., 2]
    found = tf.reshape(tf.gather(cells, number, batch_dims=1), (count, -1, 2, 2, 2, channels))
    for far in (x, y, z):  # from 8 corners to 4, to 2, to 1
        far = tf.reshape(far, (count, -1, *[1] * (len(found.shape) - 3)))
        found = found[:, :, 0] * (1 - far) + found[:, :, 1] * far
    return found
