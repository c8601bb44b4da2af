"""What is found of a cloud in parts, or of some of its points, in the cloud's own file and as one picture."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags

from tfxai3d import data, results, view
from tfxai3d.cli.fitting import Object
from tfxai3d.data.readers.loading import as_inputs
from tfxai3d.errors import UserError
from tfxai3d.storage.writing import unique_name

FLAGS = flags.FLAGS
_SHOWN = 50_000  # points of a picture


def write_clouds(
    output_dir: Path, found: Sequence[Object], rows: Sequence[Sequence[results.Explanation]]
) -> None:
    """Writes what each method says of each cloud in --input, for all points of its file.

    - `<cloud>/<method>.las` and so on: the file again with the importance as a further column, if its format
      takes one.
    - `<cloud>/<method>.png` and `.html`, if --pictures and the network saw only a part: the whole cloud, of
      many points a random part.
    """
    parts: dict[int, list[tuple[Object, Sequence[results.Explanation]]]] = {}
    for item, row in zip(found, rows, strict=True):
        if item.tiles is not None:
            parts.setdefault(id(item.tiles), []).append((item, row))
    for of_cloud in parts.values():
        first, tiles = of_cloud[0][0], of_cloud[0][0].tiles
        assert tiles is not None
        cell = "_".join(map(str, tiles.tiles[0].cell))
        folder = output_dir / (first.name.removesuffix(f"_{cell}") if len(of_cloud) > 1 else first.name)
        for explanations in zip(*(row for _, row in of_cloud), strict=True):
            _write(folder, tiles, explanations)


def _write(folder: Path, tiles: data.Tiles, explanations: Sequence[results.Explanation]) -> None:
    """Writes what one method says of all tiles of a cloud."""
    source, method = tiles.cloud.path, explanations[0].method
    importance = tiles.spread([one.importance[0] for one in explanations])
    if data.takes_column(source):
        suffix = "".join(source.suffixes[-2 if source.suffix.lower() == ".gz" else -1 :])
        name = unique_name("importance", tiles.cloud.columns, "_")
        try:
            data.write_column(source, folder / f"{method}{suffix.lower()}", importance, name)
        except UserError as error:  # what else was found is there nevertheless
            logging.warning(f"the importance of all points is not written: {error}")
    if FLAGS.pictures and sum(len(tile.points) for tile in tiles.tiles) < tiles.cloud.count:
        whole, title = _whole(tiles, explanations, importance)
        view.render_png(folder / f"{method}.png", whole, colormap=FLAGS.colormap, title=title)
        view.write_html(folder / f"{method}.html", whole, colormap=FLAGS.colormap, title=title)


def _whole(
    tiles: data.Tiles, explanations: Sequence[results.Explanation], importance: np.ndarray
) -> tuple[results.Explanation, str | None]:
    """Returns a cloud with the importance of each point, as one explanation, and its title."""
    numbers, points = tiles.sample(_SHOWN)
    shown = importance[numbers][None]
    whole = dataclasses.replace(
        explanations[0],
        inputs=as_inputs(points, {}, "y" if FLAGS.up == explanations[0].up else "z")[None],
        attributions=np.repeat(shown[..., None], 3, axis=-1),
        importance=shown,
        standard_error=None,
        region=None,
        data_format="channels_last",
    )
    if len(explanations) == 1:
        return whole, None
    named = {explanations[0].class_name(int(one.target[0])) for one in explanations}
    return whole, f"{tiles.cloud.path.name}, {len(tiles)} tiles: {', '.join(sorted(named))}"
