"""What all writers for TensorBoard share: the event file, and plots as images."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage import AnyPath
from tfxai3d.storage.leftovers import scratch_folder


def new_writer(folder: AnyPath, replaces: str | None = None) -> Any:
    """Returns a `tf.summary.SummaryWriter`.

    Args:
        folder: Folder of the event file; it is made.
        replaces: What the file is of, such as "dropping", to replace files of the same, which TensorBoard
            would draw as one zigzag line. By default they stay, since a training that goes on writes another.

    Raises:
        UserError: If TensorBoard is not installed or the folder cannot be written.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_extra("tensorboard", "tensorboard")

    suffix = f".{replaces or 'v2'}"
    try:
        if replaces is not None:
            for old in Path(folder).glob(f"events.out.tfevents.*{suffix}"):
                old.unlink()
        writer = tf.summary.create_file_writer(str(folder), filename_suffix=suffix)
        writer.init()
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{folder}: cannot write here ({str(error).splitlines()[0]})") from error
    return writer


def plot_image(draw: Callable[[Path], None]) -> Any:
    """Returns a plot as what `tf.summary.image` takes, uint8 (1,H,W,3).

    Args:
        draw: Writes the plot into the PNG file that it is given, such as `view.render_curves`.
    """
    with scratch_folder() as folder:
        path = Path(folder, "plot.png")
        draw(path)
        return tf.io.decode_png(path.read_bytes(), channels=3)[None]
