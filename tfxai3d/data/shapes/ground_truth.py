"""Clouds of two classes whose difference is known point by point, so that explanations can be held to it."""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tfxai3d.data.shapes.catalogue import SHAPE_CLASSES, draw_labels, make_shape
from tfxai3d.data.shapes.mesh import ShapeMesh, assemble
from tfxai3d.data.shapes.sampling import surface_points
from tfxai3d.data.shapes.solids import Floats, box
from tfxai3d.errors import check_choice

_Cloud = tuple[Floats, npt.NDArray[np.bool_]]
_CUBE = 0.06  # half the edge of the planted cube; a twentieth of the points lie on it
_CUBE_POINTS = 20


@dataclasses.dataclass(frozen=True)
class GroundTruth:
    """Clouds of class 0 and of class 1, which alone has the reason.

    Attributes:
        points: float32 (M,N,3), within the unit sphere about.
        labels: int64 (M,), 0 or 1, balanced.
        reason: The points but for which a cloud would be of class 0, bool (M,N); none in class 0.
        class_names: Of both classes.
    """

    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    reason: npt.NDArray[np.bool_]
    class_names: tuple[str, str]


def make_ground_truth(name: str, num_examples: int, num_points: int = 1024, seed: int = 0) -> GroundTruth:
    """Draws clouds whose class has a known reason.

    * "back", "handle", "drawers": chairs, cups and desks with and without that part. The frame is that of the
      whole object, so that nothing else differs.
    * "two_objects": two objects side by side, is one of them a chair?
    * "shortcut": any object, is there a small cube in a corner?

    Args:
        name: One of `GROUND_TRUTHS`.
        num_examples: How many clouds.
        num_points: Points of each.
        seed: Of the set, 0 or more; give training and test sets different ones.

    Raises:
        UserError: If the name is unknown or the seed negative.
    """
    check_choice("ground truth", name, GROUND_TRUTHS)
    build, class_names = _BUILDERS[name]
    labels = draw_labels(num_examples, 2, seed)
    generators = (np.random.default_rng([seed, number, 2]) for number in range(num_examples))
    clouds, reasons = [], []
    for rng, label in zip(generators, labels, strict=True):
        points, reason = build(rng, bool(label), num_points)
        order = rng.permutation(num_points)  # the place in the cloud tells nothing
        clouds.append(points[order].astype(np.float32))
        reasons.append(reason[order])
    return GroundTruth(np.stack(clouds), labels, np.stack(reasons), class_names)


def _with_or_without(shape: str, *parts: str) -> Callable[[np.random.Generator, bool, int], _Cloud]:
    """Returns what draws a shape whole, or without some parts."""

    def build(rng: np.random.Generator, whole: bool, num_points: int) -> _Cloud:
        mesh = make_shape(shape, int(rng.integers(2**31)))
        chosen = np.isin(
            mesh.face_parts, [mesh.part_names.index(part) for part in parts if part in mesh.part_names]
        )
        kept = mesh if whole else dataclasses.replace(mesh, faces=mesh.faces[~chosen])
        points, faces = surface_points(kept, num_points, rng)
        return _framed(points, mesh), chosen[faces] & whole

    return build


def _two_objects(rng: np.random.Generator, with_chair: bool, num_points: int) -> _Cloud:
    """Draws two objects of half the size, one to the left and one to the right; the reason is the chair."""
    others = rng.choice([name for name in SHAPE_CLASSES if name != "chair"], 2, replace=False)
    names = ["chair", others[1]] if with_chair else list(others)
    side = rng.permutation([-0.5, 0.5])
    counts = (num_points // 2, num_points - num_points // 2)
    clouds = [
        _object(rng, name, count) / 2 + (x, 0, 0) for name, count, x in zip(names, counts, side, strict=True)
    ]
    return np.concatenate(clouds), np.arange(num_points) < (counts[0] if with_chair else 0)


def _shortcut(rng: np.random.Generator, planted: bool, num_points: int) -> _Cloud:
    """Draws an object, and maybe a small cube in one of the eight corners around it."""
    count = num_points // _CUBE_POINTS if planted else 0
    points = _object(rng, rng.choice(SHAPE_CLASSES), num_points - count)
    corner = rng.choice([-0.6, 0.6], 3)
    cube = box(*[(place - _CUBE, place + _CUBE) for place in corner])
    on_cube, _ = surface_points(assemble([("cube", cube)]), max(count, 1), rng)
    return np.concatenate([points, on_cube[:count]]), np.arange(num_points) >= num_points - count


def _object(rng: np.random.Generator, name: str, count: int) -> Floats:
    mesh = make_shape(name, int(rng.integers(2**31)))
    return _framed(surface_points(mesh, count, rng)[0], mesh)


def _framed(points: Floats, mesh: ShapeMesh) -> Floats:
    """Returns points in the frame that has the whole mesh in the unit sphere."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    centre = (low + high) / 2
    framed: Floats = (points - centre) / np.linalg.norm(mesh.vertices - centre, axis=1).max()
    return framed


_BUILDERS: dict[str, tuple[Callable[[np.random.Generator, bool, int], _Cloud], tuple[str, str]]] = {
    "back": (_with_or_without("chair", "back", "slat"), ("stool", "chair")),
    "handle": (_with_or_without("cup", "handle"), ("beaker", "cup")),
    "drawers": (_with_or_without("desk", "cabinet", "drawer"), ("table", "desk")),
    "two_objects": (_two_objects, ("no chair", "chair")),
    "shortcut": (_shortcut, ("no cube", "cube")),
}
GROUND_TRUTHS: tuple[str, ...] = tuple(_BUILDERS)
"""What `make_ground_truth` draws."""
