"""The callback that has an operation on a model's kernels while it trains."""

import abc
import contextlib
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.kernels import Selection, select_kernels
from tfxai3d.pruning.masked_update import Operation

Op = TypeVar("Op", bound=Operation)


class OperatingCallback(keras.callbacks.Callback, abc.ABC, Generic[Op]):
    """Has an operation on a model's kernels while it trains.

    Args:
        include: Variables to prune, see `select_kernels`, as the others.
        exclude: Variables to leave alone.
        biases: Also prune biases.
    """

    def __init__(self, include: Selection | None, exclude: Selection | None, biases: bool):
        super().__init__()
        self.include, self.exclude, self.biases = include, exclude, biases
        self._operation: Op | None = None
        self._patient: keras.Model | None = None
        self._plain_step: Any = None
        self._pruning_step: Any = None

    @abc.abstractmethod
    def _prepare(self, kernels: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer) -> Op:
        """Makes the operation."""

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """Masks T by variable path, bool."""
        operation = self._begun()
        return dict(zip(operation.paths, map(np.asarray, operation.masks), strict=True))

    @contextlib.contextmanager
    def attached(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
        """Makes the operation a part of `optimizer.apply` inside the block, for training loops of your own.

        Functions that call it must be compiled (traced) inside the block.

        Args:
            model: A built model.
            optimizer: The optimiser of its trainable variables.
        """
        operation = self._begin(model, optimizer)
        operation.check_kernels()
        operation.install()
        try:
            yield
        finally:
            operation.remove()

    def finalize(self) -> None:
        """Ends the operation: the model keeps its zeros and is an ordinary one, the optimiser too."""
        if self._operation is not None:
            self._stop()
            self._operation.leave()
            self._operation = self._patient = self._plain_step = self._pruning_step = None

    # --- events of keras.callbacks.Callback

    def set_model(self, model: keras.Model) -> None:
        """Takes a compiled model under surgery; call it yourself before you restore a checkpoint."""
        super().set_model(model)
        if getattr(model, "optimizer", None) is None:
            raise UserError(
                f"model {model.name!r} is not compiled: surgery is a part of its optimiser's step"
            )
        self._begin(model, model.optimizer)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the operation into the training step."""
        operation = self._begun()
        operation.check_kernels()
        operation.install()
        if self.model.train_function not in (self._plain_step, self._pruning_step):  # compiled anew
            self._plain_step, self._pruning_step = self.model.train_function, None
        if self._pruning_step is None:
            self.model.make_train_function(force=True)
            self._pruning_step = self.model.train_function
        self.model.train_function = self._pruning_step

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes the operation out of the training step."""
        self._stop()

    # ---

    def _begin(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Op:
        for owner in (
            getattr(model, "distribute_strategy", None),
            getattr(optimizer, "_distribution_strategy", None),
        ):
            if owner is not None and owner.num_replicas_in_sync > 1:
                raise UserError("surgery does not work on several replicas; train on one device")
        if self._operation is None:
            kernels = select_kernels(model, self.include, self.exclude, self.biases)
            if not optimizer.built:
                optimizer.build(model.trainable_variables)
            self._operation, self._patient = self._prepare(kernels, optimizer), model
        elif model is not self._patient:
            raise UserError(
                "this callback has another model under surgery; finalize it, or make a new callback"
            )
        else:
            self._operation.move(optimizer)
        return self._operation

    def _begun(self) -> Op:
        if self._operation is None:
            raise UserError("no model is under surgery yet: pass this callback to model.fit")
        return self._operation

    def _stop(self) -> None:
        if self._operation is None or self._patient is None or not self._operation.installed:
            return
        self._operation.remove()
        if self._pruning_step is not None:
            self._patient.train_function = self._plain_step
