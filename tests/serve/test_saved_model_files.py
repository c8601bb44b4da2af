"""The files of a SavedModel: which are read, and that none leads out of its folder."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from tests.serve import hostile
from tests.serve.hostile import put, refused
from tfxai3d import serve
from tfxai3d.errors import UserError
from tfxai3d.models.saved_model.folder import FACTS

POINTS = np.ones((2, 4, 3), np.float32)


def test_text(edited, tmp_path):
    put(edited.place("else_branch"), *hostile.write_file(tmp_path / "written"))
    folder = edited.write()
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(edited.content))
    (folder / "saved_model.pb").unlink()
    refused(folder, "operation WriteFile")


def test_text_beside_a_harmless_one(edited, small, tmp_path):
    put(edited.place("body"), *hostile.write_file(tmp_path / "written"))
    folder = edited.write()
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(edited.content))
    shutil.copy(small / "saved_model.pb", folder)
    refused(folder, "operation WriteFile")


def test_several_graphs(edited):
    edited.content.meta_graphs.add().CopyFrom(edited.meta)
    refused(edited.write(), "several graphs")


def test_of_tensorflow_1(tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        points = tf.compat.v1.placeholder(tf.float32, (None, None, 3))
        tf.compat.v1.saved_model.simple_save(
            session, str(tmp_path / "1"), {"points": points}, {"logits": points[:, 0]}
        )
    refused(tmp_path / "1", "TensorFlow 1")
    loaded = serve.load(tmp_path / "1", "points", trust=True)
    np.testing.assert_array_equal(loaded(POINTS), POINTS[:, 0])


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd"])
def test_assets_elsewhere(edited, name):
    edited.meta.asset_file_def.add(filename=name)
    refused(edited.write(), name, "not in the folder")


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables", "variables/variables.index", "assets", "assets.extra"]
)
def test_links_out_of_the_folder(edited, name, tmp_path):
    folder = edited.write()
    place = folder / name
    if place.exists():
        shutil.move(place, tmp_path / "outside")
    else:
        (tmp_path / "outside").mkdir()
    if place.is_dir():
        place.rmdir()
    place.symlink_to(tmp_path / "outside")
    refused(folder, name, "leaves the folder")


def test_links_within_the_folder(edited):
    folder = edited.write()
    (folder / "variables").rename(folder / "data")
    (folder / "variables").symlink_to("data")
    assert serve.load(folder, "points")(POINTS).shape == (2, 2)


def test_a_pipe(edited):
    folder = edited.write()
    os.mkfifo(folder / "fingerprint.pipe")
    refused(folder, "is no file")


def test_a_graph_that_is_too_large(edited):
    folder = edited.write()
    os.truncate(folder / "saved_model.pb", 3 << 30)  # holes, which take no room on the disk
    refused(folder, "saved_model.pb is of more than")


def test_variables_that_are_not_there(edited):
    folder = edited.write()
    (data,) = (folder / "variables").glob("variables.data-*")
    data.write_bytes(data.read_bytes()[:10])
    refused(folder, "variable", "declares")


FACTS_OF_STRANGERS = {
    "few names": ({"class_names": ["a"]}, "names 1 of 2 classes"),
    "a text as names": ({"class_names": "ab"}, "class names that are no text"),
    "numbers as names": ({"class_names": [1, 2]}, "class names that are no text"),
    "another kind": ({"data_kind": "images"}, "does not describe a model"),
    "a method of nobody": ({"methods": {"lime\nlime": {}}}, "does not describe a model"),
    "options that are none": ({"methods": {"vanilla_gradient": 3}}, "the options of its methods"),
    "no such signature": ({"methods": {"vanilla_gradient": {}}}, "lacks its signature"),
    "no methods": ({"methods": 3}, "not a readable SavedModel"),
}


@pytest.mark.parametrize(("facts", "message"), FACTS_OF_STRANGERS.values(), ids=FACTS_OF_STRANGERS)
def test_facts_that_are_not_its_own(edited, facts, message):
    folder = edited.write()
    (folder / FACTS).parent.mkdir()
    known = {"data_kind": "points", "class_names": None, "methods": {}}
    (folder / FACTS).write_text(json.dumps(known | facts))
    with pytest.raises(UserError, match=message) as caught:
        serve.load(folder)
    assert "\n" not in str(caught.value)


def test_facts_that_are_deep(edited):
    folder = edited.write()
    (folder / FACTS).parent.mkdir()
    (folder / FACTS).write_text("[" * 100_000 + "]" * 100_000)
    refused(folder, "not a readable SavedModel")


@pytest.mark.parametrize("content", [b"nonsense", b"", pickle.dumps(dict)])
def test_no_graph(edited, content):
    (edited.folder / "saved_model.pb").write_bytes(content)
    refused(edited.folder)
