"""Edges against planes: which places are marked, and what a network that needs only the ones loses."""

import keras
import numpy as np
import pytest

from tfxai3d import data, explain
from tfxai3d.data import shapes
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.shapes.solids import box
from tfxai3d.errors import UserError
from tfxai3d.evaluate import claims
from tfxai3d.evaluate.claims import edges, marked, removal


def test_voxels_of_a_cube_near_its_edges():
    solid = box((0, 1), (0, 1), (0, 1))
    grid, near, flat = marked._voxels(shapes.cad_shape(Mesh(solid.vertices, solid.faces)))
    there = grid[..., 0] > 0
    where = np.argwhere(there)
    assert len(where) == 24**3
    low, high = where.min(axis=0), where.max(axis=0)
    at_ends = ((where == low) | (where == high)).sum(axis=1)
    np.testing.assert_array_equal(near[there], at_ends >= 2)
    np.testing.assert_array_equal(flat[there], at_ends == 1)


def some(rng, num_edges, num_flat, seed=0):
    """Returns two clouds: points near edges have z above 0, others below; all are at any distance."""
    points = rng.uniform(-1, 1, (2, num_edges + num_flat, 3)).astype("float32")
    on_edges = np.arange(points.shape[1]) < num_edges
    points[..., 2] = np.where(on_edges, 1, -1) * np.abs(points[..., 2])
    mask = np.tile(on_edges, (2, 1))
    return claims.Marked(points, np.array([0, 0]), mask, ~mask, 2)


def network():
    """Returns a network whose score of class 0 is the largest z, and of class 1 is 0."""
    points = keras.Input((None, 3))
    z = keras.layers.Lambda(lambda x: keras.ops.max(x[..., 2:], axis=1))(points)
    return explain.network(keras.Model(points, keras.layers.Concatenate()([z, 0 * z])), "points")


@pytest.mark.parametrize(("num_edges", "num_flat"), [(20, 30), (30, 20)])
def test_a_network_that_looks_for_the_edges_alone(num_edges, num_flat):
    given = some(np.random.default_rng(0), num_edges, num_flat)
    (table,) = claims.without_edges(network(), given).tables
    everything, half, pairs, all_but = table.rows.values()
    highest = given.inputs[..., 2].max(axis=1)
    whole = (1 / (1 + np.exp(-highest))).mean()
    fraction, without, flat, difference, right, still = everything
    assert fraction.mean == pytest.approx(20 / 50)
    assert flat.mean == pytest.approx(whole, rel=1e-4)
    assert difference.mean == pytest.approx(flat.mean - without.mean, abs=1e-6)
    assert still.mean == 1
    if num_edges < num_flat:  # none is left of the edges
        assert without.mean < 0.5
        assert right.mean == 0
    assert half[0].mean == pytest.approx(0.2)
    assert half[3].mean >= 0
    assert pairs[3].mean >= 0
    assert all_but[1].mean < 0.5 < all_but[2].mean  # nothing but planes, nothing but edges


def test_pairs_are_equally_far_and_as_many_as_there_are():
    rng = np.random.default_rng(0)
    distance = rng.random(60)
    one, other = removal._pairs(np.arange(20), np.arange(20, 60), distance)
    assert len(set(one)) == len(one) == len(set(other)) == len(other) > 10
    assert (np.abs(distance[one] - distance[other]) <= 0.02).all()
    assert (one < 20).all()
    assert (other >= 20).all()
    far = np.concatenate([np.zeros(20), np.ones(40)])
    assert not len(removal._pairs(np.arange(20), np.arange(20, 60), far)[0])


def test_importance_by_size_and_by_sign(monkeypatch):
    given = some(np.random.default_rng(1), 10, 40)
    importance = np.where(given.edges, 3.0, 1.0)
    importance[:, 0] = -3.0
    monkeypatch.setattr(edges, "importance_maps", lambda *arguments, **options: [("m", importance)])
    (table,) = claims.edges_and_corners(None, given).tables
    fraction, size, positive, negative, _ = table.rows["`m`"]
    assert fraction.mean == pytest.approx(30 / 70)
    assert size.mean == pytest.approx(30 / 70 * 5)
    assert positive.mean == pytest.approx(27 / 67 * 5)
    assert negative.mean == pytest.approx(5)
    monkeypatch.setattr(edges, "importance_maps", lambda *a, **o: [("m", np.abs(importance))])
    (table,) = claims.edges_and_corners(None, given).tables
    assert table.rows["`m`"][3] is None  # nothing is negative


def test_marked_objects_are_right_ones(tiny_model, tmp_path):
    drawn = claims.marked_shapes(tiny_model, 4, 64)
    assert drawn.total == 12
    assert 1 <= len(drawn.labels) <= 4
    predicted = np.argmax(tiny_model(drawn.inputs), axis=-1)
    np.testing.assert_array_equal(predicted, drawn.labels)
    np.testing.assert_array_equal(drawn.edges, ~drawn.flat)
    for name in tiny_model.class_names:
        folder = tmp_path / name / "test"
        folder.mkdir(parents=True)
        mesh = shapes.make_shape(name, 0).z_up()
        rows = [f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0"]
        rows += [" ".join(map(str, vertex)) for vertex in mesh.vertices]
        rows += [" ".join(map(str, (3, *face))) for face in mesh.faces]
        (folder / f"{name}.off").write_text("\n".join(rows), encoding="utf-8")
    read = claims.marked_meshes(tiny_model, tmp_path, 4, 64)
    assert read.total == 5
    for label, mask in zip(read.labels, read.edges, strict=True):
        known = shapes.sample_shape(shapes.make_shape(tiny_model.class_names[label], 0), 4000, 0)
        assert mask.mean() == pytest.approx((known.features > 0).mean(), abs=0.2)
    np.save(folder / "cloud.npy", data.shapes.make_dataset(1, 64).points[0])
    with pytest.raises(UserError, match=r"cloud\.npy: holds no mesh"):
        claims.marked_meshes(tiny_model, tmp_path, 4, 64)
