import numpy as np
import tensorflow as tf

from tfxai3d import explain


def test_occlusion_of_a_large_volume_never_holds_more_than_a_batch():
    """27 cubes of a 64^3 volume, eight copies at a time: memory is the batch's, whatever the cubes."""
    asked = []

    def score(volumes):
        asked.append(volumes.shape[0])
        return tf.reduce_sum(volumes, axis=(1, 2, 3))

    def watched(volumes):
        return tf.ensure_shape(tf.py_function(score, [volumes], tf.float32), (None, 1))

    volume = np.ones((1, 64, 64, 64, 1), np.float32)
    found = explain.Occlusion(watched, size=0.5, batch_size=8, data_kind="voxels")(volume, 0)
    assert max(asked) == 8
    assert sum(asked) < 27 + 8
    np.testing.assert_allclose(found.importance, 32.0**3)
