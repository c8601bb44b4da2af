"""What stands for points and voxels in a picture: balls and cubes."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

_FULL = 0.47  # half a side; the gap between neighbours shows them as single voxels
_SMALL = 0.22  # half a side of a cube in empty space, at the top of the scale
ARRAYS = ("centres", "sizes", "importance", "places")  # what has one row a mark
FAINTEST = 0.5
"""The fraction of the top importance from which on a voxel of empty space is drawn."""


@dataclasses.dataclass(frozen=True)
class Marks:
    """The marks of one example."""

    shape: Literal["ball", "cube"]  # what they are
    centres: np.ndarray  # float64 (M,3), y up
    # Radius of each ball, half a side of each cube, in the unit of the centres; float64 (M,).
    sizes: np.ndarray
    importance: np.ndarray  # float64 (M,)
    # Where each mark stands in the inputs, int (M,A): the number of a point, the indices of a voxel. Those of
    # a mark that stands for neither are negative.
    places: np.ndarray

    @property
    def reach(self) -> np.ndarray:
        """How far each mark reaches from its centre, (M,): a corner of a cube is farther than its sides."""
        return self.sizes * (3**0.5 if self.shape == "cube" else 1)


def point_marks(points: np.ndarray, importance: np.ndarray) -> Marks:
    """Returns a ball for each point (N,3); its radius falls with the root of N, as the spacing does."""
    centred = points - middle(points)
    extent = np.linalg.norm(centred, axis=1).max() or 1.0
    radius = extent * np.clip(0.7 / np.sqrt(len(points)), 0.004, 0.05)
    return Marks("ball", points, np.full(len(points), radius), importance, np.arange(len(points))[:, None])


def voxel_marks(occupied: np.ndarray, importance: np.ndarray, top: float, inside: bool = False) -> Marks:
    """Returns a cube for each occupied voxel of a grid (D,H,W), z up, and small ones in empty space.

    Occupied voxels whose six neighbours are occupied are left out, for nobody can see them, unless what is
    `inside` will be seen as others are removed. In empty space a
    cube's volume grows with its fraction of the `top` importance, from `FAINTEST` on.
    """
    fraction = np.minimum(np.abs(importance) / top, 1.0)
    sizes = np.where(occupied if inside else occupied & ~enclosed(occupied), _FULL, 0.0)
    sizes += np.where(~occupied & (fraction >= FAINTEST), _SMALL * np.cbrt(fraction), 0.0)
    return _cubes(sizes, importance)


def _cubes(sizes: np.ndarray, importance: np.ndarray) -> Marks:
    """Returns a cube at each place of a grid (D,H,W), z up, where the size is not 0."""
    places = np.argwhere(sizes)
    chosen = tuple(places.T)
    x, y, z = places.T + 0.5
    return Marks("cube", np.stack([-x, z, y], axis=1), sizes[chosen], importance[chosen], places)


def scaled_marks(values: np.ndarray, top: float, least: float = 0.0) -> Marks:
    """Returns a cube for each value of a grid (D,H,W), z up, that is not 0; its side grows with |value|.

    At the `top`, above 0, it nearly touches its neighbours, and no cube is larger; below the fraction `least`
    of the top there is none.
    """
    fraction = np.minimum(np.abs(values) / top, 1.0)
    return _cubes(np.where(fraction >= least, _FULL * fraction, 0.0), values)


def joined(marks: Sequence[Marks]) -> Marks:
    """Returns the marks of several sets, all of one shape, as one set."""
    arrays = (np.concatenate([getattr(some, name) for some in marks]) for name in ARRAYS)
    return Marks(marks[0].shape, *arrays)


def in_unit_ball(marks: Sequence[Marks]) -> list[Marks]:
    """Moves the centres of all marks together into the unit ball, for renderers dislike extreme units."""
    centres = np.concatenate([some.centres for some in marks])
    centre = middle(centres)
    extent = np.linalg.norm(centres - centre, axis=1).max() or 1.0
    return [
        dataclasses.replace(some, centres=(some.centres - centre) / extent, sizes=some.sizes / extent)
        for some in marks
    ]


def cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the cube from -1 to 1: vertices and their normals (24,3), four a face, and triangles (12,3)."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    faces = [np.insert(square[::side], axis, side, axis=1) for axis in range(3) for side in (-1, 1)]
    faces[2:4] = [face[::-1] for face in faces[2:4]]  # y between z and x turns the other way
    vertices = np.concatenate(faces)
    normals = np.repeat([np.eye(3)[axis] * side for axis in range(3) for side in (-1, 1)], 4, axis=0)
    triangles = (4 * np.arange(6)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3)
    return vertices, normals, triangles


def middle(points: np.ndarray) -> np.ndarray:
    """Returns the middle of the box around points (N,3)."""
    return (points.min(axis=0) + points.max(axis=0)) / 2


def enclosed(occupied: np.ndarray) -> np.ndarray:
    """Returns which voxels of a grid (D,H,W) have six occupied neighbours and are occupied themselves."""
    padded = np.pad(occupied, 1)
    inside = np.ones_like(occupied)
    for axis in range(3):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return inside
