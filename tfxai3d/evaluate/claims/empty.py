"""Vanilla gradients are noisy, above all in empty voxels; masked ones and integrated gradients agree."""

import keras
import numpy as np

from tfxai3d.evaluate.claims.claim import CORRELATION, FRACTION, VOXEL_METHODS, Claim, Table, importance_maps
from tfxai3d.evaluate.geometry import importance_fraction
from tfxai3d.evaluate.statistics import bootstrap_mean, rank_correlation

_NOISE = "fraction in empty voxels"


def empty_voxels(
    model: keras.Model, grids: np.ndarray, labels: np.ndarray, *, batch_size: int = 16, seed: int = 0
) -> Claim:
    """Measures how much of the importance lies in empty voxels, and how far the methods agree.

    Args:
        model: Maps voxels (B,D,H,W,1) to logits.
        grids: Occupancy, float32 (B,D,H,W,1), in each grid at least one voxel.
        labels: True classes, int (B,).
        batch_size: The most examples that the network sees at once.
        seed: Seed of the bootstrap.
    """
    empty = grids[..., 0] <= 0
    maps = dict(importance_maps(model, VOXEL_METHODS, grids, labels, batch_size=batch_size))
    fractions = {method: importance_fraction(importance, empty) for method, importance in maps.items()}
    noise = {f"`{method}`": [bootstrap_mean(fraction, seed)] for method, fraction in fractions.items()}
    agreement = {}
    for one, other in (VOXEL_METHODS[:2], VOXEL_METHODS[1:], VOXEL_METHODS[::2]):
        pair = np.abs(maps[one]), np.abs(maps[other])
        found = (rank_correlation(*pair), rank_correlation(*pair, within=~empty))
        agreement[f"`{one}`, `{other}`"] = [bootstrap_mean(correlation, seed) for correlation in found]
    columns = {"all voxels": CORRELATION, "occupied voxels": CORRELATION}
    tables = (
        Table(f"{empty.mean():.1%} of the voxels are empty.", "method", {_NOISE: FRACTION}, noise),
        Table("Rank correlations of the maps of two methods:", "methods", columns, agreement),
    )
    return Claim("Importance in empty voxels", tables)
