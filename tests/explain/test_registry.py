"""Explainers by name."""

import pytest

from tests.reference.networks import foreign
from tfxai3d import explain
from tfxai3d.errors import UserError

OPTIONS = {"batch_size": 3, "data_kind": "points", "steps": 7, "seed": 5, "pooling": "mean", "power": 2.0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vanilla_gradient", {}),
        ("integrated_gradients", {"steps": 7}),
        ("var_grad", {"seed": 5}),
        ("expected_gradients", {"seed": 5}),
        ("point_saliency", {"power": 2.0}),
    ],
)
def test_a_method_gets_the_options_that_it_takes(name, expected):
    explainer = explain.create(name, foreign(), **OPTIONS)
    assert (explainer.method, explainer.batch_size) == (name, 3)
    assert {option: explainer.options()[option] for option in expected} == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "methods= names no method; give one or more"),
        (
            ["deconvnet", "grad_cam", "deconvnet"],
            "methods=deconvnet,grad_cam,deconvnet: names a method twice",
        ),
        (["grad_cam", "lemon"], "unknown method 'lemon'; known are .*, grad_cam, "),
    ],
)
def test_names_that_are_wrong(names, message):
    with pytest.raises(UserError, match=message):
        explain.check_methods(names)


def test_an_unknown_method_is_named():
    for make in (explain.get, lambda name: explain.create(name, foreign(), **OPTIONS)):
        with pytest.raises(UserError, match="unknown method 'lemon'; known are "):
            make("lemon")
