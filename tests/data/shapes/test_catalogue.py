"""The classes: clean meshes in their proportions, and data sets of them."""

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.shapes import areas, cube
from tfxai3d.data.shapes import (
    PART_NAMES,
    SHAPE_CLASSES,
    SHAPE_PARTS,
    make_dataset,
    make_shape,
    parts_of,
    sample_shape,
    solids,
)
from tfxai3d.errors import UserError

SEEDS = st.integers(0, 2**63)


def test_there_are_many_classes_in_modelnets_spelling():
    from tfxai3d.data.datasets.modelnet import MODELNET40_CLASSES

    assert len(SHAPE_CLASSES) >= 20
    assert list(SHAPE_CLASSES) == sorted(set(SHAPE_CLASSES))
    assert set(SHAPE_CLASSES) <= set(MODELNET40_CLASSES)


@pytest.mark.parametrize("name", SHAPE_CLASSES)
@settings(max_examples=8, deadline=None)
@given(seed=SEEDS)
def test_meshes_are_clean_and_every_part_is_closed(name, seed):
    mesh = make_shape(name, seed)
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int32
    assert np.isfinite(mesh.vertices).all()
    assert mesh.faces.min() == 0
    assert mesh.faces.max() == len(mesh.vertices) - 1
    assert areas(mesh).min() > 1e-8
    assert mesh.face_parts.shape == (len(mesh.faces),)
    assert set(mesh.face_parts) == set(range(len(mesh.part_names)))
    assert set(mesh.part_names) <= set(PART_NAMES)
    assert np.isfinite(mesh.edges).all()
    assert np.isfinite(mesh.corners).all()
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert all(body.volume > 0 for body in solid.split(only_watertight=False))


@pytest.mark.parametrize("name", SHAPE_CLASSES)
def test_one_seed_one_shape(name):
    first, again, other = make_shape(name, 7), make_shape(name, 7), make_shape(name, 8)
    assert np.array_equal(first.vertices, again.vertices)
    assert np.array_equal(first.edges, again.edges)
    assert first.vertices.shape != other.vertices.shape or not np.allclose(first.vertices, other.vertices)


def test_unknown_names_and_bad_numbers_are_the_users_errors():
    with pytest.raises(UserError, match=r"'sphinx'.*airplane"):
        make_shape("sphinx", 0)
    with pytest.raises(UserError, match="seed"):
        make_shape("chair", -1)
    with pytest.raises(UserError, match="num_points"):
        sample_shape(cube(), 1, 0)
    with pytest.raises(UserError, match="num_examples"):
        make_dataset(0)
    with pytest.raises(UserError, match="seed"):
        make_dataset(1, seed=-1)
    with pytest.raises(UserError, match="no shape class"):
        make_dataset(1, classes=())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("chair", {"seat", "back"}),
        ("stool", {"seat"}),
        ("table", {"top"}),
        ("desk", {"top", "cabinet", "drawer", "handle"}),
        ("night_stand", {"cabinet", "top", "drawer"}),
        ("cup", {"body", "handle"}),
        ("airplane", {"fuselage", "wing", "fin", "tailplane"}),
        ("car", {"body", "cabin", "wheel"}),
        ("sofa", {"base", "back", "arm", "cushion"}),
        ("guitar", {"body", "neck", "head", "bridge"}),
    ],
)
def test_the_parts_that_make_a_class_are_always_there(name, parts):
    for seed in range(30):
        assert parts <= set(make_shape(name, seed).part_names)


def test_structure_varies():
    chairs = [set(make_shape("chair", seed).part_names) for seed in range(40)]
    for part in ("leg", "column", "arm", "slat"):
        assert 0 < sum(part in names for names in chairs) < 40
    assert all(("leg" in names) != ("column" in names) for names in chairs)


def test_every_part_name_is_used():
    for c in SHAPE_CLASSES:
        seen = {f"{c}/{name}" for seed in range(40) for name in make_shape(c, seed).part_names}
        assert parts_of(c) == tuple(sorted(seen))
    assert tuple(part for c in SHAPE_CLASSES for part in parts_of(c)) == SHAPE_PARTS
    assert tuple(sorted({part.partition("/")[2] for part in SHAPE_PARTS})) == PART_NAMES


def test_objects_stand_upright():
    for seed in range(20):
        mesh = make_shape("chair", seed)
        height = {
            part: mesh.vertices[mesh.faces[mesh.face_parts == k]][..., 1].mean()
            for k, part in enumerate(mesh.part_names)
        }
        below = height["leg"] if "leg" in height else height["foot"]
        assert below < height["seat"] < height["back"]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("bench", 0, 0.5), ("table", 0.5, 1), ("night_stand", 0.5, 1), ("dresser", 0, 0.7), ("stool", 0.8, 1)],
)
def test_confusable_classes_keep_their_proportions(name, low, high):
    for seed in range(50):
        size = np.ptp(make_shape(name, seed).vertices, axis=0)
        assert low <= min(size[0], size[2]) / max(size[0], size[2]) <= high


# --- data sets -------------------------------------------------------------------------------------------


def test_a_dataset_is_stacked_balanced_and_deterministic():
    data, again = make_dataset(60, 64, seed=3), make_dataset(60, 64, seed=3)
    assert data.points.shape == (60, 64, 3)
    assert data.points.dtype == np.float32
    assert data.labels.dtype == np.int64
    assert data.parts.shape == data.features.shape == (60, 64)
    assert data.features.dtype == np.int8
    assert data.classes == SHAPE_CLASSES
    for field in ("points", "labels", "parts", "features"):
        assert np.array_equal(getattr(data, field), getattr(again, field))
    counts = np.bincount(data.labels, minlength=len(SHAPE_CLASSES))
    assert counts.max() - counts.min() <= 1
    assert not np.array_equal(data.labels, np.sort(data.labels))
    other = make_dataset(60, 64, seed=4)
    assert not np.array_equal(data.labels, other.labels)


def test_an_example_does_not_depend_on_how_many_there_are():
    few, many = make_dataset(7, 64, seed=1), make_dataset(40, 64, seed=1)
    assert np.array_equal(few.points, many.points[:7])
    assert np.array_equal(few.labels, many.labels[:7])
    assert np.array_equal(few.parts, many.parts[:7])


def test_parts_of_a_dataset_have_global_names():
    data = make_dataset(20, 256, classes=("cup", "chair"))
    assert data.classes == ("cup", "chair")
    for label, parts in zip(data.labels, data.parts, strict=True):
        names = {PART_NAMES[k] for k in parts}
        assert ({"body", "handle"} if label == 0 else {"seat", "back"}) <= names


def test_examples_of_a_class_differ():
    points = make_dataset(12, 128, classes=("vase",)).points
    spread = np.ptp(points, axis=1)
    assert len(np.unique(spread.round(4), axis=0)) == 12


def test_classes_can_be_told_apart_by_their_neighbours():
    def describe(points):
        cells = np.clip(((points + 1) * 4).astype(int), 0, 7) @ [64, 8, 1]
        counts = np.stack([np.bincount(row, minlength=512) for row in cells])
        return np.sqrt(counts / points.shape[1])

    train, test = make_dataset(300, 256, seed=0), make_dataset(100, 256, seed=1)
    nearest = (describe(test.points) @ describe(train.points).T).argmax(axis=1)
    assert np.mean(train.labels[nearest] == test.labels) > 0.85


def test_the_generator_does_not_import_tensorflow():
    import ast
    from pathlib import Path

    for file in Path(solids.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] in ("tensorflow", "keras") for name in names)
