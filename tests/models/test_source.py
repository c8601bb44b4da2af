"""Models from wherever they are kept; tests/apps/test_export.py has the `.keras` files that are refused."""

import keras
import numpy as np
import pytest

from tfxai3d import models
from tfxai3d.errors import UserError

CLOUDS = np.random.default_rng(0).uniform(-1, 1, (2, 20, 3)).astype("float32")


def test_a_network_of_the_package_from_both_kinds_of_files(tiny_model, tmp_path):
    tiny_model.save(tmp_path / "tiny.keras")
    models.save_preset(tiny_model, tmp_path / "preset", {})
    for source in (tmp_path / "tiny.keras", str(tmp_path / "preset")):
        loaded = models.load_classifier(source)
        assert loaded.class_names == tiny_model.class_names
        np.testing.assert_allclose(loaded(CLOUDS), tiny_model(CLOUDS), atol=0.05)  # presets are float16


def test_another_network_is_loaded_but_is_no_classifier(tmp_path):
    points = keras.Input((None, 3))
    keras.Model(points, keras.layers.GlobalMaxPooling1D()(points)).save(tmp_path / "mine.keras")
    np.testing.assert_array_equal(models.load(tmp_path / "mine.keras")(CLOUDS), CLOUDS.max(axis=1))
    with pytest.raises(UserError, match=r"mine\.keras: a network of another kind; give a preset"):
        models.load_classifier(tmp_path / "mine.keras")
