"""Metrics against those of Quantus that define the same, on images (tests/files/quantus.npz)."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tfxai3d import explain
from tfxai3d.evaluate import METRICS, Rated, Subject
from tfxai3d.evaluate.faithfulness import subsets

L = keras.layers
THEIRS = np.load(Path(__file__).parents[2] / "files" / "quantus.npz")
IMAGES, LABELS, MAPS = THEIRS["images"][:, None], THEIRS["labels"], THEIRS["maps"]


def network():
    """Returns the network of the images, as one of volumes of depth 1."""
    image = keras.Input(IMAGES.shape[1:])
    x = L.Flatten()(L.Conv3D(4, (1, 3, 3), padding="same", activation="softplus")(image))
    model = keras.Model(image, L.Dense(2)(x))
    flat = [THEIRS[f"weight_{i}"] for i in range(4)]
    model.set_weights([flat[0][None], *flat[1:]])
    return explain.network(model, "voxels")


@pytest.fixture(scope="module")
def rated():
    model = network()
    explainer = explain.GradientTimesInput(model)
    subject = Subject(model, IMAGES, LABELS)
    return Rated(subject, lambda inputs, labels: explainer(inputs, labels).importance)


def with_subsets(rated, gone):
    """Returns the same with Quantus's random subsets, bool (B,S,M), in the place of its own."""
    subject = Subject(rated.subject.model, IMAGES, LABELS)
    left = np.take_along_axis(subject.scores(~gone), LABELS[:, None, None], axis=-1)[..., 0]
    vars(subject)["subsets"] = gone, np.take_along_axis(subject.whole, LABELS[:, None], axis=1) - left
    return Rated(subject, rated.rate)


def test_the_maps_are_the_same(rated):
    np.testing.assert_allclose(rated.importance, MAPS.reshape(len(MAPS), -1), rtol=1e-4, atol=1e-6)


def test_gini_is_their_sparseness(rated):
    np.testing.assert_allclose(METRICS["gini"].measure(rated), THEIRS["gini"], rtol=1e-4)


def test_entropy_is_their_complexity_by_its_largest(rated):
    expected = THEIRS["entropy"] / np.log(MAPS[0].size)
    np.testing.assert_allclose(METRICS["entropy"].measure(rated), expected, rtol=1e-5)


def test_the_deletion_curve_is_their_pixel_flipping(rated):
    theirs = THEIRS["flipping"]  # the last step leaves nothing
    fractions = np.arange(1, theirs.shape[1] + 1) / theirs.shape[1] + 1e-9  # what is left is rounded down
    curve = rated.subject.confidence(rated.removed(rated.importance, fractions.tolist()))
    np.testing.assert_allclose(curve, theirs, rtol=1e-4, atol=1e-6)
    assert np.ptp(theirs, axis=1).min() > 0.1


def test_sensitivity_n_is_the_mean_of_their_faithfulness_correlations(rated):
    assert list(subsets.SUBSETS.values()) == [16, 16, 16]
    given = with_subsets(rated, THEIRS["correlation_gone"])
    np.testing.assert_allclose(METRICS["sensitivity_n"].measure(given), THEIRS["correlation"], rtol=1e-4)


def test_infidelity_is_theirs_with_the_best_scale_of_the_map(rated):
    none, once, twice = THEIRS["infidelity"].T  # a parabola in the scale 0, 1, 2
    bend = (twice - 2 * once + none) / 2
    slope = (once - none - bend) / 2
    assert (slope < 0).all()  # the best scale is above 0
    given = with_subsets(rated, THEIRS["infidelity_gone"])
    expected = 1 - slope**2 / (bend * none)
    np.testing.assert_allclose(METRICS["infidelity"].measure(given), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["max_sensitivity", "other_class"])
def test_maps_of_other_inputs_and_classes_differ_as_theirs(rated, name):
    np.testing.assert_allclose(METRICS[name].measure(rated), THEIRS[name], rtol=1e-3)


def test_mass_and_ranking_are_their_mass_accuracy_and_auc(rated):
    known = Subject(rated.subject.model, IMAGES, LABELS, THEIRS["truth"].reshape(IMAGES.shape[:-1]))
    for name in ("mass", "ranking"):
        np.testing.assert_allclose(METRICS[name].measure(Rated(known, rated.rate)), THEIRS[name], rtol=1e-4)
