import numpy as np
import pytest

from tfxai3d.view import (
    render_confusion,
    render_reliability,
)

image = pytest.importorskip("matplotlib.image")


def colors(path):
    """Returns the distinct colours of a picture and its size."""
    pixels = image.imread(path)
    return np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0), pixels.shape[:2]


def test_a_confusion_matrix_leaves_out_classes_without_examples(tmp_path):
    counts = np.zeros((30, 30), int)
    counts[3, 3], counts[3, 7], counts[7, 7] = 5, 2, 4
    names = [f"class $_{i}" for i in range(30)]  # no formula
    render_confusion(tmp_path / "few.png", counts, names, "5 of $7")
    render_confusion(tmp_path / "many.png", counts + 1, names, "title")
    (found, few), (_, many) = colors(tmp_path / "few.png"), colors(tmp_path / "many.png")
    assert len(found) > 10
    assert many[0] > 2 * few[0]


def test_a_reliability_diagram_with_empty_bins(tmp_path):
    edges, counts = np.linspace(0, 1, 6), np.array([0, 0, 3, 1, 6])
    accuracy = np.array([np.nan, np.nan, 0.3, 1.0, 0.9])
    render_reliability(tmp_path / "a.png", edges, counts, accuracy, "model: 7 of 10 right")
    found, _ = colors(tmp_path / "a.png")
    blue = np.abs(found[:, :3] - (0.122, 0.467, 0.706)).max(axis=1) < 0.01
    assert blue.any()
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
