"""Data sets in, explanations out."""

import numpy as np
import tensorflow as tf

from tests.explain.networks import POINTS, foreign
from tfxai3d import explain


def test_a_data_set_gives_what_its_batches_give():
    vanilla = explain.VanillaGradient(foreign(), data_kind="points")
    labels = np.array([3, 0, 1, 1, 2])
    expected = vanilla(POINTS, labels)
    data_set = tf.data.Dataset.from_tensor_slices((POINTS, labels)).batch(2)
    found = list(explain.stream(vanilla, data_set))
    assert [len(explained) for explained in found] == [2, 2, 1]
    for name in ("attributions", "importance", "target", "scores"):
        together = np.concatenate([getattr(explained, name) for explained in found])
        np.testing.assert_allclose(together, getattr(expected, name), rtol=1e-6, atol=1e-9)


def test_without_labels_it_explains_the_predicted_classes_one_batch_at_a_time():
    vanilla = explain.VanillaGradient(foreign(), data_kind="points")
    taken = []

    def clouds():
        for i in range(5):
            taken.append(i)
            yield POINTS[i : i + 1]

    first = next(explain.stream(vanilla, clouds()))
    assert taken == [0]
    np.testing.assert_array_equal(first.target, first.predicted)
