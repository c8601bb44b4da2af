"""Large clouds as clouds that a network takes, and what is found of them carried back to every point."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from tfxai3d.data.cells import Grid, RandomPart, groups, packed
from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.data.readers.clouds import CloudFile, open_cloud
from tfxai3d.data.readers.loading import as_inputs
from tfxai3d.errors import UserError
from tfxai3d.storage import AnyPath


@dataclasses.dataclass(frozen=True, eq=False)
class Tile:
    """A part of a large cloud, as one cloud for a network.

    Attributes:
        cell: The number of the tile along both horizontal axes, counted from the origin of the file's frame.
        inputs: As the network takes it, float32 (n,3+F), see `load_points`.
        points: The same points in the frame of the file, float64 (n,3).
    """

    cell: tuple[int, int]
    inputs: np.ndarray
    points: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Tiles:
    """What of a large cloud a network sees.

    Attributes:
        cloud: The file.
        tiles: Its parts, one without a tile size, in the order of their cells.
        grid: Which points belong to which of them.
        features: The columns after x y z.
    """

    cloud: CloudFile
    tiles: list[Tile]
    grid: Grid
    features: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tiles)

    def spread(self, importances: Sequence[np.ndarray]) -> np.ndarray:
        """Carries the importance of the tiles' points back to all points of the file.

        A point gets the value of the nearest point of its tile that the network saw. Outside of the region,
        and in tiles of too few points, which the network never saw, it is 0.

        Args:
            importances: Of each tile, float (n,), one value for each of its points.

        Returns:
            One value for each point of the file, in its order, float32 (N,).

        Raises:
            UserError: If they are not as many as the tiles and their points.
        """
        from scipy.spatial import KDTree

        if [len(values) for values in importances] != [len(tile.points) for tile in self.tiles]:
            raise UserError("importances: give one value for each point of each tile")
        trees = [KDTree(tile.points) for tile in self.tiles]
        result, start = np.zeros(self.cloud.count, np.float32), 0
        for points, numbers in self._numbered():
            order = np.argsort(numbers, kind="stable")
            ends = np.searchsorted(numbers[order], np.arange(len(trees) + 1))
            for tree, values, first, end in zip(trees, importances, ends, ends[1:], strict=False):
                chosen = order[first:end]
                if len(chosen):
                    result[start + chosen] = np.asarray(values)[tree.query(points[chosen])[1]]
            start += len(points)
        return result

    def sample(self, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Draws points of the file that belong to a tile, such as for a picture of all of it.

        Args:
            count: How many at most.
            seed: Equal seeds draw equal points.

        Returns:
            Their numbers in the file, int64 (K,), and the points, float64 (K,3).
        """
        kept = RandomPart(1 + 3, count, np.random.default_rng(seed))
        start = 0
        for points, numbers in self._numbered():
            rows = np.column_stack([start + np.arange(len(points)), points])[numbers >= 0]
            kept.add(rows, np.zeros((len(rows), 0)))
            start += len(points)
        rows = kept.rows()
        return rows[:, 0].astype(np.int64), rows[:, 1:]

    def _numbered(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the points of the file in parts, and to which tile each belongs, -1 for none."""
        known = {tile.cell: number for number, tile in enumerate(self.tiles)}
        for points, _ in self.cloud.parts(self.features):
            points = points.astype(np.float64)
            inside = np.flatnonzero(self.grid.inside(points))
            cells = self.grid.tiles(points[inside])
            _, first, place = np.unique(packed(cells), return_index=True, return_inverse=True)
            own = [known.get((x, y), -1) for x, y in cells[first].tolist()]
            numbers = np.full(len(points), -1)
            numbers[inside] = np.array(own, int)[place]
            yield points, numbers


def cut_tiles(
    source: AnyPath | CloudFile,
    num_points: int = 2048,
    *,
    region: Sequence[float] | None = None,
    voxel_size: float | None = None,
    tile_size: float | None = None,
    features: int | Sequence[str] = 0,
    up: Literal["y", "z"] = "y",
    normalize: bool = True,
    seed: int = 0,
    index: int | None = None,
    array: str | None = None,
) -> Tiles:
    """Cuts a cloud of any size into clouds that a network takes.

    What lies in the region is thinned to one point a voxel, cut into tiles, and of a tile with more points
    than wanted a random part is taken; without all three, of the whole cloud. LAS, LAZ and NPY are read in
    parts: memory grows with the points that are kept, not with those of the file.

        tiles = data.cut_tiles("scan.laz", 1024, tile_size=20, up="z")
        importances = [explainer(tile.inputs[None]).importance[0] for tile in tiles.tiles]
        data.write_column("scan.laz", "importance.laz", tiles.spread(importances))

    Args:
        source: The file, see `read`, or what `open_cloud` opened.
        num_points: How many points of a tile to take, at least 10.
        region: The box to take, (xmin, ymin, zmin, xmax, ymax, zmax) in the frame of the file.
        voxel_size: The side of the voxels of which one point, a random one, is taken; in the file's units.
        tile_size: The side of the tiles, squares in the horizontal plane; in the file's units. Tiles of fewer
            than 10 points are left out with one notice.
        features: See `load_points`.
        up: The up axis in the file; the inputs have y up.
        normalize: Whether to move the centroid of each tile to the origin and its farthest point to radius 1.
        seed: Equal seeds choose equal points.
        index: Which example of a file with several, see `read`.
        array: Which array of an NPZ or H5 file, see `read`.

    Raises:
        UserError: As `read`; if the file holds no cloud or lacks a feature, no tile has 10 points, or an
            argument is none of what it can be.
    """
    if num_points < MIN_POINTS:
        raise UserError(f"num_points is {num_points}: it must be at least {MIN_POINTS}")
    grid = Grid(None if region is None else tuple(region), voxel_size, tile_size, up)
    cloud = source if isinstance(source, CloudFile) else open_cloud(source, index, array=array)
    if not isinstance(cloud, CloudFile):
        raise UserError(f"{source}: is a mesh, which has no points to cut; sample it (load_points)")
    names = cloud.features(features)
    rows = _kept(cloud, names, grid, num_points, np.random.default_rng(seed))
    tiles, small = [], 0
    for some in groups(grid.tiles(rows[:, :3]), rows):
        if len(some) < MIN_POINTS or not np.ptp(some[:, :3], axis=0).any():
            small += 1
            continue
        columns = dict(zip(names, some.T[3:].astype(np.float32), strict=True))
        cell = grid.tiles(some[:1, :3])[0]
        inputs = as_inputs(some[:, :3], columns, up, normalize)
        tiles.append(Tile((int(cell[0]), int(cell[1])), inputs, some[:, :3]))
    if not tiles:
        raise UserError(
            f"{cloud.path}: has no {MIN_POINTS} points in one tile of the region; give a larger region, "
            "larger tiles or smaller voxels"
        )
    if small:
        logging.warning("%s: left out %d tiles of fewer than %d points", cloud.path, small, MIN_POINTS)
    return Tiles(cloud, tiles, grid, tuple(names))


def _kept(
    cloud: CloudFile, names: Sequence[str], grid: Grid, num_points: int, random: np.random.Generator
) -> np.ndarray:
    """Returns the points that the network sees and their features, float64 (K,3+F)."""
    first = RandomPart(3 + len(names), 1 if grid.voxel_size else num_points, random)
    for points, features in cloud.parts(names):
        rows = np.column_stack([points, features]).astype(np.float64)
        rows = rows[grid.inside(rows[:, :3])]
        first.add(rows, (grid.voxels if grid.voxel_size else grid.tiles)(rows[:, :3]))
    if not grid.voxel_size:
        return first.rows()
    of_tile, rows = RandomPart(3 + len(names), num_points, random), first.rows()
    of_tile.add(rows, grid.tiles(rows[:, :3]))
    return of_tile.rows()
