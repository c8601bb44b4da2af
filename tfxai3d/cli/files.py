"""The objects in the files of --input."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from absl import flags

from tfxai3d import data, explain
from tfxai3d.cli.fitting import Object, Scan, features, fitted, num_points, reading
from tfxai3d.cli.grids import grid_form
from tfxai3d.data.geometry import Mesh, Volume
from tfxai3d.errors import UserError
from tfxai3d.results.explanation import UpAxis

FLAGS = flags.FLAGS


def of_files(net: explain.Network | None) -> Iterator[Object]:
    """Yields the objects of all files, as the network takes them."""
    for path, index in itertools.product(FLAGS.input, indices()):
        stem = Path(re.sub(r"\.gz$", "", path, flags=re.IGNORECASE)).stem
        name = stem if FLAGS.index == ["0"] else f"{stem}_{index}"
        if net is not None and net.kind == "voxels":
            yield grid_of(path, index, name, net, FLAGS.up)
        else:
            yield from clouds_of(path, index, name, net, FLAGS.up)


def grid_of(path: str, index: int, name: str, net: explain.Network, up: UpAxis) -> Object:
    """Returns the object of a file as a grid, whose meshes and clouds have this up axis."""
    found = data.read(path, index, "voxels", array=FLAGS.array)
    form, scan = grid_form(net), None
    inputs = data.to_grid(found, up=up, shape=form.resample, resolution=form.resolution)
    inputs = form.of_occupancy(inputs[None])[0]
    if isinstance(found, Volume) and (found.oriented or Path(path).suffix.lower() == ".npy"):
        scan = Scan(Path(path), found.values.shape, found.affine if found.oriented else None)
    try:
        inputs = fitted(inputs, net)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return Object(name, inputs, one_label(), scan)


def clouds_of(path: str, index: int, name: str, net: explain.Network | None, up: UpAxis) -> Iterator[Object]:
    """Yields the cloud of a file that has this up axis, or each of its tiles."""
    options: dict[str, Any] = {"features": features(net), "seed": FLAGS.seed, **reading(net, up)}
    cutting: dict[str, Any] = {
        key: FLAGS[key].value for key in ("voxel_size", "tile_size") if key in FLAGS
    } | {"region": _region()}
    opened = data.open_cloud(path, index, array=FLAGS.array)
    if isinstance(opened, Mesh):
        if given := [key for key, value in cutting.items() if value is not None]:
            raise UserError(f"{path}: is a mesh, of which points are sampled; leave --{given[0]} out")
        yield Object(name, fitted(data.to_points(opened, num_points(net), **options), net), one_label())
        return
    tiles = data.cut_tiles(opened, num_points(net), **options, **cutting)
    seen = sum(len(tile.points) for tile in tiles.tiles)
    if net is not None and seen < opened.count:  # once, not when the flags are checked
        logging.warning(f"{path}: the network sees {seen:,} of {opened.count:,} points")
    for tile in tiles.tiles:
        own = f"{name}_{tile.cell[0]}_{tile.cell[1]}" if cutting.get("tile_size") else name
        yield Object(own, fitted(tile.inputs, net), one_label(), tiles=tiles)


def _region() -> list[float] | None:
    """Returns --region as numbers."""
    if "region" not in FLAGS:
        return None
    try:
        return FLAGS.region and [float(text) for text in FLAGS.region]
    except ValueError:
        raise UserError(f"--region={','.join(FLAGS.region)}: give six numbers") from None


def one_label() -> str | None:
    """Returns --label, which must be one class; None without it."""
    if "label" not in FLAGS:
        return None
    if FLAGS.label and len(FLAGS.label) > 1:
        raise UserError(f"--label={','.join(FLAGS.label)}: give one class; several need --data_dir")
    return FLAGS.label[0] if FLAGS.label else None


def indices() -> list[int]:
    """Returns --index as numbers.

    Raises:
        UserError: If it holds anything but numbers from 0.
    """
    try:
        numbers = [int(text) for text in FLAGS.index]
    except ValueError:
        numbers = [-1]
    if min(numbers, default=-1) < 0:
        raise UserError(f"--index={','.join(FLAGS.index)}: give numbers from 0, such as 0,1,2")
    return numbers
