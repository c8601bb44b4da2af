"""Masks and shares of weights for TensorBoard."""

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tfxai3d.errors import missing_extra

Write = Callable[[int, Mapping[str, float], Mapping[str, np.ndarray]], None]


def mask_board(log_dir: str | os.PathLike[str]) -> Write:
    """Returns a function that writes an epoch's numbers as scalars and its masks as histograms.

    Args:
        log_dir: TensorBoard's folder; the events go into `pruning` in it.

    Returns:
        A function of the step, the scalars by name, such as `left/conv0/kernel`, and the masks by path.

    Raises:
        UserError: If TensorBoard is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_extra("tensorboard", "tensorboard")
    import tensorflow as tf  # here, because surgery itself works with Keras's other backends as well

    writer = tf.summary.create_file_writer(str(Path(log_dir) / "pruning"))

    def write(step: int, scalars: Mapping[str, float], masks: Mapping[str, np.ndarray]) -> None:
        with writer.as_default(step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
            for path, mask in masks.items():
                tf.summary.histogram(f"mask/{path}", mask.astype("float32"), buckets=2)
        writer.flush()

    return write
