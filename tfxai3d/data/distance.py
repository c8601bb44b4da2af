"""Occupancy as distances to the surface."""

import numpy as np
from scipy import ndimage

from tfxai3d.errors import UserError


def distance_field(grids: np.ndarray) -> np.ndarray:
    """Returns how far each voxel is from the surface, in voxels: positive inside, negative outside.

    Distances are Euclidean, from centre to centre of the nearest voxel on the other side, less the half voxel
    from there to the surface, so that voxels beside it have 1/2 and -1/2.

    Args:
        grids: A grid (D,H,W) or grids (M,D,H,W,1); a voxel above 1/2 is occupied.

    Returns:
        Distances of the same shape, float32; infinite in a grid without a surface, empty or full.

    Raises:
        UserError: If the grids have another shape.
    """
    if grids.ndim != 3 and (grids.ndim != 5 or grids.shape[-1] != 1):
        raise UserError(f"distances are of grids (D,H,W) or (M,D,H,W,1), not of {grids.shape}")
    single = grids[None] if grids.ndim == 3 else grids[..., 0]
    fields = [_signed(grid > 0.5) for grid in single]
    return np.stack(fields).reshape(grids.shape) if fields else np.zeros(grids.shape, np.float32)


def truncated_distance_field(grids: np.ndarray, truncation: float = 4.0) -> np.ndarray:
    """Returns distance fields for a network in place of occupancy: from 0 outside to 1 inside.

    The surface is at 1/2, 0 is `truncation` or more voxels outside and 1 as far inside, and between them the
    value is proportional to the distance, see `distance_field`. So 0 means empty, as in occupancy, also
    where augmentations and explainers put it.

    Args:
        grids: See `distance_field`.
        truncation: The largest distance that counts, in voxels; above 0.

    Returns:
        Values of the same shape, float32.

    Raises:
        UserError: If it is not above 0, or as `distance_field`.
    """
    if not truncation > 0:
        raise UserError(f"truncation={truncation}: must be above 0 voxels")
    return np.clip(distance_field(grids) / (2 * truncation) + 0.5, 0, 1)


def _signed(occupied: np.ndarray) -> np.ndarray:
    if occupied.all() or not occupied.any():
        return np.full(occupied.shape, np.inf if occupied.all() else -np.inf, np.float32)
    inside, outside = (ndimage.distance_transform_edt(mask) for mask in (occupied, ~occupied))
    return np.where(occupied, inside - 0.5, 0.5 - outside).astype(np.float32)
