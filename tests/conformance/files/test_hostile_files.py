"""Presets and files of results that are damaged or made to do harm: one line each, and no effect."""

import contextlib
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.files import damages
from tests.conformance.files.kinds import CSV, JSON, NPZ, TABLE, edited
from tfxai3d.errors import UserError
from tfxai3d.storage import hdf5

_OF_EXPLANATIONS = {
    "another kind": damages.said(kind="meshes"),
    "a kind that is a list": damages.said(kind=["points"]),
    "a method that is a number": damages.said(method=3),
    "options that are a list": damages.said(options=[1]),
    "one name for two classes": damages.said(class_names=["chair"]),
    "names that are one text": damages.said(class_names="ab"),
    "names that are numbers": damages.said(class_names=[1, 2]),
    "channels elsewhere": damages.said(data_format="channels_middle"),
    "up is down": damages.said(up="down"),
    "no such class": damages.held(target=np.array([1, 7])),
    "a negative class": damages.held(target=np.array([1, -1])),
    "a broken class": damages.held(target=np.array([0.5, 1])),
    "three classes for two": damages.held(target=np.array([1, 0, 1])),
    "against no such class": damages.held(against=np.array([9, 0])),
    "an affine of one": damages.held(affine=np.eye(4)),
    "an affine that is not finite": damages.held(affine=np.full((2, 4, 4), np.nan)),
    "scores of one": damages.held(scores=np.float32([1, 2])),
}
_OF_FINDINGS = {
    "a picture elsewhere": {"pictures": {"../../../etc/hostname": "x"}},
    "an absolute picture": {"pictures": {"/etc/hostname": "x"}},
    "pictures in a list": {"pictures": ["heat.png"]},
    "a title that is a number": {"title": 1},
    "rows of other lengths": {"rows": [["1"]]},
    "something else": {"code": "import os"},
}


def _changed(**changes):
    return lambda path, key: edited(path, **changes)


CASES = [(kind, NPZ[kind], name, damage) for kind in NPZ for name, damage in damages.of_npz(kind).items()]
CASES += [("explanation", NPZ["explanation"], *one) for one in _OF_EXPLANATIONS.items()]
CASES += [(kind, JSON[kind], *one) for kind in JSON for one in damages.OF_JSON.items()]
CASES += [("finding", JSON["finding"], name, _changed(**more)) for name, more in _OF_FINDINGS.items()]
CASES += [(kind, CSV[kind], *one) for kind in CSV for one in damages.OF_CSV.items()]
CASES += [("drop table", TABLE, *one) for one in damages.OF_TABLE.items()]
_MOST = 64 << 20  # bytes


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Returns the content of the folder that has a good file of a kind, written once."""
    written = {}

    def content(kind):
        if kind.write not in written:
            folder = tmp_path_factory.mktemp("good")
            kind.write(folder)
            written[kind.write] = {path.name: path.read_bytes() for path in folder.iterdir()}
        return written[kind.write]

    return content


@pytest.fixture(autouse=True)
def _without_another_process(monkeypatch):
    """HDF5 is read by another process, whose start takes longer than all else here."""
    monkeypatch.setattr(hdf5, "call", lambda function, path, *arguments: dict(function(path, *arguments)))


def put(content, folder):
    for name, raw in content.items():
        (folder / name).write_bytes(raw)


def test_there_are_more_than_two_hundred():
    assert len(CASES) > 200


@pytest.mark.parametrize("kind", [*NPZ.values(), *JSON.values(), *CSV.values(), TABLE], ids=lambda k: k.file)
def test_a_good_file_is_read(good, tmp_path, kind):
    put(good(kind), tmp_path)
    kind.read(tmp_path)


@pytest.mark.parametrize(("name", "kind", "what", "damage"), CASES, ids=[f"{c[0]}, {c[2]}" for c in CASES])
def test_a_hostile_file_is_one_line(good, tmp_path, name, kind, what, damage):
    put(good(kind), tmp_path)
    damage(tmp_path / kind.file, kind.key)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            kind.read(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path) in message
    assert len(message) < 700 + len(str(tmp_path))
    assert peak < _MOST
    assert not damages.Bomb.exploded
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("kind", NPZ.values(), ids=NPZ)
def test_a_member_that_leads_out_of_the_archive_writes_nothing(good, tmp_path, kind):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    put(good(kind), folder)
    with zipfile.ZipFile(folder / kind.file, "a") as archive:
        archive.writestr("../../evil.npy", b"was here")
        archive.writestr("/evil.npy", b"was here")
    with contextlib.suppress(UserError):
        kind.read(folder)
    assert not list(tmp_path.rglob("evil*"))
    assert not Path("/evil.npy").exists()
