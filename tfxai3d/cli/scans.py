"""Explanations of scans: in the scans' own frames, and how their values are shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import data, results
from tfxai3d.cli.fitting import Object
from tfxai3d.errors import UserError


def window() -> tuple[float, float] | None:
    """Returns --window as numbers, None without it.

    Raises:
        UserError: If it is not two numbers, the lower one first.
    """
    given = flags.FLAGS.window
    if given is None:
        return None
    try:
        low, high = map(float, given)
    except ValueError:
        low = high = 0
    if not low < high:
        raise UserError(f"--window={','.join(given)}: give the values of black and white, such as -200,300")
    return low, high


def in_frame(item: Object, explanation: results.Explanation) -> results.Explanation:
    """Returns the explanation of an object with the affine of its grid, if it is a scan that has one."""
    affine = affine_of(item, explanation.importance.shape[1:])
    return explanation if affine is None else dataclasses.replace(explanation, affine=affine[None])


def affine_of(item: Object, shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns where the voxels (D,H,W) of an object's grid are, None if it is no scan that says it."""
    if item.scan is None or item.scan.affine is None:
        return None
    return data.resampled_affine(item.scan.affine, item.scan.shape, shape)


def write_explanations(folder: Path, item: Object, row: Iterable[results.Explanation]) -> None:
    """Writes what each method says of an object: `<method>.npz`, and of a scan maps in its own frame.

    The importance is resampled to the scan's voxels and goes to `<method>.nii.gz`, or with the suffix of the
    scan's own format; where a scan has several channels, their attributions go to `<method>_channels.nii.gz`.
    """
    for explanation in row:
        explanation.save(folder / f"{explanation.method}.npz")
        if item.scan is None:
            continue
        maps = {"": explanation.importance[0]}
        if item.scan.shape[-1] > 1:
            maps["_channels"] = explanation.channel_attributions[0]
        for name, values in maps.items():
            path = folder / f"{explanation.method}{name}{data.map_suffix(item.scan.path)}"
            data.write_volume(item.scan.path, path, data.resampled(values, item.scan.shape[:3]))
