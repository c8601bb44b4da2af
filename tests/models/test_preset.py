import json

import keras
import numpy as np
import pytest

from tests.reference.plain_pointnet import randomise
from tfxai3d.errors import UserError
from tfxai3d.models import PointNet, from_preset, model_card, presets, save_preset

X = np.random.default_rng(0).uniform(-1, 1, (4, 30, 3)).astype("float32")


@pytest.fixture
def model():
    net = PointNet(4, "basic", class_names=("a", "b", "c", "d"), name="another")
    randomise(net)
    return net


@pytest.fixture
def folder(model, tmp_path):
    save_preset(model, tmp_path / "preset", {"data": "none", "seed": 3})
    return tmp_path / "preset"


def test_round_trip(model, folder):
    again = from_preset(folder)
    assert again.get_config() == model.get_config()
    assert again.class_names == ("a", "b", "c", "d")
    assert model_card(folder) == {"data": "none", "seed": 3}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    for got, saved in zip(again.weights, model.weights, strict=True):
        half = np.asarray(saved).astype("float16" if len(saved.shape) > 1 else "float32")
        np.testing.assert_array_equal(got, half.astype("float32"))


def test_float16_changes_the_logits_little(model, folder):
    expected = np.asarray(model(X))
    assert np.abs(np.asarray(from_preset(folder)(X)) - expected).max() < 5e-3 * np.abs(expected).max()


def test_saving_what_was_loaded_loses_nothing_more(folder, tmp_path):
    once = from_preset(folder)
    save_preset(once, tmp_path / "again", {})
    np.testing.assert_array_equal(from_preset(tmp_path / "again")(X), once(X))


def _truncate(folder):
    path = folder / "weights.npz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_a_byte(folder):
    path = folder / "weights.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def _edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _store(folder, change):
    """Changes the arrays of the weights, the first of which is a matrix."""
    arrays = dict(np.load(folder / "weights.npz"))
    change(arrays, next(iter(arrays)))
    np.savez(folder / "weights.npz", **arrays)


def _filled(value):
    return lambda folder: _store(
        folder, lambda arrays, key: arrays.update({key: np.full_like(arrays[key], value)})
    )


def _typed(dtype):
    return lambda folder: _store(folder, lambda arrays, key: arrays.update({key: arrays[key].astype(dtype)}))


def _classes(**changes):
    return lambda folder: _edit(folder, config={"num_classes": 4, "variant": "basic"} | changes)


HOSTILE = {
    "NaN": (_filled(np.nan), "not finite"),
    "infinite": (_filled(-np.inf), "not finite"),
    "too large": (
        lambda folder: _store(folder, lambda a, k: a.update({k: np.full(a[k].shape, 1e300)})),
        "finite",
    ),
    "texts": (_typed("U8"), "no floating-point numbers"),
    "whole numbers": (_typed("int64"), "no floating-point numbers"),
    "complex numbers": (_typed("complex64"), "no floating-point numbers"),
    "dates": (
        lambda folder: _store(folder, lambda a, k: a.update({k: np.zeros(a[k].shape, "M8[s]")})),
        "no floating",
    ),
    "another shape": (lambda folder: _store(folder, lambda a, k: a.update({k: a[k].T})), "of shape"),
    "few names": (_classes(class_names=["a", "b"]), "names 2 of 4 classes"),
    "a text as names": (_classes(class_names="abcd"), "a list of texts"),
    "a mapping as names": (_classes(class_names={"a": 0, "b": 1, "c": 2, "d": 3}), "a list of texts"),
    "numbers as names": (_classes(class_names=[1, 2, 3, 4]), "a list of texts"),
    "absurd classes": (_classes(num_classes=2_000_000_000), "num_classes must be"),
    "negative classes": (_classes(num_classes=-1), "num_classes must be"),
    "classes in words": (_classes(num_classes="four"), "num_classes must be"),
    "no configuration": (lambda folder: _edit(folder, config=None), "not a readable preset"),
    "a deep configuration": (
        lambda folder: (folder / "config.json").write_text("[" * 100_000 + "]" * 100_000),
        "not a readable preset",
    ),
}


@pytest.mark.parametrize(("damage", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_preset_is_refused_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(UserError, match=message) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


def test_a_name_that_is_too_long():
    with pytest.raises(UserError, match="no preset"):
        from_preset("x" * 300)


DAMAGES = {
    "no weights": lambda folder: (folder / "weights.npz").unlink(),
    "empty weights": lambda folder: (folder / "weights.npz").write_bytes(b""),
    "text as weights": lambda folder: (folder / "weights.npz").write_text("weights"),
    "truncated weights": _truncate,
    "a flipped byte": _flip_a_byte,
    "empty config": lambda folder: (folder / "config.json").write_text(""),
    "config of another kind": lambda folder: (folder / "config.json").write_text("[1]"),
    "unknown model": lambda folder: _edit(folder, model="VGG"),
    "unknown option": lambda folder: _edit(folder, config={"num_classes": 4, "depth": 3}),
    "wrong number of classes": lambda folder: _edit(folder, config={"num_classes": 5, "variant": "basic"}),
    "weights of another variant": lambda folder: _edit(folder, config={"num_classes": 4, "variant": "full"}),
    "unknown variant": lambda folder: _edit(folder, config={"num_classes": 4, "variant": "huge"}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_preset_is_a_user_error(folder, damage):
    damage(folder)
    with pytest.raises(UserError) as caught:
        from_preset(folder)
    assert "\n" not in str(caught.value)


def test_no_such_preset(tmp_path):
    with pytest.raises(UserError, match="no preset 'pointnot'"):
        from_preset("pointnot")
    with pytest.raises(UserError, match="no preset"):
        from_preset(tmp_path)


@pytest.mark.parametrize("content", ["{", pytest.param("[" * 100_000 + "]" * 100_000, id="deep")])
def test_a_preset_without_its_card(folder, content):
    (folder / "card.json").write_text(content)
    with pytest.raises(UserError, match=r"no readable card\.json"):
        model_card(folder)


@pytest.mark.parametrize("name", presets())
def test_shipped_presets_load_and_have_a_complete_card(name):
    model, card = from_preset(name), model_card(name)
    assert isinstance(model, keras.Model)
    assert model.output_shape[-1] == len(model.class_names)
    assert model.output_shape[1:-1] == ((None,) if model.segments else ())
    wanted = {"data", "split", "epoch_choice", "epochs", "stages", "seed", "command", "parameters", "test"}
    assert wanted <= card.keys()
    assert len(card["test"]["worst_classes"]) == min(5, len(model.class_names))
