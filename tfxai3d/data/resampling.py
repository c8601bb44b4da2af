"""Volumes at another resolution."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage


def resampled(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Brings a volume to another number of voxels in the same box, by linear interpolation.

    A map of the answer goes back the same way: `resampled(importance, scan.shape)`. Where voxels become
    larger, values are averaged over about their size first.

    Args:
        values: (D,H,W) or (D,H,W,C).
        shape: Voxels along the first three axes.

    Returns:
        The volume, float32.
    """
    factors = [new / old for new, old in zip(shape, values.shape[:3], strict=True)]
    rest = [1] * (values.ndim - 3)
    blur = [max(0.0, (1 / factor - 1) / 2) for factor in factors]
    smooth = ndimage.gaussian_filter(values.astype(np.float32), blur + [0] * len(rest), mode="nearest")
    zoomed = ndimage.zoom(smooth, factors + rest, order=1, mode="nearest", grid_mode=True)
    return np.asarray(zoomed, np.float32)


def resampled_affine(affine: np.ndarray, old: Sequence[int], new: Sequence[int]) -> np.ndarray:
    """Returns the affine (4,4) of a volume that `resampled` brought from `old` to `new` voxels.

    Voxel i of n has its centre at (i + 1/2) / n of the box.
    """
    scale = np.divide(old[:3], new[:3])
    step = np.eye(4)
    step[:3, :3], step[:3, 3] = np.diag(scale), (scale - 1) / 2
    return np.asarray(affine @ step, np.float64)
