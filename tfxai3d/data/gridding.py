"""How objects become grids for a network, whatever they come as."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from tfxai3d.data.distance import truncated_distance_field
from tfxai3d.data.geometry import Mesh, PointCloud, Volume, VoxelGrid
from tfxai3d.data.orientation import rotated_grids, rotations_about
from tfxai3d.data.resampling import resampled
from tfxai3d.data.voxelization import poses, voxelize, voxelize_points
from tfxai3d.errors import UserError


@dataclasses.dataclass(frozen=True)
class GridForm:
    """What a network takes: how fine its grids are and what their values are.

    Attributes:
        resolution: Voxels along each axis of the grids that meshes, clouds and procedural shapes become.
        resample: Voxels along the axes that volumes and grids are brought to, see `resampled`; None leaves
            them as they are.
        truncation: Makes distance fields of occupancy, cut off at so many voxels, see
            `truncated_distance_field`; None leaves it.
    """

    resolution: int = 32
    resample: tuple[int, int, int] | None = None
    truncation: float | None = None

    def views(self, found: Mesh | PointCloud | Volume | VoxelGrid, count: int) -> Iterable[np.ndarray]:
        """Yields the grids (D,H,W,C) of an object, z up, rotated about z to `count` positions, 0 first.

        Raises:
            UserError: If stored voxels are to be rotated to other positions than 1, 2 or 4.
        """
        if isinstance(found, Mesh):
            grids = (voxelize(turned, size=self.resolution) for turned in poses(found, count))
        elif isinstance(found, PointCloud):
            turns = rotations_about(2, 2 * np.pi * np.arange(count) / count)
            grids = (voxelize_points(found.points @ turn.T, size=self.resolution) for turn in turns)
        else:
            values = found.occupancy[..., None] if isinstance(found, VoxelGrid) else found.values
            return (view[0] for view in rotated_grids(self.of_volumes(values[None]), count))
        return (self.of_occupancy(grid[None, ..., None])[0] for grid in grids)

    def of_volumes(self, volumes: np.ndarray) -> np.ndarray:
        """Returns volumes (M,D,H,W,C) at the size and with the values that the network takes.

        Raises:
            UserError: If they have several channels and are to become distances.
        """
        if self.resample is not None and volumes.shape[1:4] != self.resample:
            volumes = np.stack([resampled(volume, self.resample) for volume in volumes])
        return self.of_occupancy(volumes)

    def of_occupancy(self, grids: np.ndarray) -> np.ndarray:
        """Returns grids (M,D,H,W,1) with the values that the network takes."""
        if self.truncation is None:
            return grids
        if grids.min(initial=0) < 0 or grids.max(initial=1) > 1:
            raise UserError(f"truncation={self.truncation}: distances are of occupancy from 0 to 1 only")
        return truncated_distance_field(grids, self.truncation)
