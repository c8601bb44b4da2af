import numpy as np
import pytest
import tensorflow as tf

from tfxai3d import data
from tfxai3d.data.augment import points as transforms
from tfxai3d.errors import UserError

SEED = tf.constant([3, 1], tf.int64)
FIRST = tf.constant([1, 0], tf.int64)  # what augmentation adds to the seed for the first transform
POINTS = np.random.default_rng(0).uniform(-1, 1, (6, 50, 3)).astype("float32")


@pytest.mark.parametrize("name", transforms.TRANSFORMS)
def test_every_transform_follows_its_seed_and_treats_each_cloud_on_its_own(name):
    transform = transforms.TRANSFORMS[name]
    same = np.repeat(POINTS[:1], 4, axis=0)
    moved = transform(same, SEED).numpy()
    assert moved.shape == same.shape
    assert moved.dtype == np.float32
    np.testing.assert_array_equal(moved, transform(same, SEED))
    assert np.abs(moved - transform(same, SEED + 1)).max() > 1e-3
    for i in range(1, 4):
        assert np.abs(moved[i] - moved[0]).max() > 1e-3


def test_rotation_keeps_heights_distances_and_handedness():
    rotated = transforms.rotate_up(POINTS, SEED).numpy()
    np.testing.assert_array_equal(rotated[..., 1], POINTS[..., 1])
    radius = np.hypot(POINTS[..., 0], POINTS[..., 2])
    np.testing.assert_allclose(np.hypot(rotated[..., 0], rotated[..., 2]), radius, rtol=1e-5)
    volume = np.linalg.det(POINTS[:, :3].astype(float))
    np.testing.assert_allclose(np.linalg.det(rotated[:, :3].astype(float)), volume, rtol=1e-3, atol=1e-6)


def test_rotation_angles_fill_the_circle():
    rotated = transforms.rotate_up(np.tile(np.float32([[[1, 0, 0]]]), (4000, 1, 1)), SEED).numpy()[:, 0]
    angles = np.sort(np.arctan2(rotated[:, 2], rotated[:, 0]))
    assert np.abs(angles - np.linspace(-np.pi, np.pi, 4000)).max() < 0.15


def test_jitter_is_small_and_cut():
    noise = transforms.jitter(np.zeros((50, 2000, 3), "float32"), SEED).numpy()
    assert np.abs(noise).max() <= np.float32(0.05)
    assert noise.std() == pytest.approx(0.01, rel=0.02)
    assert abs(noise.mean()) < 1e-4


def test_scale_is_one_factor_a_cloud():
    factor = transforms.scale(np.ones((2000, 3, 3), "float32"), SEED).numpy()
    assert np.ptp(factor, axis=(1, 2)).max() == 0
    assert 0.8 <= factor.min() < 0.81
    assert 1.24 < factor.max() <= 1.25


def test_scale_axes_is_one_factor_an_axis():
    factor = transforms.scale_axes(np.ones((2000, 3, 3), "float32"), SEED).numpy()
    assert np.ptp(factor, axis=1).max() == 0
    assert np.ptp(factor, axis=2).min() > 0
    assert 2 / 3 - 1e-6 <= factor.min() < 0.67
    assert 1.49 < factor.max() <= 1.5


@pytest.mark.parametrize(("transform", "limit"), [(transforms.shift, 0.1), (transforms.shift_far, 0.2)])
def test_shift_is_one_offset_an_axis(transform, limit):
    offset = transform(np.zeros((2000, 3, 3), "float32"), SEED).numpy()
    assert np.ptp(offset, axis=1).max() == 0
    assert 0.98 * limit < np.abs(offset).max() <= np.float32(limit)
    assert abs(offset.mean()) < 0.05 * limit


def test_augmentation_applies_in_order_with_independent_seeds():
    augment = data.augmentation(["shift", "scale"])
    expected = transforms.scale(transforms.shift(POINTS, SEED + FIRST), SEED + 2 * FIRST)
    np.testing.assert_array_equal(augment(POINTS, SEED), expected)
    twice = data.augmentation(["shift", "shift"])(np.zeros((1, 1, 3), "float32"), SEED).numpy()
    once = transforms.shift(np.zeros((1, 1, 3), "float32"), SEED + FIRST).numpy()
    assert np.abs(twice - 2 * once).max() > 1e-3
    np.testing.assert_array_equal(data.augmentation([])(POINTS, SEED), POINTS)


def test_an_unknown_augmentation_is_a_user_error():
    with pytest.raises(UserError, match=r"unknown augmentation 'spin'; known are rotate_up, .*shift_far"):
        data.augmentation(["jitter", "spin"])


def epoch(number, run=0, num_points=40, augment=(), batch_size=4):
    """Returns one epoch of 22 clouds whose points are (cloud, point, 0)."""
    cloud, point = np.meshgrid(np.arange(22.0), np.arange(40.0), indexing="ij")
    made = data.training_batches(
        np.stack([cloud, point, 0 * point], axis=-1).astype("float32"),
        np.arange(22) % 5,
        num_classes=5,
        batch_size=batch_size,
        num_points=num_points,
        augment=data.augmentation(augment),
        seed=(run, number),
    )
    return [(points.numpy(), labels.numpy()) for points, labels in made]


def test_an_epoch_holds_every_cloud_once_with_its_label():
    batches = epoch(0, batch_size=11)
    clouds = np.concatenate([points[:, 0, 0] for points, _ in batches]).astype(int)
    assert sorted(clouds) == list(range(22))
    assert (clouds != np.arange(22)).any()
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels, np.eye(5)[clouds % 5])
    for points, _ in batches:
        np.testing.assert_array_equal(points[:, :, 1], np.tile(np.arange(40.0), (11, 1)))


def test_labels_of_points_stay_with_their_points():
    cloud, point = np.meshgrid(np.arange(22.0), np.arange(40.0), indexing="ij")
    made = data.training_batches(
        np.stack([cloud, point, 0 * point], axis=-1).astype("float32"),
        (3 * cloud + point).astype(int) % 7,
        num_classes=7,
        batch_size=4,
        num_points=25,
        augment=data.augmentation(()),
        seed=(0, 1),
    )
    for points, labels in made:
        assert labels.shape == (4, 25, 7)
        expected = (3 * points[..., 0].numpy() + points[..., 1].numpy()).astype(int) % 7
        np.testing.assert_array_equal(labels, np.eye(7)[expected])


def test_an_incomplete_last_batch_is_left_out():
    assert [points.shape for points, _ in epoch(0)] == [(4, 40, 3)] * 5


def test_equal_seeds_give_equal_epochs_and_others_do_not():
    options = {"num_points": 30, "augment": ("rotate_up", "jitter")}
    first = epoch(2, 1, **options)
    for (a, la), (b, lb) in zip(first, epoch(2, 1, **options), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(la, lb)
    for other in (epoch(3, 1, **options), epoch(2, 2, **options)):
        assert any((la != lb).any() for (_, la), (_, lb) in zip(first, other, strict=True))
        assert all((a != b).any() for (a, _), (b, _) in zip(first, other, strict=True))


def test_subsets_of_the_points_have_no_repeats_and_change_with_every_batch():
    kept = [points[..., 1].astype(int) for points, _ in epoch(0, num_points=25)]
    for batch in kept:
        assert batch.shape == (4, 25)
        assert all(len(set(row)) == 25 for row in batch)
    assert len({tuple(sorted(batch[0])) for batch in kept}) == len(kept)
    assert len(set(np.concatenate(kept).ravel())) > 35


def test_normals_turn_with_the_surface_and_other_features_stay():
    """Points of a plane, normals of which are known after each transform."""
    random = np.random.default_rng(1)
    a, b = random.normal(size=(2, 6, 1, 3))
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    plane = random.normal(size=(6, 50, 1)) * a + random.normal(size=(6, 50, 1)) * b
    rest = random.uniform(0, 99, (6, 50, 2))
    points = np.concatenate(
        [plane, rest[..., :1], np.broadcast_to(normal, plane.shape), rest[..., 1:]], -1
    ).astype("float32")
    names = ["rotate_up", "scale_axes", "shift", "scale"]
    moved = data.augmentation(names, normals=4)(points, SEED).numpy()
    expected = data.augmentation(names)(points[..., :3], SEED).numpy()
    np.testing.assert_array_equal(moved[..., :3], expected)
    np.testing.assert_array_equal(moved[..., [3, 7]], points[..., [3, 7]])
    np.testing.assert_allclose(np.linalg.norm(moved[..., 4:7], axis=-1), 1, rtol=1e-5)
    inside = moved[:, 1:, :3] - moved[:, :1, :3]
    np.testing.assert_allclose(np.einsum("bnc,bc->bn", inside, moved[:, 0, 4:7]), 0, atol=1e-5)
    assert np.abs(moved[..., 4:7] - points[..., 4:7]).max() > 0.1
    untouched = data.augmentation(names)(points, SEED).numpy()
    np.testing.assert_array_equal(untouched[..., 3:], points[..., 3:])
