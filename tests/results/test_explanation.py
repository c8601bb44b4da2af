import dataclasses
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tfxai3d.errors import UserError
from tfxai3d.explain import Explanation

FLOATS = {"allow_nan": False, "allow_infinity": False, "width": 32}


@st.composite
def explanations(draw):
    batch, size, classes = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["points", "voxels"]))
    shape = (batch, size, 3) if kind == "points" else (batch, size, size, size, 1)

    def floats(shape):
        return draw(arrays.arrays(np.float32, shape, elements=st.floats(**FLOATS)))

    return Explanation(
        inputs=floats(shape),
        attributions=floats(shape),
        importance=floats(shape[:-1]),
        target=draw(arrays.arrays(np.int64, (batch,), elements=st.integers(0, classes - 1))),
        scores=floats((batch, classes)),
        method=draw(st.text()),
        options=draw(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans())),
        kind=kind,
        convergence_delta=floats((batch,)) if draw(st.booleans()) else None,
        class_names=draw(st.none() | st.tuples(*[st.text()] * classes)),
        against=np.zeros(batch, np.int64) if draw(st.booleans()) else None,
        method_title=draw(st.none() | st.text()),
        affine=np.tile(np.diag([2.0, 3, 4, 1]), (batch, 1, 1)) if draw(st.booleans()) else None,
    )


@pytest.fixture
def explanation():
    return Explanation(
        inputs=np.zeros((2, 3, 3), np.float32),
        attributions=np.ones((2, 3, 3), np.float32),
        importance=np.arange(6, dtype=np.float32).reshape(2, 3),
        target=np.array([1, 0]),
        scores=np.array([[1, 3], [2, 1]], np.float32),
        method="p_grad_cam",
        options={"pooling": "max"},
        class_names=("Stuhl", "椅子"),
    )


@settings(deadline=None, max_examples=40)
@given(explanations())
def test_round_trip(tmp_path_factory, explanation):
    path = tmp_path_factory.getbasetemp() / "e.npz"
    explanation.save(path)
    again = Explanation.load(path)
    for field in dataclasses.fields(Explanation):
        saved, loaded = getattr(explanation, field.name), getattr(again, field.name)
        if isinstance(saved, np.ndarray):
            np.testing.assert_array_equal(saved, loaded)
            assert saved.dtype == loaded.dtype
        else:
            assert saved == loaded


def test_reading_is_comfortable(explanation):
    assert len(explanation) == 2
    assert explanation.predicted.tolist() == [1, 0]
    assert explanation.class_name(1) == "椅子"
    assert dataclasses.replace(explanation, class_names=None).class_name(1) == "1"


def test_a_file_without_the_title_of_its_method_is_read(tmp_path, explanation):
    path = tmp_path / "e.npz"
    dataclasses.replace(explanation, method_title="p-grad-CAM").save(path)
    assert Explanation.load(path).title == "p-grad-CAM"
    old = {"method": "p_grad_cam", "options": {}, "kind": "points", "class_names": None}
    _meta(json.dumps(old))(path)
    assert Explanation.load(path).title == "p-grad-CAM"


def _truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _a_flipped_byte(path):
    data = bytearray(path.read_bytes())
    data[data.index(b"scores.npy") + 60] ^= 0xFF
    path.write_bytes(data)


def _pickled(path):
    path.write_bytes(pickle.dumps({"inputs": 1}))


def _objects(path):
    with np.load(path) as store:
        content = dict(store)
    np.savez(path, **content | {"scores": np.array([{}, None], dtype=object)})


def _without(name):
    def damage(path):
        with np.load(path) as store:
            content = {key: store[key] for key in store.files if key != name}
        np.savez(path, **content)

    return damage


def _meta(value):
    def damage(path):
        with np.load(path) as store:
            content = dict(store) | {"meta": np.array(value)}
        np.savez(path, **content)

    return damage


def _bare_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _zip_of_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("explanation"),
    "truncated": _truncated,
    "a flipped byte": _a_flipped_byte,
    "pickled": _pickled,
    "pickled inside": _objects,
    "a bare array": _bare_array,
    "a zip of text": _zip_of_text,
    "no scores": _without("scores"),
    "no meta": _without("meta"),
    "meta is no JSON": _meta("{"),
    "meta is a list": _meta("[1]"),
    "meta lacks the method": _meta(json.dumps({"options": {}, "kind": "points", "class_names": None})),
    "class_names is a number": _meta(
        json.dumps({"method": "a", "options": {}, "kind": "points", "class_names": 3})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_or_foreign_file_is_a_user_error(tmp_path, explanation, damage):
    path = tmp_path / "e.npz"
    explanation.save(path)
    damage(path)
    with pytest.raises(UserError, match=r"e\.npz: not an explanation file") as caught:
        Explanation.load(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_a_user_error(tmp_path):
    for path in (tmp_path, tmp_path / "e.npz"):
        with pytest.raises(UserError, match="no such file"):
            Explanation.load(path)


def test_a_failing_write_leaves_the_old_file(tmp_path, explanation):
    path = tmp_path / "e.npz"
    explanation.save(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        dataclasses.replace(explanation, options={"not JSON": object()}).save(path)
    with pytest.raises(ValueError, match="inhomogeneous"):
        dataclasses.replace(explanation, scores=[[1.0, 2.0], [3.0]]).save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["e.npz"]


def test_a_disk_that_fails_midway_leaves_the_old_file(tmp_path, explanation, monkeypatch):
    path = tmp_path / "e.npz"
    explanation.save(path)
    before = path.read_bytes()

    def half(file, **content):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(UserError, match="No space"):
        explanation.save(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["e.npz"]


def test_folders_are_made(tmp_path, explanation):
    path = Path(tmp_path / "a" / "b" / "e.npz")
    explanation.save(path)
    assert len(Explanation.load(path)) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0, 1), True),
        ((-1, 5), True),
        ((0, 255), True),
        ((0, 0.5, 1), False),
        ((1, 2), False),
        ((-3, -2), False),
    ],
)
def test_occupancy_is_told_from_real_values(explanation, values, expected):
    grid = np.resize(np.float32(values), (2, 3, 3, 3, 1))
    voxels = dataclasses.replace(explanation, inputs=grid, kind="voxels")
    assert voxels.is_occupancy == expected
    assert not dataclasses.replace(voxels, kind="points").is_occupancy
