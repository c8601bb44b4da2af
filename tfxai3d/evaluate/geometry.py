"""Where importance lies: the geometry of clouds, and the fraction of the importance on parts of them."""

import numpy as np
import numpy.typing as npt
import scipy.spatial

from tfxai3d.errors import UserError


def surface_variation(points: np.ndarray, neighbors: int = 20) -> npt.NDArray[np.float64]:
    """Tells edges and corners from planes by the spread of each point's neighbourhood.

    The smallest eigenvalue of the covariance of a point's nearest neighbours (itself among them), divided by
    the sum of the three: 0 on a plane, at most 1/3 where points scatter in all directions (Pauly, Gross and
    Kobbelt 2002, "Efficient simplification of point-sampled surfaces", section 2.2).

    Args:
        points: Coordinates (N,3).
        neighbors: How many nearest points make a neighbourhood, 3 to N.

    Returns:
        One value in [0, 1/3] a point (N,); 0 where all neighbours are in one place.

    Raises:
        UserError: If there are fewer points than neighbours, or fewer than 3 neighbours.
    """
    if not 3 <= neighbors <= len(points):
        raise UserError(f"neighbors is {neighbors}: it must be 3 to the number of points, {len(points)}")
    wide = np.asarray(points, np.float64)
    _, index = scipy.spatial.cKDTree(wide).query(wide, neighbors)
    near = wide[index]
    near -= near.mean(axis=1, keepdims=True)
    spread = np.linalg.eigvalsh(near.swapaxes(1, 2) @ near).clip(0)
    total = spread.sum(axis=1)
    return np.divide(spread[:, 0], total, out=np.zeros(len(wide)), where=total > 0)


def importance_fraction(importance: np.ndarray, chosen: np.ndarray) -> npt.NDArray[np.float64]:
    """Returns the fraction of the absolute importance that lies on chosen points or voxels.

    Args:
        importance: One value a point or voxel (B,...).
        chosen: Which ones count, bool (B,...).

    Returns:
        Fractions in [0, 1], (B,); NaN for an example without importance.
    """
    axes = tuple(range(1, importance.ndim))
    size = np.abs(importance.astype(np.float64))
    total = size.sum(axis=axes)
    on_chosen = (size * chosen).sum(axis=axes)
    return np.divide(on_chosen, total, out=np.full(len(size), np.nan), where=total > 0)
