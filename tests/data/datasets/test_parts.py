"""Points with the parts that they lie on, the same shapes as those that are classified whole."""

import numpy as np
import pytest

from tfxai3d.data import open_dataset, shapes
from tfxai3d.errors import UserError

OPTIONS = {"num_points": 40, "num_examples": 30, "seed": 3}


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_point_has_the_part_that_it_lies_on(split):
    parts = open_dataset(None, "points", split, parts=True, **OPTIONS)
    whole = open_dataset(None, "points", split, **OPTIONS)
    np.testing.assert_array_equal(parts.inputs, whole.inputs)
    assert parts.labels.shape == (30, 40)
    assert parts.class_names == shapes.SHAPE_PARTS
    assert parts.where == whole.where
    seed = 6 + (split == "test")
    for number in (0, 7, 29):
        name = whole.class_names[whole.labels[number]]
        np.testing.assert_array_equal(parts.labels[number], shapes.draw_parts(name, 40, seed, number)[1])
        cloud = shapes.draw_cloud(name, 40, seed, number)
        own = [f"{name}/{cloud.part_names[part]}" for part in cloud.parts]
        found = [parts.class_names[label] for label in parts.labels[number]]
        assert np.mean(np.array(found) == own) > 0.5  # but for those where parts touch


def test_views_keep_the_order_of_the_points():
    split = open_dataset(None, "points", parts=True, **OPTIONS)
    first, second = split.views(2)
    np.testing.assert_allclose(second[..., 1], first[..., 1], atol=1e-6)
    some = split[4:6]
    np.testing.assert_array_equal(some.labels, split.labels[4:6])


def test_a_model_that_knows_some_parts():
    names = ("other", *shapes.parts_of("chair"), "table/leg")
    split = open_dataset(None, "points", parts=True, class_names=names, **OPTIONS)
    assert split.class_names == names
    assert {names[label].partition("/")[0] for label in np.unique(split.labels)} == {"chair"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((".", "points"), "parts are known of points of procedural shapes alone; leave data_dir out"),
        ((None, "voxels"), "parts are known of points of procedural shapes alone"),
        ((None, "points", "val"), "have no split val"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        open_dataset(*arguments, parts=True)
    with pytest.raises(UserError, match="knows the parts of no procedural class"):
        open_dataset(None, "points", parts=True, class_names=("chair",))
