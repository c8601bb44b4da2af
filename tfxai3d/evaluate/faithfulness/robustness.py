"""Robustness: objects that hardly differ should have maps that hardly differ."""

import numpy as np
import scipy.spatial

from tfxai3d.data.orientation import of_all_columns, rotations_about
from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.subject import Rated
from tfxai3d.evaluate.statistics import rank_correlation

SIGMA, DRAWS = 0.01, 4


def max_sensitivity(rated: Rated) -> np.ndarray:
    """Returns how far the map moves when the input is jittered, by its size, (B,): the lower, the better.

    The largest of `DRAWS` distances `|map(x + e) - map(x)| / |map(x)|`, e normal with the deviation `SIGMA`
    (max-sensitivity of Yeh et al., NeurIPS 2019). Voxels that are 0 stay 0.
    """
    subject, rng = rated.subject, rated.subject.rng(2)
    size = np.linalg.norm(rated.importance, axis=1)
    worst = np.zeros(len(size))
    for _ in range(DRAWS):
        noise = rng.normal(0, SIGMA, subject.inputs.shape)
        moved = subject.inputs + np.where(_can_move(rated), noise, 0).astype(np.float32)
        far = np.linalg.norm(_rows(rated, moved) - rated.importance, axis=1)
        worst = np.maximum(worst, np.divide(far, size, out=np.zeros_like(far), where=size > 0))
    return worst


def resampling(rated: Rated) -> np.ndarray:
    """Returns how far the maps of two halves of a cloud agree, in [-1, 1], (B,): the higher, the better.

    The points are split in two at random, two samples of the same surface; Spearman's correlation of the
    second half's map with the first one's at the nearest points. 0 where a map is constant.

    Raises:
        UserError: If the subject is of voxels.
    """
    subject = rated.subject
    if subject.network.kind != "points":
        raise UserError("resampling: only clouds of points are samples of a surface")
    order = subject.rng(3).permuted(
        np.tile(np.arange(subject.inputs.shape[1]), (len(subject.inputs), 1)), axis=1
    )
    half = order.shape[1] // 2
    parts = [
        np.take_along_axis(subject.inputs, some[..., None], axis=1)
        for some in (order[:, :half], order[:, half : 2 * half])
    ]
    first, second = (_rows(rated, part) for part in parts)
    nearest = [
        scipy.spatial.cKDTree(one[:, :3]).query(other[:, :3])[1] for one, other in zip(*parts, strict=True)
    ]
    return np.nan_to_num(rank_correlation(np.take_along_axis(first, np.stack(nearest), axis=1), second))


def rotation(rated: Rated) -> np.ndarray:
    """Returns how far the map turns with the object, in [-1, 1], (B,): the higher, the better.

    Spearman's correlation of the map and that of the object turned about the up axis: clouds by a random
    angle of at most 15 degrees, normals with them; voxels, z up, by a right angle. 0 where a map is constant.
    It tells of the network as much as of the method, so methods are to be compared on one network.
    """
    subject = rated.subject
    if subject.network.kind == "points":
        angles = subject.rng(4).uniform(-np.pi / 12, np.pi / 12, len(subject.inputs))
        rotations = rotations_about("xyz".index(subject.network.up), angles)
        matrices = of_all_columns(rotations, subject.inputs).swapaxes(1, 2)
        turned = (subject.inputs @ matrices).astype(np.float32)
        return np.nan_to_num(rank_correlation(rated.importance, _rows(rated, turned)))
    there = subject.places.reshape(subject.inputs.shape[:-1])
    turned = np.asarray(rated.rate(np.rot90(subject.inputs, axes=(1, 2)).copy(), subject.labels))
    back = np.rot90(turned, -1, axes=(1, 2))
    return np.nan_to_num(rank_correlation(rated.importance.reshape(there.shape), back, within=there))


def _can_move(rated: Rated) -> np.ndarray:
    return rated.subject.places.reshape(rated.subject.inputs.shape[:-1])[..., None]


def _rows(rated: Rated, inputs: np.ndarray) -> np.ndarray:
    """Returns the method's importance of other inputs, (B,M)."""
    return np.asarray(rated.rate(inputs, rated.subject.labels), np.float64).reshape(len(inputs), -1)
