"""binvox: occupancy in runs of equal voxels."""

import io
import os
from pathlib import Path

import numpy as np

from tfxai3d.data.geometry import VoxelGrid
from tfxai3d.errors import UserError, reason_of
from tfxai3d.storage.writing import atomic_path

_MAX_SIZE = 1024  # voxels along an axis, binvox's own limit


def read_binvox(path: str | os.PathLike[str]) -> VoxelGrid:
    """Reads a binvox file; its position and scale are ignored.

    Returns:
        The grid, axes x, y, z.

    Raises:
        UserError: If there is no such file, it is damaged, or its grid is empty.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a binvox file")
    try:
        return parse(path.read_bytes())
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # trimesh raises nearly anything on a damaged header
        reason = reason_of(error)
        raise UserError(f"{path}: not a readable binvox file ({reason}); fetch it again") from error


def parse(raw: bytes) -> VoxelGrid:
    """Reads the bytes of a binvox file; errors do not name it."""
    from trimesh.exchange.binvox import parse_binvox

    parsed = parse_binvox(io.BytesIO(raw))
    return VoxelGrid(_occupancy(parsed.rle_data, tuple(int(n) for n in parsed.shape)))


def write_binvox(path: str | os.PathLike[str], occupancy: np.ndarray) -> None:
    """Writes a grid (D,H,W), axes x, y, z, as a binvox file whose box is the unit cube.

    Raises:
        UserError: If it is not a grid of 0 and 1, or empty.
    """
    from trimesh.exchange.binvox import binvox_bytes
    from trimesh.voxel.runlength import dense_to_rle

    grid = VoxelGrid(occupancy).occupancy
    runs = dense_to_rle(grid.transpose(0, 2, 1).reshape(-1), np.uint8)
    with atomic_path(path) as temporary:
        temporary.write_bytes(binvox_bytes(np.asarray(runs, np.uint8), grid.shape))


def _occupancy(runs: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Unpacks pairs of value and length; y runs fastest, then z, then x."""
    if len(shape) != 3 or not all(0 < n <= _MAX_SIZE for n in shape):
        raise UserError(f"declares dimensions {shape}; give three, of at most {_MAX_SIZE}")
    values, lengths = runs[0::2], runs[1::2]
    x, y, z = shape
    if len(values) != len(lengths) or lengths.sum(dtype=np.int64) != x * y * z:
        raise UserError(f"does not hold {x * y * z:,} voxels as it declares; it is cut off, fetch it again")
    return np.repeat(values, lengths).reshape(x, z, y).transpose(0, 2, 1)
