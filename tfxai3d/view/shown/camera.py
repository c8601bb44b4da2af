"""Where the pictures are taken from."""

import numpy as np

AZIMUTHS = (35.0, 215.0)  # degrees around y, from +z towards +x: front and back of the object
GALLERY_AZIMUTH = 25.0  # less than elsewhere, for walls of filters hardly overlap then
ELEVATION = 22.0
FIELD_OF_VIEW = 30.0
LIGHT = np.array([-0.4, 0.7, 0.6]) / np.linalg.norm([-0.4, 0.7, 0.6])  # from upper left, behind the camera


def rotation(azimuth: float) -> np.ndarray:
    """Returns the camera's right, up and backward axes as rows, (3,3)."""
    a, e = np.radians(azimuth), np.radians(ELEVATION)
    back = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    right = np.array([np.cos(a), 0.0, -np.sin(a)])
    return np.stack([right, np.cross(back, right), back])


def in_front(points: np.ndarray, sizes: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Moves points (N,3) in front of a camera, once for each of its rotations (V,3,3): (V,N,3).

    The camera is at the origin, looks along -z and sees everything within `sizes` (N,) of the points inside
    `FIELD_OF_VIEW`, as large as fits; all views have the same scale. y is up.
    """
    turned = np.einsum("nc,vrc->vnr", points, rotations)
    turned -= (turned.min(axis=1, keepdims=True) + turned.max(axis=1, keepdims=True)) / 2
    slope = np.tan(np.radians(FIELD_OF_VIEW / 2))
    reach = np.abs(turned[..., :2]).max(axis=-1) + 1.5 * sizes
    turned[..., 2] -= (turned[..., 2] + reach / slope).max()
    return turned
