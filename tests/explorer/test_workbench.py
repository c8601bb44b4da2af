"""What is left of an object, against the network asked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explorer import Question
from tfxai3d.explorer.workbench import _FILES

CLOUD = Question("points", label="cloud", number=1)
BOX = Question("voxels", label="box")
METHODS = ["vanilla_gradient", "deconvnet"]


def chances(network, inputs):
    """Returns the probabilities that a network gives, by TensorFlow."""
    return tf.nn.softmax(network(tf.constant(inputs[None], tf.float32)))[0].numpy()


@pytest.mark.parametrize("removed", [0, 1, 17, 50])
@pytest.mark.parametrize("first", ["most", "least"])
def test_points_that_went_are_gone(workbench, first, removed):
    network = workbench.opened("points").network
    answers = workbench.remaining(CLOUD, METHODS, first, removed)
    for method, answer in zip(METHODS, answers, strict=True):
        explanation = workbench.explained(CLOUD, method)
        order = np.argsort((-1 if first == "most" else 1) * explanation.importance[0], kind="stable")
        expected = chances(network, explanation.inputs[0][np.sort(order[removed:])])
        target = int(explanation.target[0])
        assert answer["confidence"] == pytest.approx(expected[target], abs=1e-5)
        assert answer["predicted"] == network.class_names[int(expected.argmax())]
        found = {name: chance for name, chance, _ in answer["bars"]}
        named = dict(zip(network.class_names, expected, strict=True))
        assert found == pytest.approx({name: named[name] for name in found}, abs=1e-5)
        assert [name for name, _, asked in answer["bars"] if asked] == [network.class_names[target]]


def test_voxels_that_went_are_empty_and_empty_ones_stay(workbench):
    network = workbench.opened("voxels").network
    laid = workbench.laid(BOX)
    assert laid.places.sum() == 4 * 6 * 3
    assert laid.most == 71
    (answer,) = workbench.remaining(BOX, ["deconvnet"], "most", 30)
    importance = workbench.explained(BOX, "deconvnet").importance[0]
    left = laid.exhibit.inputs.copy()
    inside = np.argwhere(left[..., 0] > 0)
    order = np.argsort(-importance[tuple(inside.T)], kind="stable")
    left[tuple(inside[order[:30]].T)] = 0
    assert answer["confidence"] == pytest.approx(chances(network, left)[int(laid.bare.target[0])], abs=1e-5)
    goes = workbench.goes(BOX, "deconvnet", "most").reshape(8, 8, 8)
    assert (goes[laid.exhibit.inputs[..., 0] == 0] == -1).all()
    assert sorted(goes[goes >= 0]) == list(range(72))


def test_clouds_that_become_smaller_trace_nothing_anew(workbench):
    for removed in (3, 40, 11, 28, 0):
        workbench.remaining(CLOUD, METHODS[: 1 + removed % 2], "most", removed)
    compiled = workbench.opened("points").remains._forward._compiled
    assert compiled.experimental_get_tracing_count() == 1


def test_a_class_or_two_are_asked_about(workbench):
    asked = Question("points", label="cloud", number=1, target="lamp")
    assert workbench.explained(asked, "vanilla_gradient").target.tolist() == [2]
    contrast = Question("points", label="cloud", number=1, target="sofa-cup")
    two = workbench.explained(contrast, "vanilla_gradient")
    assert (two.target.tolist(), two.against.tolist()) == ([3], [1])
    shown = workbench.answer(asked, np.array([9.0, 8, -9, 7, 6]))["bars"]
    assert [name for name, _, _ in shown] == ["chair", "cup", "sofa", "lamp"]  # it is shown, however unlikely


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"network": "other"}, "network 'other': must be one of points, voxels, missing"),
        ({"network": "missing"}, "nowhere.keras: no such file; check the path"),
        ({"label": "tree"}, "points knows no embedded object 'tree'"),
        ({"file": "00"}, "this file is no longer kept; drop it again"),
        ({"target": "tree"}, "target: 'tree' is no class of the model"),
        ({"number": -1}, "the number of an object is a whole number from 0"),
        ({"number": "1"}, "the number of an object is a whole number from 0"),
        ({"network": ["points"]}, "this is no question that the page asks"),
    ],
)
def test_what_cannot_be_is_one_sentence(workbench, asked, said):
    with pytest.raises(UserError, match=said):
        workbench.laid(Question.read({"network": "points", "label": "cloud", **asked}))


def test_no_more_goes_than_can(workbench):
    assert workbench.laid(CLOUD).most == 50  # ten points stay
    for removed in (-1, 51):
        with pytest.raises(UserError, match="of this object 0 to 50 of the points can go"):
            workbench.remaining(CLOUD, METHODS, "most", removed)


def test_networks_of_parts_and_of_values_are_refused(tiny_model):
    import keras

    from tfxai3d import explain
    from tfxai3d.explorer import Workbench
    from tfxai3d.models import PointNetParts

    inputs = keras.Input((None, 3))
    value = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.GlobalMaxPooling1D()(inputs)))
    networks = {
        "parts": lambda: explain.network(PointNetParts(3, 0.0625)),
        "value": lambda: explain.network(value, "points"),
    }
    bench = Workbench(networks, None, None)
    with pytest.raises(UserError, match="parts classifies each of the points; the explorer shows"):
        bench.opened("parts")
    with pytest.raises(UserError, match="needs a model of classes"):
        bench.opened("value")


def test_the_oldest_uploads_go(workbench, tmp_path):
    paths = [tmp_path / f"{number}.npy" for number in range(_FILES + 2)]
    for path in paths:
        path.touch()
        workbench.keep(path.stem, path)
    assert [path.exists() for path in paths] == [False] * 2 + [True] * _FILES
