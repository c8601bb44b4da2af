"""A pruned network from the weights that are left alone: the same scores, the same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfxai3d import explain, models, serve
from tfxai3d.errors import UserError
from tfxai3d.pruning import prune_magnitude


@pytest.fixture
def pruned():
    """A PointNet with a tenth of its weights left, and clouds."""
    keras.utils.set_random_seed(0)
    model = models.PointNet(5, "basic")
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if len(variable.shape) == 1 and "seed" not in variable.path:
            variable.assign(rng.uniform(0.2, 1.5, variable.shape))
    prune_magnitude(model, 0.1, importance="lamp")
    return model, rng.uniform(-1, 1, (3, 50, 3)).astype("float32")


def gradient(function, clouds):
    with tf.GradientTape() as tape:
        x = tf.constant(clouds)
        tape.watch(x)
        score = function(x)[:, 2]
    return tape.gradient(score, x).numpy()


@pytest.mark.parametrize("most", [0.1, 1.0])
def test_scores_and_gradients_are_those_of_the_model(float64, pruned, most):
    model, clouds = pruned
    fast = serve.compile_sparse(model, most)
    for some in (clouds, clouds[:1, :7]):
        np.testing.assert_allclose(fast(tf.constant(some, "float64")), model(some), rtol=0, atol=1e-10)
        some = some.astype("float64")
        expected = gradient(lambda x: model(x, training=False), some)
        assert np.abs(expected).max() > 1e-4
        np.testing.assert_allclose(gradient(fast, some), expected, rtol=0, atol=1e-10)


def test_it_is_explained_like_the_model(pruned):
    model, clouds = pruned
    fast = serve.compile_sparse(model)
    maps = [explain.IntegratedGradients(net, 8, data_kind="points")(clouds, 1) for net in (model, fast)]
    largest = np.abs(maps[0].attributions).max()
    np.testing.assert_allclose(maps[1].attributions, maps[0].attributions, rtol=0, atol=1e-4 * largest)
    np.testing.assert_allclose(maps[1].scores, maps[0].scores, rtol=0, atol=1e-5)


def test_it_keeps_the_weights_of_now(pruned):
    model, clouds = pruned
    before, fast = model(clouds).numpy(), serve.compile_sparse(model, 1.0)
    for variable in model.trainable_variables:
        variable.assign(variable * 2)
    np.testing.assert_allclose(fast(clouds), before, atol=1e-5)


def test_models_that_it_cannot_help():
    dense = models.PointNet(5, "basic")
    with pytest.raises(UserError, match="no layer with at most 10% of its weights left"):
        serve.compile_sparse(dense)

    class Own(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(UserError, match="is not functional"):
        serve.compile_sparse(Own())
