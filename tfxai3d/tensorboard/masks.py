"""Masks and shares of weights for TensorBoard."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Write = Callable[[int, Mapping[str, float], Mapping[str, np.ndarray]], None]


def mask_board(log_dir: str | os.PathLike[str]) -> Write:
    """Returns a function that writes an epoch's numbers as scalars, its masks as histograms, and a figure.

    The figure, `left_by_layer`, has one bar a layer: the share of its weights that is left.

    Args:
        log_dir: TensorBoard's folder; the events go into `pruning` in it.

    Returns:
        A function of the step, the scalars by name, such as `left/conv0/kernel`, and the masks by path.

    Raises:
        UserError: If TensorBoard or matplotlib is not installed, or the folder cannot be written.
    """
    # Here, because surgery itself works with Keras's other backends as well, and without plots.
    import tensorflow as tf

    from tfxai3d.tensorboard.writer import new_writer, plot_image
    from tfxai3d.view.figure import new_figure
    from tfxai3d.view.plot.curves import render_bars

    new_figure(1, 1)  # if matplotlib is missing, this says so, now and not after an epoch
    writer = new_writer(Path(log_dir) / "pruning")

    def write(step: int, scalars: Mapping[str, float], masks: Mapping[str, np.ndarray]) -> None:
        left = [float(mask.mean()) for mask in masks.values()]
        plot = plot_image(lambda path: render_bars(path, list(masks), left, "share of the weights left"))
        with writer.as_default(step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
            for path, mask in masks.items():
                tf.summary.histogram(f"mask/{path}", mask.astype("float32"), buckets=2)
            tf.summary.image("left_by_layer", plot)
        writer.flush()

    return write
