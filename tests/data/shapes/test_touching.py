"""Which parts a point lies on, against distances to the triangles of each part, one by one."""

import numpy as np
import pytest
import trimesh

from tfxai3d.data import shapes
from tfxai3d.data.shapes.mesh import assemble
from tfxai3d.data.shapes.sampling import surface_points
from tfxai3d.data.shapes.solids import box
from tfxai3d.data.shapes.touching import touched_parts

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("name", ["bed", "bottle", "car", "cone", "desk", "guitar", "laptop", "lamp"])
def test_equals_the_distance_to_each_part(name):
    mesh = shapes.make_shape(name, 3)
    points, faces = surface_points(mesh, 150, RNG)
    expected = np.zeros((150, len(mesh.part_names)), bool)
    for part in range(len(mesh.part_names)):
        alone = trimesh.Trimesh(mesh.vertices, mesh.faces[mesh.face_parts == part], process=False)
        expected[:, part] = trimesh.proximity.closest_point_naive(alone, points)[1] < 1e-5
    expected[np.arange(150), mesh.face_parts[faces]] = True
    np.testing.assert_array_equal(touched_parts(mesh, points, faces), expected)


def test_a_box_on_a_larger_box():
    mesh = assemble(
        [("under", box((-1, 1), (0, 1), (-1, 1))), ("above", box((-0.5, 0.5), (1, 2), (-0.5, 0.5)))]
    )
    points, faces = surface_points(mesh, 4000, RNG)
    touched = touched_parts(mesh, points, faces)
    between = (points[:, 1] == 1) & (np.abs(points[:, [0, 2]]) <= 0.5).all(axis=1)
    np.testing.assert_array_equal(touched.all(axis=1), between)
    assert between.mean() == pytest.approx(2 / (16 + 6), abs=0.02)  # both faces of the contact, of all area


def test_a_point_where_parts_touch_is_of_the_first_by_name():
    name, seed = "desk", 1
    mesh = shapes.draw_shape(name, seed, 5)
    cloud = shapes.draw_cloud(name, 600, seed, 5)
    names = [shapes.SHAPE_PARTS[part] for part in shapes.draw_parts(name, 600, seed, 5)[1]]
    own = [f"{name}/{cloud.part_names[part]}" for part in cloud.parts]
    changed = [(a, b) for a, b in zip(own, names, strict=True) if a != b]
    assert 0.02 * 600 < len(changed) < 0.3 * 600
    assert all(a > b for a, b in changed)
    assert set(names) <= {f"{name}/{part}" for part in mesh.part_names}
    assert ("desk/top", "desk/cabinet") in changed
