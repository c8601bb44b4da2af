"""Closed solids, the bricks every shape is built of.

A solid is a watertight triangle mesh with outward normals. Lengths are in metres; y is up, the front is +z.
Almost everything is a loft: rings of points, joined by quads and closed by a fan at either end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from tfxai3d.data.orientation import rotations_about

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Interval = tuple[float, float]
Point = Sequence[float] | Floats

_BOX_FACES = np.array([
    *[(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5)],  # x
    *[(0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6)],  # y
    *[(0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)],  # z
])  # fmt: skip


@dataclass(frozen=True)
class Solid:
    """A closed triangle mesh."""

    vertices: Floats  # float64 (V, 3)
    faces: Ints  # int64 (F, 3), counter-clockwise seen from outside

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> "Solid":
        """Returns the solid shifted by (x, y, z)."""
        return Solid(self.vertices + np.array([x, y, z]), self.faces)

    def scaled(self, x: float = 1.0, y: float = 1.0, z: float = 1.0) -> "Solid":
        """Returns the solid scaled by positive factors about the origin."""
        return Solid(self.vertices * (x, y, z), self.faces)

    def mirrored(self) -> "Solid":
        """Returns the mirror image in the plane x = 0."""
        return Solid(self.vertices * (-1.0, 1.0, 1.0), self.faces[:, ::-1])

    def rotated(self, axis: str, degrees: float, about: Point = (0.0, 0.0, 0.0)) -> "Solid":
        """Returns the solid rotated about the line through `about` along `axis` ("x", "y" or "z")."""
        (rotation,) = rotations_about("xyz".index(axis), np.radians([degrees]))
        return Solid((self.vertices - about) @ rotation.T + about, self.faces)

    def leaned(self, slope: float, floor: float) -> "Solid":
        """Returns the solid sheared towards -z by `slope` for each metre above `floor`, which stays."""
        vertices = self.vertices.copy()
        vertices[:, 2] -= slope * (vertices[:, 1] - floor)
        return Solid(vertices, self.faces)


Parts = list[tuple[str, Solid]]


def box(x: Interval, y: Interval, z: Interval) -> Solid:
    """Returns the axis-aligned box between the three intervals."""
    vertices = np.empty((2, 2, 2, 3))
    vertices[..., 0] = np.reshape(x, (2, 1, 1))
    vertices[..., 1] = np.reshape(y, (2, 1))
    vertices[..., 2] = z
    return Solid(vertices.reshape(8, 3), _BOX_FACES)


def loft(rings: Floats, start: Point | None = None, end: Point | None = None, closed: bool = False) -> Solid:
    """Joins rings (R, n, 3) of points, counter-clockwise about the direction of travel, to a solid.

    Fans from `start` and `end`, by default the means, close the first and the last ring, star-shaped about
    these; or a closed solid, such as a torus, joins the two.
    """
    count, n, _ = rings.shape
    first, second = np.arange(n), np.roll(np.arange(n), -1)
    base = n * np.arange(count if closed else count - 1)[:, None]
    above = (base + n) % (count * n)
    a, b, c, d = base + first, base + second, above + second, above + first
    sides = np.stack([a, b, c, a, c, d], axis=-1).reshape(-1, 3)
    vertices = rings.reshape(-1, 3)
    if closed:
        return Solid(vertices, sides)
    given = (rings[0], start), (rings[-1], end)
    poles = [last.mean(axis=0) if pole is None else pole for last, pole in given]
    bottom, top = count * n, count * n + 1
    under = np.stack([np.full(n, bottom), second, first], axis=-1)
    over = np.stack([np.full(n, top), first + bottom - n, second + bottom - n], axis=-1)
    return Solid(np.concatenate([vertices, poles]), np.concatenate([sides, under, over]))


def ring(outline: Floats, y: float) -> Floats:
    """Lays a counter-clockwise (n, 2) outline flat at height y, counter-clockwise seen from above: (n, 3)."""
    return np.stack([outline[:, 0], np.full(len(outline), y), -outline[:, 1]], axis=-1)


def circle(segments: int) -> Floats:
    """Returns a regular polygon on the unit circle, (segments, 2), its sides square to the axes."""
    angle = 2 * np.pi * (np.arange(segments) + 0.5) / segments
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def rounded_rectangle(half_x: float, half_z: float, radius: float, per_corner: int = 5) -> Floats:
    """Returns the outline (4 * per_corner, 2) of a rectangle with quarter circles for corners."""
    angle = np.linspace(0, np.pi / 2, per_corner) + np.pi / 2 * np.arange(4)[:, None]
    centres = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * (half_x - radius, half_z - radius)
    arcs = centres[:, None] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return arcs.reshape(-1, 2)


def bezier(control: Sequence[Point], points: int) -> Floats:
    """Returns `points` points along the Bezier curve of the (n, k) control points, (points, k)."""
    degree = len(control) - 1
    t = np.linspace(0, 1, points)[:, None]
    powers = np.arange(degree + 1)
    weights = [comb(degree, k) for k in powers] * t**powers * (1 - t) ** (degree - powers)
    return weights @ np.asarray(control, dtype=np.float64)


def extrude(outline: Floats, low: float, high: float) -> Solid:
    """Returns the upright prism over a star-shaped, counter-clockwise (n, 2) outline."""
    return loft(np.stack([ring(outline, low), ring(outline, high)]))


def revolve(profile: Sequence[Point] | Floats, segments: int = 32, closed: bool = False) -> Solid:
    """Turns a profile (R, 2), radius and height, about the y axis; a closed one is a loop.

    The material is to the left of the direction of travel: upwards outside, downwards inside. An end of
    radius 0 becomes a tip. The crease angle asks for more than 12 segments.
    """
    rows = np.asarray(profile, dtype=np.float64)
    first, last = int(rows[0, 0] == 0), int(rows[-1, 0] == 0)
    kept = rows[first : len(rows) - last]
    rings = np.stack([ring(radius * circle(segments), y) for radius, y in kept])
    return loft(rings, start=(0.0, rows[0, 1], 0.0), end=(0.0, rows[-1, 1], 0.0), closed=closed)


def shell(outer: Floats, wall: float) -> Floats:
    """Hollows a profile that climbs from the foot to the rim: (R, 2) to (2 R, 2), outside up, inside down."""
    inner = outer[::-1] - (wall, 0.0)
    low, high = outer[0, 1], outer[-1, 1]
    inner[:, 1] = high - (high - inner[:, 1]) * (high - low - wall) / (high - low)
    return np.concatenate([outer, inner])


def post(foot: Point, head: Point, low: float, high: float | None = None, segments: int = 16) -> Solid:
    """Returns a leg whose ends lie flat, from the centre of its foot to that of its head; 4 segments: square.

    Its radius is `low` at the foot and `high` at the head, by default the same.
    """
    outline = circle(segments)
    ends = (ring(low * outline, 0.0) + foot, ring((high or low) * outline, 0.0) + head)
    return loft(np.stack(ends))


def tube(path: Sequence[Point] | Floats, radius: float, segments: int = 16) -> Solid:
    """Returns a bent rod along a path (P, 3) that lies about in one coordinate plane."""
    line = np.asarray(path, dtype=np.float64)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    across = np.cross(along, np.eye(3)[np.ptp(line, axis=0).argmin()])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    outline = radius * circle(segments)
    up = np.cross(along, across)
    return loft(line[:, None] + outline[:, :1] * across[:, None] + outline[:, 1:] * up[:, None])


def slab(polygon: Sequence[Point], offset: Point) -> Solid:
    """Returns a plate: a flat convex polygon (n, 3) pushed along `offset`."""
    corners = np.asarray(polygon, dtype=np.float64)
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[1])
    if normal @ np.asarray(offset) < 0:
        corners = corners[::-1]
    return loft(np.stack([corners, corners + offset]))
