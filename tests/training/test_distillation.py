"""Labels from a teacher: the loss they make is that of Hinton et al., term by term."""

import keras
import numpy as np
import pytest

from tfxai3d.models import PointNet
from tfxai3d.training import soften_labels

CLASSES = 4


@pytest.fixture(scope="module")
def teacher():
    keras.utils.set_random_seed(5)
    return PointNet(CLASSES, "basic", dropout=0.5)


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(6)
    points = rng.uniform(-1, 1, (10, 16, 3)).astype("float32")
    return points, np.eye(CLASSES, dtype="float32")[rng.integers(0, CLASSES, 10)]


def softened(teacher, examples, **options):
    import tensorflow as tf

    batches = soften_labels(tf.data.Dataset.from_tensor_slices(examples).batch(5), teacher, **options)
    inputs, labels = zip(*((x.numpy(), y.numpy()) for x, y in batches), strict=True)
    return np.concatenate(inputs), np.concatenate(labels)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_cross_entropy_is_the_loss_of_labels_and_of_teacher(teacher, examples):
    points, one_hot = examples
    inputs, labels = softened(teacher, examples, fraction=0.7)
    np.testing.assert_array_equal(inputs, points)
    logits = np.random.default_rng(7).normal(size=(10, CLASSES)).astype("float32")
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)(labels, logits)
    said = log_softmax(teacher(points, training=False).numpy())
    of_labels = -(one_hot * log_softmax(logits)).sum(-1)
    divergence = (np.exp(said) * (said - log_softmax(logits))).sum(-1)
    entropy = -(np.exp(said) * said).sum(-1)
    np.testing.assert_allclose(loss, 0.3 * of_labels + 0.7 * (divergence + entropy), rtol=1e-5)


def test_without_a_share_the_labels_stay(teacher, examples):
    np.testing.assert_array_equal(softened(teacher, examples, fraction=0.0)[1], examples[1])


def test_a_pupil_of_the_teacher_alone_comes_to_its_answers(teacher, examples):
    """Its labels are all the same class; only the teacher can tell it anything else."""
    import tensorflow as tf

    keras.utils.set_random_seed(8)
    answers = teacher.predict(examples[0], verbose=0)
    pupil = keras.Sequential([keras.Input((16, 3)), keras.layers.Flatten(), keras.layers.Dense(CLASSES)])
    pupil.compile(keras.optimizers.Adam(0.05), keras.losses.CategoricalCrossentropy(from_logits=True))
    same = np.eye(CLASSES, dtype="float32")[np.zeros(10, int)]
    batches = tf.data.Dataset.from_tensor_slices((examples[0], same)).batch(10).repeat(300)
    pupil.fit(soften_labels(batches, teacher, fraction=1.0), verbose=0)
    learnt = keras.ops.softmax(pupil.predict(examples[0], verbose=0))
    np.testing.assert_allclose(learnt, keras.ops.softmax(answers), atol=0.01)
