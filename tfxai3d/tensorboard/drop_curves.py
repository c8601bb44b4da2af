"""Drop experiments in TensorBoard: scalars to compare, and their figures."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import tensorflow as tf

from tfxai3d import view
from tfxai3d.errors import UserError
from tfxai3d.results.drop_table import DropTable
from tfxai3d.storage import AnyPath, file_name
from tfxai3d.tensorboard.writer import new_writer, plot_image

_COLUMNS = ("accuracy", "confidence", "loss")


def write_drop_curves(folder: AnyPath, tables: Mapping[str, DropTable]) -> None:
    """Writes drop experiments for `tensorboard --logdir`.

    Each table is a run of its own, `<folder>/<name>`, drawn into the same charts: `dropping/accuracy`,
    `dropping/confidence` and `dropping/loss`, means as in `DropTable.by_step`, against the number of points
    removed. The run `figures` has images with all lines. What an earlier call wrote there is replaced.

    Args:
        folder: Folder of the runs.
        tables: The experiments by name, such as "point_saliency".

    Raises:
        UserError: If there is none, one has no clouds, TensorBoard or matplotlib is not installed, or the
            folder cannot be written.
    """
    for name, table in tables.items():
        if not len(table):
            raise UserError(f"the drop table {name!r} is empty: drop points of a cloud first")
    curves = {name: table.by_step() for name, table in tables.items()}
    images = {y: plot_image(partial(view.render_curves, curves=curves, y=y)) for y in _COLUMNS}
    for name, curve in curves.items():
        removed = (curve["points"][0] - curve["points"]).round().astype(int).tolist()
        with _run(Path(folder, file_name(name))):
            for column in _COLUMNS:
                for step, value in zip(removed, curve[column], strict=True):
                    tf.summary.scalar(f"dropping/{column}", value, step)
    with _run(Path(folder, "figures")):
        for column, image in images.items():
            tf.summary.image(f"dropping/{column}", image, step=0)


@contextlib.contextmanager
def _run(folder: Path) -> Iterator[None]:
    """Makes the summaries of the block a run of its own."""
    with contextlib.closing(new_writer(folder, "dropping")) as writer, writer.as_default():
        yield
