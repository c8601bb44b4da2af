"""From surfaces to points, and points to the unit sphere."""

import numpy as np

from tfxai3d.errors import UserError


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns the areas, float64 (F,), of triangles of vertices (V,3), given by their numbers, int (F,3)."""
    a, b, c = np.moveaxis(vertices.astype(np.float64)[faces], 1, 0)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws points independently and uniformly by area from a triangle mesh.

    A triangle is drawn with probability proportional to its area, and within it the point
    (1-√r) a + √r (1-s) b + √r s c with r and s uniform in [0,1) (Osada, Funkhouser, Chazelle and
    Dobkin, "Shape distributions", ACM TOG 2002, equation 1).

    Args:
        vertices: Coordinates, (V,3).
        faces: Vertex numbers of the triangles, int (F,3).
        count: How many points to draw.
        seed: Equal seeds draw equal points.

    Returns:
        The points, float32 (count,3), and the number of the face each lies on, int64 (count,).

    Raises:
        UserError: If the surface area is zero.
    """
    areas = face_areas(vertices, faces)
    if not areas.sum() > 0:
        raise UserError("the mesh has zero surface area; give one whose faces have an area")
    random = np.random.default_rng(seed)
    index = random.choice(len(faces), size=count, p=areas / areas.sum())
    r, s = np.sqrt(random.random((count, 1))), random.random((count, 1))
    a, b, c = np.moveaxis(vertices.astype(np.float64)[faces[index]], 1, 0)
    points = (1 - r) * a + r * (1 - s) * b + r * s * c
    return points.astype(np.float32), index


def normalize(points: np.ndarray) -> np.ndarray:
    """Moves the centroid to the origin and scales the farthest point to radius 1.

    Args:
        points: One cloud (N,3) or a batch of them (B,N,3), finite.

    Returns:
        The normalised points, float32, shape of `points`; computed in float64.

    Raises:
        UserError: If all points of a cloud are identical, so that there is no radius to scale.
    """
    points = points.astype(np.float64)
    points -= points.mean(axis=-2, keepdims=True)
    radius = np.linalg.norm(points, axis=-1).max(axis=-1)[..., None, None]
    # The mean of equal numbers differs from them by rounding, hence the comparison, not radius == 0.
    if (np.ptp(points, axis=-2) == 0).all(axis=-1).any():
        raise UserError("all points are identical and cannot be scaled; give an object with an extent")
    return (points / radius).astype(np.float32)


def filled(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Fills a cloud (N,C) of fewer than `count` points up with copies of its own, drawn at random."""
    missing = max(0, count - len(points))
    copies = np.random.default_rng(seed).integers(len(points), size=missing)
    return np.concatenate([points, points[copies]])
