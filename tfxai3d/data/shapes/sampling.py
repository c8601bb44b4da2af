"""Labelled clouds of points on a shape."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxai3d.data.sampling import face_areas
from tfxai3d.data.shapes.mesh import ShapeMesh
from tfxai3d.data.shapes.solids import Floats, Ints
from tfxai3d.errors import UserError

FLAT, EDGE, CORNER = 0, 1, 2
FEATURE_NAMES = ("flat", "edge", "corner")
FEATURE_TOLERANCE = 0.03
"""How near, in units of the cloud's unit sphere, a point must be to a crease (corner) to be labelled so."""

_BLOCK = 32768  # distances at a time: they stay in the cache, and BLAS in one thread


@dataclass(frozen=True)
class LabelledCloud:
    """Points on a shape, each with its part and its kind of place.

    That is CORNER within `FEATURE_TOLERANCE` of a corner of the mesh; otherwise EDGE within it of a crease;
    otherwise FLAT: the inside of a smooth face, plane or curved. The distance is straight through space, so
    on a plate thinner than the tolerance a crease marks both sides.
    """

    points: npt.NDArray[np.float32]  # (N, 3), centroid at the origin, the farthest point at radius 1
    parts: npt.NDArray[np.int64]  # (N,), index into `part_names`
    part_names: tuple[str, ...]
    features: npt.NDArray[np.int8]  # (N,)


def sample_shape(mesh: ShapeMesh, num_points: int, seed: int) -> LabelledCloud:
    """Samples a shape area-uniformly, faces inside other parts included (as in raw CAD models).

    Args:
        mesh: The shape.
        num_points: How many points, at least 2.
        seed: Seed of the sampling.

    Raises:
        UserError: If there are fewer than two points, or the seed is negative.
    """
    if num_points < 2:
        raise UserError(f"num_points is {num_points}: a cloud needs at least 2 points")
    points, faces = surface_points(mesh, num_points, random_generator(seed))
    centre, radius = unit_sphere(points)
    points = (points - centre) / radius
    return LabelledCloud(
        points=points.astype(np.float32),
        parts=mesh.face_parts[faces],
        part_names=mesh.part_names,
        features=_features(points, (mesh.edges - centre) / radius, (mesh.corners - centre) / radius),
    )


def unit_sphere(points: Floats) -> tuple[Floats, float]:
    """Returns the centroid of points (N,3), and how far the farthest of them is from it."""
    centre = points.mean(axis=0)
    return centre, float(np.linalg.norm(points - centre, axis=1).max())


def random_generator(seed: int) -> np.random.Generator:
    """Returns the generator of a seed; a negative seed is a UserError."""
    if seed < 0:
        raise UserError(f"seed is {seed}: it must be 0 or more")
    return np.random.default_rng(seed)


def surface_points(mesh: ShapeMesh, count: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Draws points uniformly by area: float64 (count, 3), and the face each lies on, int64 (count,).

    `data.sampling.sample_surface` draws from the same distribution by other random numbers. Both stay, since
    shipped networks were trained on the points of the one and results were published with those of the other.
    """
    triangles = mesh.vertices[mesh.faces].astype(np.float64)
    origin, u, v = triangles[:, 0], triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    area = np.cumsum(face_areas(mesh.vertices, mesh.faces))
    draw, a, b = rng.random((3, count, 1))
    faces = np.minimum(np.searchsorted(area, draw[:, 0] * area[-1], side="right"), len(area) - 1)
    fold = a + b > 1  # reflect the far half of the parallelogram back into the triangle
    a, b = np.where(fold, 1 - a, a), np.where(fold, 1 - b, b)
    return origin[faces] + a * u[faces] + b * v[faces], faces


def _features(points: Floats, edges: Floats, corners: Floats) -> npt.NDArray[np.int8]:
    """Labels points (N, 3) by their distance to crease segments (E, 2, 3) and corners (C, 3)."""
    limit = FEATURE_TOLERANCE**2
    features = np.full(len(points), FLAT, dtype=np.int8)
    features[_nearest(_to_segments, points, edges) < limit] = EDGE
    features[_nearest(_to_corners, points, corners) < limit] = CORNER
    return features


def segment_distance(points: np.ndarray, segments: np.ndarray) -> Floats:
    """Returns how far points (N,3) are from the nearest of segments (E,2,3), infinite where there is none."""
    wide = points.astype(np.float64), segments.astype(np.float64)
    return np.sqrt(np.maximum(_nearest(_to_segments, *wide), 0))


def _nearest(measure: Callable[[Floats, Floats], Floats], points: Floats, targets: Floats) -> Floats:
    """Returns the smallest measure of each point to any target, infinite where there is none: (N,).

    The measures see the points as columns (x, y, z, 1, |p|^2), in which a squared distance to something
    fixed and the foot on a fixed line are linear: one matrix product each.
    """
    lifted = np.stack([*points.T, np.ones(len(points)), (points**2).sum(axis=1)])
    best = np.full(len(points), np.inf)
    block = max(1, _BLOCK // len(points))
    for start in range(0, len(targets), block):
        np.minimum(best, measure(lifted, targets[start : start + block]).min(axis=0), out=best)
    return best


def _to_corners(lifted: Floats, corners: Floats) -> Floats:
    """Returns the squared distances (C, N) of lifted points (5, N) to corners (C, 3)."""
    squares = (corners**2).sum(axis=1)
    return np.stack([*(-2 * corners.T), squares, np.ones(len(corners))], axis=-1) @ lifted


def _to_segments(lifted: Floats, segments: Floats) -> Floats:
    """Returns the squared distances (E, N) of lifted points (5, N) to segments (E, 2, 3)."""
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / length
    offset = (start * along).sum(axis=1)
    foot = np.stack([*along.T, -offset, np.zeros(len(start))], axis=-1) @ lifted
    # |p - nearest|^2 = |p - start|^2 + t (t - 2 foot), t the foot kept within the segment
    t = np.minimum(np.maximum(foot, 0), length)
    foot *= -2
    foot += t
    foot *= t
    foot += _to_corners(lifted, start)
    return foot
