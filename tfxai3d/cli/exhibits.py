"""The objects of the explorer, as the flags of an app say how networks take them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tfxai3d import data, explain
from tfxai3d.cli.files import clouds_of, grid_of
from tfxai3d.cli.fitting import fitted
from tfxai3d.cli.grids import grid_form
from tfxai3d.cli.objects import made_shape
from tfxai3d.cli.scans import affine_of
from tfxai3d.data.shapes import SHAPE_CLASSES
from tfxai3d.errors import UserError
from tfxai3d.explorer import Exhibit
from tfxai3d.results.explanation import UpAxis

_SCANS = "adrenalmnist3d_examples"
_SCANNED = ("normal", "hyperplasia")


class EmbeddedAndFiles:
    """Procedural shapes, the volumes that come with the package, and files."""

    def labels(self, network: explain.Network) -> list[str]:
        """Returns the classes that a network knows: all if it names none, none if it takes features."""
        known, shape = network.class_names, network.layout.last()
        if shape is not None and (shape[-1] or 0) > (3 if network.kind == "points" else 1):
            return []
        scans = _SCANNED if network.kind == "voxels" and known and {*_SCANNED} <= {*known} else ()
        return [*(name for name in SHAPE_CLASSES if known is None or name in known), *scans]

    def embedded(self, label: str, number: int, network: explain.Network | None) -> Exhibit:
        """Returns an embedded object.

        Raises:
            UserError: If there is none of this number.
        """
        if label not in _SCANNED or network is None:
            return Exhibit(f"{label} {number}", made_shape(label, number, network))
        split = data.open_dataset(_SCANS, "voxels", grid=grid_form(network))
        own = np.flatnonzero(split.labels == split.class_names.index(label))
        if number >= len(own):
            raise UserError(f"there are {len(own)} embedded volumes of {label!r}: give a number below that")
        inputs = np.asarray(split[own[[number]]].inputs[0], np.float32)
        return Exhibit(f"{label} {number}", fitted(inputs, network), scan=True)

    def of_file(self, path: Path, network: explain.Network, up: UpAxis) -> Exhibit:
        """Returns the first object of a file."""
        name = re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        if network.kind == "points":
            first = next(iter(clouds_of(str(path), 0, name, network, up)))
            return Exhibit(path.name, first.inputs)
        grid = grid_of(str(path), 0, name, network, up)
        return Exhibit(path.name, grid.inputs, affine_of(grid, grid.inputs.shape[:3]), grid.scan is not None)
