import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfxai3d import explain
from tfxai3d.data import even_rotations
from tfxai3d.errors import UserError
from tfxai3d.evaluate import RotationTest, random_rotations

CLOUD = np.random.default_rng(0).uniform(-1, 1, (50, 3)).astype("float32")
TURNS = random_rotations(5, seed=4)


@settings(deadline=None)
@given(st.integers(0, 40), st.sampled_from(["y", "xyz"]), st.booleans(), st.integers(0, 1000))
def test_rotations_are_rotations(count, axes, composed, seed):
    matrices = random_rotations(count, axes, composed=composed, seed=seed)
    assert matrices.shape == (count, 3, 3)
    assert matrices.dtype == np.float32
    identities = matrices @ matrices.transpose(0, 2, 1)
    np.testing.assert_allclose(identities, np.broadcast_to(np.eye(3), identities.shape), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(matrices), np.ones(count), atol=1e-5)
    if axes == "y":
        np.testing.assert_allclose(matrices @ [0, 1, 0], np.tile([0, 1, 0], (count, 1)), atol=1e-6)


def test_seeds():
    np.testing.assert_array_equal(random_rotations(5, seed=3), random_rotations(5, seed=3))
    assert not np.allclose(random_rotations(5, seed=3), random_rotations(5, seed=4))
    assert not np.allclose(random_rotations(5, seed=(3, 1)), random_rotations(5, seed=(3, 2)))


@pytest.mark.parametrize("axes", ["y", "xyz"])
@pytest.mark.parametrize("count", [1, 2, 7, 64, 500])
def test_composed_rotations_continue_from_the_one_before(axes, count):
    single = random_rotations(count, axes, seed=1)
    product = np.eye(3)
    for matrix, composed in zip(single, random_rotations(count, axes, composed=True, seed=1), strict=True):
        product = matrix.astype(np.float64) @ product
        np.testing.assert_allclose(composed, product, atol=1e-4)


def test_about_x_then_y_then_z():
    angles = np.random.default_rng(9).uniform(0, 2 * np.pi, (3, 1))[:, 0]
    (c, cy, cz), (s, sy, sz) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    np.testing.assert_allclose(random_rotations(1, seed=9)[0], about_z @ about_y @ about_x, atol=1e-6)


def test_angles_are_uniform():
    turned = random_rotations(20_000, "y", seed=0) @ [1, 0, 0]
    angles = np.arctan2(turned[:, 2], turned[:, 0])
    for k in (1, 2, 3):  # the first moments of the uniform distribution on the circle vanish
        assert abs(np.mean(np.exp(1j * k * angles))) < 0.02
    histogram = np.histogram(angles, bins=8, range=(-np.pi, np.pi))[0]
    assert np.abs(histogram / 2500 - 1).max() < 0.1


def test_even_rotations_turn_about_y_in_equal_steps():
    turns = even_rotations(8)
    np.testing.assert_array_equal(turns[0], np.eye(3))
    np.testing.assert_allclose(turns @ [0, 2, 0], np.tile([0, 2, 0], (8, 1)), atol=1e-6)
    np.testing.assert_allclose(turns[1:], turns[1] @ turns[:-1], atol=1e-6)
    np.testing.assert_allclose(turns[1] @ turns[7], np.eye(3), atol=1e-6)
    np.testing.assert_allclose(turns[2] @ [1, 0, 0], [0, 0, -1], atol=1e-6)  # x to -z: counter-clockwise


class TestFeatures:
    NORMALS = CLOUD / np.linalg.norm(CLOUD, axis=1, keepdims=True)
    COLOURS = np.random.default_rng(1).uniform(0, 1, (50, 3)).astype("float32")

    def seen(self, cloud):
        """Returns what a network gets of each copy, as its scores: the first point."""
        last = tf.function(lambda copies: copies[:, 0])
        test = RotationTest(explain.network(last, "points", head="logits"), TURNS)
        return test.scores(cloud).numpy()

    def test_normals_turn_and_all_else_stays(self):
        for features, at in ((self.NORMALS, 3), (np.hstack([self.COLOURS, self.NORMALS]), 6)):
            cloud = np.hstack([CLOUD, features])
            expected = np.tile(cloud[0], (5, 1))
            for first in (0, at):
                expected[:, first : first + 3] = TURNS @ cloud[0, first : first + 3]
            np.testing.assert_allclose(self.seen(cloud), expected, atol=1e-6)

    def test_points_without_a_normal_have_0(self):
        cloud = np.hstack([CLOUD, self.NORMALS * (np.arange(50) > 30)[:, None]])
        np.testing.assert_array_equal(self.seen(cloud)[:, 3:], 0)
        cloud = cloud[::-1]
        np.testing.assert_allclose(self.seen(cloud)[:, 3:], TURNS @ cloud[0, 3:], atol=1e-6)

    def test_colours_and_intensities_stay(self):
        for features in (self.COLOURS, self.COLOURS[:, :1], 0 * self.COLOURS):
            np.testing.assert_array_equal(self.seen(np.hstack([CLOUD, features]))[:, 3:], features[[0] * 5])


class Angle:
    """A model whose three logits are written down for each quarter turn of a cloud at (1, 0, 0)."""

    data_kind = "points"
    logits = tf.math.log([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1]])

    def __call__(self, copies):
        x, z = copies[:, 0, 0], copies[:, 0, 2]
        quarter = tf.cast(tf.round(tf.atan2(-z, x) / (np.pi / 2)), tf.int32) % 4
        return tf.gather(self.logits, quarter)


def test_copies_vote_by_the_mean_of_their_probabilities():
    """Three of four say class 0, but not so surely as one says class 1."""
    cloud, turns = np.tile(np.float32([1, 0, 0]), (10, 1)), even_rotations(4)
    counted, voted = (RotationTest(Angle(), turns, points_at_once=20, vote=vote) for vote in (False, True))
    assert [counted(cloud, label)[0] for label in range(3)] == [0.75, 0.25, 0]
    assert [voted(cloud, label)[0] for label in range(3)] == [0, 1, 0]
    for test in (counted, voted):
        assert test(cloud, 1)[1] == pytest.approx(-np.mean(np.log([0.4, 0.4, 0.8, 0.4])), rel=1e-5)


@pytest.mark.parametrize("points_at_once", [170, 50, 20, 10_000])
def test_logits_equal_those_of_one_copy_after_the_other(tiny_model, points_at_once):
    """Chunks of 3 with a rest, of exactly one copy, smaller than a copy, and of all."""
    rotations = random_rotations(7, seed=2)
    test = RotationTest(tiny_model, rotations, points_at_once)
    logits = test.scores(CLOUD).numpy()
    expected = np.concatenate([tiny_model(CLOUD[None] @ matrix.T) for matrix in rotations])
    np.testing.assert_allclose(logits, expected, atol=1e-3 * np.ptp(expected, axis=0).min())
    accuracy, loss = test(CLOUD, 1)
    assert accuracy == pytest.approx(np.mean(expected.argmax(axis=1) == 1))
    shifted = expected - expected.max(axis=1, keepdims=True)
    assert loss == pytest.approx(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[:, 1]), rel=1e-3)


def test_any_number_of_points_without_tracing_again(tiny_model):
    test = RotationTest(tiny_model, random_rotations(3), points_at_once=60)
    accuracies = [test(CLOUD[:count], 0)[0] for count in (50, 10, 33, 50)]
    assert accuracies[0] == accuracies[3]
    assert test._compiled.experimental_get_tracing_count() == 1


def test_no_forward_pass_holds_more_points_than_allowed(tiny_model):
    sizes = []

    class Watched:
        data_kind = "points"

        def __call__(self, copies):
            tf.py_function(lambda x: sizes.append(x.shape[0] * x.shape[1]), [copies], [])
            return tiny_model(copies, training=False)

    test = RotationTest(Watched(), random_rotations(9), points_at_once=120)
    test.network.settle(CLOUD[None])  # one cloud at a time
    sizes.clear()
    test(CLOUD, 0)
    assert sorted(sizes) == [50, 100, 100, 100, 100]


@pytest.mark.parametrize("kind", [np.float64, np.float32])
@pytest.mark.parametrize("label", [2, np.int64(2), np.int32(2)])
def test_kinds_of_arguments(tiny_model, kind, label):
    test = RotationTest(tiny_model, np.eye(3)[None])
    accuracy, _ = test(CLOUD.astype(kind), label)
    assert accuracy == float(np.argmax(tiny_model(CLOUD[None])) == 2)


@pytest.mark.parametrize("rotations", [np.zeros((0, 3, 3)), np.eye(3), np.zeros((2, 3))])
def test_no_rotations_are_refused(tiny_model, rotations):
    with pytest.raises(UserError, match="rotations must be matrices"):
        RotationTest(tiny_model, rotations)
