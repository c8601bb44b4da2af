"""Where the pictures are taken from."""

import numpy as np

AZIMUTHS = (35.0, 215.0)  # degrees around y, from +z towards +x: front and back of the object
ELEVATION = 22.0
FIELD_OF_VIEW = 30.0


def unit_cloud(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Moves points (N,3) into the unit ball around their middle, for renderers dislike extreme units.

    Returns:
        The points, and the radius of the balls that stand for them; it falls with the square root of N,
        as the spacing of points on a surface does.
    """
    centred = points - _middle(points)
    extent = np.linalg.norm(centred, axis=1).max() or 1.0
    return centred / extent, float(np.clip(0.7 / np.sqrt(len(points)), 0.004, 0.05))


def camera_views(points: np.ndarray, radius: float) -> np.ndarray:
    """Moves the cloud in front of a camera, once for each of `AZIMUTHS`.

    The camera is at the origin, looks along -z and sees all balls of `radius` around the points within
    `FIELD_OF_VIEW`, as large as fits; both views have the same scale. y is up.

    Args:
        points: (N,3).
        radius: Of a ball, in the unit of the points.

    Returns:
        (len(AZIMUTHS), N, 3).
    """
    turned = np.stack([points @ _rotation(azimuth).T for azimuth in AZIMUTHS])
    turned -= (turned.min(axis=1, keepdims=True) + turned.max(axis=1, keepdims=True)) / 2
    slope = np.tan(np.radians(FIELD_OF_VIEW / 2))
    reach = np.abs(turned[..., :2]).max(axis=-1) + 1.5 * radius
    turned[..., 2] -= (turned[..., 2] + reach / slope).max()
    return turned


def _middle(points: np.ndarray) -> np.ndarray:
    return (points.min(axis=0) + points.max(axis=0)) / 2


def _rotation(azimuth: float) -> np.ndarray:
    """The rows are the camera's right, up and backward axes."""
    a, e = np.radians(azimuth), np.radians(ELEVATION)
    back = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return np.stack([right, np.cross(back, right), back])
