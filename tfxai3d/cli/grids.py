"""What grids a network of voxels takes, as far as the flags and the network say."""

from __future__ import annotations

from absl import flags

from tfxai3d import data, explain
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS


def grid_form(net: explain.Network | None) -> data.GridForm:
    """Returns what grids the network takes, by the flags of `GRIDS` and by what it says of itself.

    Raises:
        UserError: If volumes are to be resampled for a network of any size, without --resolution.
    """
    given = {name: FLAGS[name].value for name in ("resolution", "resample", "truncation") if name in FLAGS}
    shape = (None if net is None or net.kind == "points" else net.layout.last()) or (None, None, None)
    asked, own = given.get("resolution"), shape[0] if len(set(shape[:3])) == 1 else None
    truncation = given.get("truncation") or getattr(getattr(net, "model", None), "truncation", None)
    resample = _whole(shape, asked) if given.get("resample") else None
    return data.GridForm(own or asked or 32, resample, truncation)


def _whole(shape: tuple[int | None, ...], asked: int | None) -> tuple[int, int, int]:
    """Returns the voxels along the axes, as many as asked for where the network takes any number."""
    depth, height, width = (side or asked for side in shape[:3])
    if not (depth and height and width):
        raise UserError("--resample: the network takes grids of any size; say which by --resolution")
    return depth, height, width
