"""Pruning in TensorBoard: masks, and the weights left, cut and grown of every layer."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tfxai3d.pruning.callback import PruningCallback
from tfxai3d.storage import AnyPath
from tfxai3d.tensorboard.writer import new_writer, plot_image
from tfxai3d.view.figure import new_figure
from tfxai3d.view.plot import render_bars


class PruningLogger(keras.callbacks.Callback):
    """Writes what a pruning callback did after each epoch, for `tensorboard --logdir`.

        surgery = pruning.DynamicNetworkSurgery(target=0.05)
        model.fit(..., callbacks=[surgery, tensorboard.PruningLogger(surgery, "logs")])

    The numbers of `report`, such as `left/conv0/kernel`, are scalars, the masks are histograms, and the image
    `left_by_layer` has one bar a layer: the fraction of its weights that is left.

    Args:
        pruning: The callback that prunes; it must come first in the list of callbacks.
        log_dir: TensorBoard's folder; the events go into `pruning` in it.

    Raises:
        UserError: If TensorBoard or matplotlib is not installed, or the folder cannot be written.
    """

    def __init__(self, pruning: PruningCallback, log_dir: AnyPath):
        super().__init__()
        new_figure(1, 1)  # if matplotlib is missing, this says so, now and not after an epoch
        self.pruning, self._writer = pruning, new_writer(Path(log_dir) / "pruning")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Writes the numbers and the masks of the epoch."""
        masks = self.pruning.masks
        left = [float(mask.mean()) for mask in masks.values()]
        plot = plot_image(lambda path: render_bars(path, list(masks), left, "fraction of the weights left"))
        with self._writer.as_default(epoch + 1):
            for name, value in self.pruning.report().items():
                tf.summary.scalar(name, value)
            for path, mask in masks.items():
                tf.summary.histogram(f"mask/{path}", mask.astype("float32"), buckets=2)
            tf.summary.image("left_by_layer", plot)
        self._writer.flush()
