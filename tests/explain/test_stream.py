"""Data sets in, explanations out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.reference.networks import POINTS, foreign
from tfxai3d import explain, models
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


def test_clouds_of_different_sizes_in_one_call():
    explainer = explain.GradientTimesInput(models.PointNet(4, "basic"))
    draw = np.random.default_rng(0)
    clouds = [draw.normal(size=(size, 3)).astype("float32") for size in (30, 20, 30, 25)]
    found = explain.each(explainer, clouds, [0, 3, 1, 2])
    for cloud, label, one in zip(clouds, [0, 3, 1, 2], found, strict=True):
        alone = explainer(cloud[None], label)
        assert len(one) == 1
        np.testing.assert_array_equal(one.inputs, alone.inputs)
        np.testing.assert_allclose(one.attributions, alone.attributions, rtol=1e-4, atol=1e-6)
        assert one.target.tolist() == [label]
    predicted = explain.each(explainer, clouds)
    assert [one.target[0] for one in predicted] == [one.predicted[0] for one in predicted]
    with pytest.raises(UserError, match="4 examples need as many targets, there are 1"):
        explain.each(explainer, clouds, [0])


def test_one_example_of_an_explanation():
    explained = explain.VanillaGradient(models.PointNet(4, "basic"))(
        np.random.default_rng(0).normal(size=(3, 20, 3))
    )
    np.testing.assert_array_equal(explained[-1].importance, explained.importance[2:])
    assert [one.target[0] for one in explained] == explained.target.tolist()
    with pytest.raises(IndexError):
        explained[3]
