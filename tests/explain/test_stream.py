"""Data sets in, explanations out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS, foreign
from tfxai3d import explain
from tfxai3d.errors import UserError


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


def test_a_store_gives_back_what_was_explained_and_explains_no_batch_twice(tmp_path):
    calls = []

    class Counted(explain.VanillaGradient):
        def __call__(self, inputs, target=None):
            calls.append(len(inputs))
            return super().__call__(inputs, target)

    vanilla = Counted(foreign(), data_kind="points")
    parts = [POINTS[:2], POINTS[2:4], POINTS[4:]]
    killed = explain.write_store(vanilla, parts, tmp_path)
    assert next(killed).name == "00000.npz"
    killed.close()
    with pytest.raises(UserError, match="not finished"):
        next(explain.read_store(tmp_path))
    paths = list(explain.write_store(vanilla, parts, tmp_path))
    assert calls == [len(part) for part in parts]
    assert [path.name for path in paths] == ["00000.npz", "00001.npz", "00002.npz"]
    found = np.concatenate([explained.importance for explained in explain.read_store(tmp_path)])
    np.testing.assert_allclose(found, vanilla(POINTS).importance, rtol=1e-6, atol=1e-9)


def test_a_store_of_something_else_is_left_alone(tmp_path):
    vanilla = explain.VanillaGradient(foreign(), data_kind="points")
    list(explain.write_store(vanilla, [POINTS], tmp_path, {"split": "test"}))
    with pytest.raises(UserError, match=r"split=train: .* holds a run with test; give the same settings"):
        next(explain.write_store(vanilla, [POINTS], tmp_path, {"split": "train"}))
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(UserError, match="missing or damaged"):
        next(explain.read_store(tmp_path))
