"""One object, as a network takes it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import data, explain
from tfxai3d.data.orientation import with_other_axis_up
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import UpAxis
from tfxai3d.storage.writing import file_name

FLAGS = flags.FLAGS


@dataclasses.dataclass(frozen=True)
class Scan:
    """A file that a grid was made of, and where its voxels are.

    Attributes:
        path: The file, or the folder of a DICOM series.
        shape: Its voxels (D,H,W,C), before they were brought to the size that the network takes.
        affine: As `Explanation` says, float64 (4,4); None where the file does not say it.
    """

    path: Path
    shape: tuple[int, ...]
    affine: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Object:
    """One cloud or grid to explain.

    Attributes:
        name: Different for all objects, also where case is ignored: their folders are called so.
        inputs: float32, as the network takes it: points (N,3+F), y up, or voxels (D,H,W,C), z up.
        label: The class to explain; None for the predicted one.
        scan: What the inputs were made of, if it is a volume.
        tiles: What the inputs are a tile of, if it is a cloud; all its tiles are objects, in their order.
    """

    name: str
    inputs: np.ndarray
    label: str | None
    scan: Scan | None = None
    tiles: data.Tiles | None = None


def reading(net: explain.Network | None, up: UpAxis) -> dict[str, Any]:
    """Returns how points are read, from files with this up axis for a network, as `data.load_points` does.

    Readers turn files with z up to y up. The same turn takes y up to z up, for networks that have it.
    """
    own = "y" if net is None else net.up
    return {"up": "y" if up == own else "z", "normalize": FLAGS.normalize == "unit_sphere"}


def upright(points: np.ndarray, net: explain.Network) -> np.ndarray:
    """Returns a cloud (N,3+F) of a network's with y up, as pages of dropped points draw it."""
    return with_other_axis_up(points) if net.up == "z" else points


def num_points(net: explain.Network | None) -> int:
    """Returns --num_points, or the number that the network takes if it takes no other."""
    shape = None if net is None or net.kind == "voxels" else net.layout.last()
    return int((shape and shape[0]) or FLAGS.num_points)


def features(net: explain.Network | None) -> int | Sequence[str]:
    """Returns --features, those that the network names, or how many columns it takes after x y z."""
    given = "features" in FLAGS and FLAGS.features
    named = getattr(getattr(net, "model", None), "features", None)
    shape = None if net is None or net.kind == "voxels" else net.layout.last()
    return given or (named if isinstance(named, tuple) else None) or (shape[-1] or 3 if shape else 3) - 3


def fitted(inputs: np.ndarray, net: explain.Network | None) -> np.ndarray:
    """Returns clouds (...,N,F) or grids (...,D,D,D,C) as coarse as the network takes them, in its format."""
    if net is None:
        return inputs
    shape, places = net.layout.last(), 1 if net.kind == "points" else 3
    if places == 3 and shape is not None:
        inputs = _coarse(inputs, shape) if None not in shape else inputs
        _check_volume(inputs.shape[-4:], shape)
    if net.shape is not None and len(net.shape) == places:
        return inputs[..., 0]
    return np.moveaxis(inputs, -1, -1 - places) if net.data_format == "channels_first" else inputs


def _coarse(inputs: np.ndarray, shape: tuple[int | None, ...]) -> np.ndarray:
    size, sides = int(shape[0] or 1), inputs.shape[-4:-1]
    odd = len({*shape[:3]}) > 1 or len({*sides}) > 1 or sides[0] == size or sides[0] % size
    if odd or not ((inputs == 0) | (inputs == 1)).all():
        return inputs
    grids = np.asarray(data.coarsen(inputs.reshape((-1, *inputs.shape[-4:])), size))
    return grids.reshape((*inputs.shape[:-4], *grids.shape[1:]))


def _check_volume(shape: tuple[int, ...], taken: tuple[int | None, ...]) -> None:
    """Raises a UserError if a network does not take a volume of this shape (D,H,W,C)."""
    if any(want not in (None, side) for side, want in zip(shape, taken, strict=False)):
        remedy = "give --resample" if taken[3:] in ((None,), shape[3:], ()) else "give its channels"
        raise UserError(f"is a volume {shape}, the network takes {taken}; {remedy}")


def with_unique_names(objects: Iterable[Object]) -> list[Object]:
    """Makes names that folders can have, and numbers objects of the same name, also where only case differs.

    Raises:
        UserError: If there is no object.
    """
    apart: dict[str, Object] = {}
    for item in objects:
        own = file_name(item.name)  # it comes from a file, a label or a table: "..", "a/b"
        names = itertools.chain([own], (f"{own}-{number}" for number in itertools.count(2)))
        name = next(name for name in names if name.casefold() not in apart)
        apart[name.casefold()] = dataclasses.replace(item, name=name)
    if not apart:
        raise UserError("nothing to explain: give --shape, --input or --data_dir")
    return list(apart.values())
