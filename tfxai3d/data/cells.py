"""Cells of a grid into which points fall, and a random part of the points of each."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np

from tfxai3d.errors import UserError

_MOST = 1 << 31  # cells along an axis; so the numbers of two axes fit into one
_LEAST = 1 << 19  # rows that are added before any is sorted out


@dataclasses.dataclass(frozen=True)
class Grid:
    """Which points of a cloud are taken, and into which cells they fall; see `cut_tiles`."""

    region: tuple[float, ...] | None = None
    voxel_size: float | None = None
    tile_size: float | None = None
    up: Literal["y", "z"] = "y"

    def __post_init__(self) -> None:
        region = np.array(self.region or (0, 0, 0, 1, 1, 1), np.float64)
        if region.shape != (6,) or not (region[:3] < region[3:]).all():
            raise UserError(
                "region needs six numbers, xmin,ymin,zmin,xmax,ymax,zmax, each least one below its most"
            )
        for name in ("voxel_size", "tile_size"):
            size = getattr(self, name)
            if size is not None and not (np.isfinite(size) and size > 0):
                raise UserError(f"{name} is {size}: it must be above 0, in the units of the file")

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Returns which points (n,3) lie in the region, its borders included, bool (n,)."""
        if self.region is None:
            return np.ones(len(points), bool)
        region = np.array(self.region)
        return np.asarray(((points >= region[:3]) & (points <= region[3:])).all(axis=1))

    def voxels(self, points: np.ndarray) -> np.ndarray:
        """Returns the voxel of each point, int64 (n,3)."""
        return _cells(points, self.voxel_size, "voxel_size")

    def tiles(self, points: np.ndarray) -> np.ndarray:
        """Returns the tile of each point, int64 (n,2)."""
        return _cells(points[:, [0, 1] if self.up == "z" else [0, 2]], self.tile_size, "tile_size")


class RandomPart:
    """Keeps a random part of all rows that are added: at most so many of each cell, every one as likely.

    Each row gets a random number, and those of the lowest numbers stay.
    """

    def __init__(self, width: int, count: int, random: np.random.Generator):
        self._count, self._random, self._width = count, random, width
        self._held: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # cells, random numbers, rows
        self._least = _LEAST

    def add(self, rows: np.ndarray, cells: np.ndarray) -> None:
        """Adds rows (n,width) that fall into cells, int (n,A)."""
        self._held.append((cells, self._random.random(len(rows)), rows))
        if sum(len(rows) for *_, rows in self._held) > self._least:
            self._reduce()
            self._least = max(_LEAST, 2 * len(self._held[0][0]))  # so that what stays is sorted seldom

    def rows(self) -> np.ndarray:
        """Returns the rows that stay, float64 (K,width), in the order in which they were added."""
        self._reduce()
        return self._held[0][2]

    def _reduce(self) -> None:
        if not self._held:
            self._held = [(np.zeros((0, 0)), np.zeros(0), np.zeros((0, self._width)))]
        cells, order, rows = (np.concatenate(arrays) for arrays in zip(*self._held, strict=True))
        sorting = np.lexsort((order, *cells.T))
        chosen = np.sort(sorting[_ranks(cells[sorting]) < self._count])
        self._held = [(cells[chosen], order[chosen], rows[chosen])]


def _starts(cells: np.ndarray) -> np.ndarray:
    """Returns where each new cell begins among sorted ones (n,A), and their number n at the end."""
    new = np.flatnonzero((cells[1:] != cells[:-1]).any(axis=1)) + 1
    return np.concatenate([[0], new, [len(cells)]]) if len(cells) else np.zeros(1, int)


def _ranks(cells: np.ndarray) -> np.ndarray:
    """Returns how many rows of the same cell stand before each of sorted cells (n,A)."""
    starts = _starts(cells)
    return np.arange(len(cells)) - np.repeat(starts[:-1], np.diff(starts))


def groups(cells: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the rows of each cell, in the order of the cells."""
    sorting = np.lexsort(cells.T[::-1])
    starts = _starts(cells[sorting])
    for start, end in itertools.pairwise(starts):
        yield rows[sorting[start:end]]


def packed(cells: np.ndarray) -> np.ndarray:
    """Returns the numbers of cells (n,2) as one number each, int64 (n,), in the order of the cells."""
    return np.asarray(cells[:, 0] * (2 * _MOST) + cells[:, 1])


def _cells(points: np.ndarray, size: float | None, name: str) -> np.ndarray:
    """Returns which cell of this size each point (n,A) falls into, int64; all into cell 0 without a size."""
    if size is None:
        return np.zeros(points.shape, np.int64)
    with np.errstate(over="ignore"):
        cells = np.floor(points / size)
    if not (np.abs(cells) < _MOST).all():
        raise UserError(f"{name} is {size}: too small for coordinates up to {np.abs(points).max():g}")
    return np.asarray(cells.astype(np.int64))
