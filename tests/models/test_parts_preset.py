"""The shipped network for parts does what its card says, and what it is asked about parts adds up."""

import numpy as np
import pytest

from tfxai3d import data, evaluate, explain, models

NAME = "pointnet_parts_shapes"


@pytest.fixture(scope="module")
def model():
    return models.from_preset(NAME)


def test_it_knows_every_part(model):
    assert model.class_names == data.shapes.SHAPE_PARTS


def test_the_stated_accuracy_on_other_shapes(model):
    split = data.open_dataset(None, "points", num_points=1024, num_examples=50, seed=11, parts=True)
    found = evaluate.segment(model, split.inputs, split.labels)
    stated = models.model_card(NAME)["test"]
    assert found.overall_accuracy == pytest.approx(stated["overall_accuracy"], abs=0.03)
    assert found.mean_iou == pytest.approx(stated["mean_iou"], abs=0.05)
    assert stated["worst_categories"] == dict(sorted(stated["worst_categories"].items(), key=lambda i: i[1]))


def test_the_attributions_of_a_region_add_up(model):
    chair = data.shapes.sample_shape(data.shapes.make_shape("chair", 0), 128, 0).points[None]
    leg = model.class_names.index("chair/leg")
    explainer = explain.IntegratedGradients(model, steps=100)
    found = explainer(chair, explain.Region(leg))
    region = np.asarray(model(chair)).argmax(axis=-1) == leg
    np.testing.assert_array_equal(found.region, region)
    base = np.asarray(model(0 * chair))[0, region[0], leg].mean()
    score = np.asarray(model(chair))[0, region[0], leg].mean()
    assert found.scores[0, leg] == pytest.approx(score, rel=1e-4)
    assert found.attributions.sum() == pytest.approx(score - base, rel=0.1)
    assert found.attributions.sum() - found.convergence_delta[0] == pytest.approx(score - base, rel=1e-3)
