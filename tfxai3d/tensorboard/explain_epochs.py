"""Explanations while a network is trained: how its attention forms."""

from pathlib import Path
from typing import Any

import keras

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer
from tfxai3d.storage import AnyPath
from tfxai3d.tensorboard.meshes import MeshWriter


class ExplainEveryEpochs(keras.callbacks.Callback):
    """Explains the same examples every few epochs, and writes what it finds.

        model.fit(..., callbacks=[tensorboard.ExplainEveryEpochs(clouds, "maps", target=labels, every=5)])

    After every `every` epochs `epoch-0005.npz` and so on appear in the folder; `Explanation.load` reads them.
    They explain by the weights of that epoch, in inference mode; the training is left as it is.

    Args:
        inputs: Points (B,N,3) or voxels (B,D,H,W,1).
        folder: Folder of the explanations.
        method: Name of a method.
        every: Number of epochs from one explanation to the next.
        target: The predicted classes of each time by default, or what explainers take; the true classes show
            how the network learns them.
        tensorboard: Folder for TensorBoard, in whose tab Mesh the coloured clouds appear; None for none.
        **options: Options of the method.

    Raises:
        UserError: If there is no such method or `every` is below 1; when the training begins, if the method
            cannot explain the model or TensorBoard is wanted and not installed.
    """

    def __init__(
        self,
        inputs: Any,
        folder: AnyPath,
        method: str = "integrated_gradients",
        every: int = 1,
        target: Any = None,
        tensorboard: AnyPath | None = None,
        **options: Any,
    ):
        super().__init__()
        if every < 1:
            raise UserError(f"every must be at least 1, it is {every}")
        self.inputs, self.folder, self.every, self.target = inputs, Path(folder), every, target
        self.tensorboard, self.options, self._method = tensorboard, options, explain.get(method)
        self._explainer: Explainer | None = None
        self._writer: MeshWriter | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Binds the method to the model."""
        self._explainer = self._method(self.model, **self.options)
        self._writer = MeshWriter(self.tensorboard) if self.tensorboard is not None else None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Explains, if it is time."""
        if self._explainer is None or (epoch + 1) % self.every:
            return
        explanation = self._explainer(self.inputs, self.target)
        explanation.save(self.folder / f"epoch-{epoch + 1:04d}.npz")
        if self._writer is not None:
            self._writer.write(explanation, step=epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Ends TensorBoard's file; nothing of the model is kept."""
        if self._writer is not None:
            self._writer.close()
        self._explainer = self._writer = None
