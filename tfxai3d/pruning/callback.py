"""The base of all callbacks that prune a model while it trains.

What a callback remembers lives among the optimiser's variables, and what it does in a step happens inside
`optimizer.apply`: so it is checkpointed with the optimiser, and a part of the compiled training step.
"""

import abc
import contextlib
import logging
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.kernels import Selection, check_finite
from tfxai3d.pruning.masked_update import MaskedUpdate
from tfxai3d.pruning.structure import Structure, StructureName, left_of, structure_of


class PruningCallback(keras.callbacks.Callback, abc.ABC):
    """Prunes a model's kernels in each step of its training; a subclass says how.

    A subclass makes a `state`, a tuple of variables and lists of variables, one list of which is called
    `masks`, and changes it in `before_update`, `update_mask` and `end_epoch`. There `kernels` are the
    variables whose weights are pruned, `paths` the names of the layers that the masks are of, in their order,
    and `elements` says how the two belong together: by default each weight has a mask of its own.

    Which variables are pruned, `select_kernels` says; `log_layers` logs the numbers of every layer, too; with
    the structure "channel" the masks are over channels, see `structure`.
    """

    elements: Structure

    def __init__(
        self,
        include: Selection | None,
        exclude: Selection | None,
        biases: bool,
        log_layers: bool = False,
        structure: StructureName = "weight",
    ):
        super().__init__()
        self.include, self.exclude, self.biases, self.log_layers = include, exclude, biases, log_layers
        self.structure = structure
        self.paths: list[str] = []
        self.kernels: list[keras.Variable] = []
        self.state: Any = None
        self._update: MaskedUpdate | None = None
        self._pruned_model: keras.Model | None = None
        self._plain_step: Any = None
        self._pruning_step: Any = None

    @abc.abstractmethod
    def make_state(self) -> tuple[Any, ...]:
        """Returns the state for `kernels`, a named tuple in the order of checkpoints, at the start."""

    @abc.abstractmethod
    def before_update(self, gradients: list[Any]) -> None:
        """Prepares the optimiser's step, given the gradient for each kernel, None where there is none."""

    @abc.abstractmethod
    def update_mask(self, updated: Any) -> None:
        """Renews the masks after the optimiser's step if it is time to, and masks the kernels.

        If `updated`, bool scalar, is false, the step only accumulated a gradient.
        """

    @abc.abstractmethod
    def end_epoch(self) -> None:
        """Ends an epoch, in training loops of your own; a UserError if weights are NaN or none is left."""

    def check_kernels(self) -> None:
        """Raises a UserError if a weight is NaN, or a pruned one was changed since the last step."""
        check_finite(self.elements.kernels)
        for path, mask in self.kernel_masks.items():
            if np.any(np.asarray(self.elements.kernels[path])[~mask]):
                raise UserError(f"{path} was changed since its surgery began; begin with a new callback")

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """Masks T by variable path, bool; those over channels by the path of the kernel that makes them."""
        self._check_begun()
        return dict(zip(self.paths, map(np.asarray, self.state.masks), strict=True))

    @property
    def kernel_masks(self) -> dict[str, np.ndarray]:
        """Which weights of the kernels are left, bool, of their shapes, by variable path."""
        self._check_begun()
        masks = self.elements.spread(self.state.masks)
        pairs = zip(self.elements.kernels.items(), map(np.asarray, masks), strict=True)
        return {path: np.broadcast_to(mask, kernel.shape) for (path, kernel), mask in pairs}

    def report(self) -> dict[str, float]:
        """Returns the fraction of the weights left, by the name `left`, and of each layer, `left/<path>`.

        Of masks over channels it is that of the channels.
        """
        left = self.left()
        layers = dict(zip(self.paths, (left / self.sizes).tolist(), strict=True))
        return {"left": float(left.sum() / self.sizes.sum())} | {f"left/{p}": v for p, v in layers.items()}

    def left(self) -> np.ndarray:
        """Returns the number of weights, or channels, left in each layer, int (L,)."""
        return np.array([np.count_nonzero(mask) for mask in self.masks.values()])

    def check_left(self) -> None:
        """Warns of layers that lost all weights; raises a UserError if all did."""
        lost = [path for path, left in zip(self.paths, self.left(), strict=True) if not left]
        if len(lost) == len(self.paths):
            raise UserError("no weight is left: give a smaller c_rate or learning rate, or a larger target")
        if lost:
            logging.warning("no weight is left of %s; exclude layers that must stay", ", ".join(lost))

    @property
    def sizes(self) -> np.ndarray:
        """The number of weights, or channels, of each layer, int (L,)."""
        return np.array([math.prod(shape) for shape in self.elements.shapes.values()])

    @contextlib.contextmanager
    def attached(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
        """Makes pruning a part of `optimizer.apply` inside the block, for training loops of your own.

        The model is built. Functions that call `apply` must be compiled (traced) inside the block.
        """
        update = self._begin(model, optimizer)
        self.check_kernels()
        update.install()
        try:
            yield
        finally:
            update.remove()

    def finalize(self) -> None:
        """Ends the pruning: the model keeps its zeros and is an ordinary one, the optimiser too.

        Plain training would give the zeros values again: train on with `KeepZeros`.
        """
        if self._update is not None and self._pruned_model is not None:
            self._warn_if_replaced()
            self._pruned_model.__dict__.pop("set_weights", None)
            self._stop()
            self._update.leave()
            self.state = self._update = self._pruned_model = self._plain_step = self._pruning_step = None

    def set_model(self, model: keras.Model) -> None:
        """Begins with a compiled model; call it yourself before you restore a checkpoint."""
        super().set_model(model)
        if getattr(model, "optimizer", None) is None:
            raise UserError(
                f"model {model.name!r} is not compiled: surgery is a part of its optimiser's step"
            )
        self._begin(model, model.optimizer)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Puts pruning into the training step."""
        update = self._check_begun()
        self.check_kernels()
        update.install()
        self.model.__dict__["set_weights"] = self._noticing(self.model)
        if self.model.train_function not in (self._plain_step, self._pruning_step):  # compiled anew
            self._plain_step, self._pruning_step = self.model.train_function, None
        if self._pruning_step is None:
            self.model.make_train_function(force=True)
            self._pruning_step = self.model.train_function
        self.model.train_function = self._pruning_step

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Ends the epoch and adds its numbers to the logs."""
        try:
            self.end_epoch()
        except UserError:
            self._stop()
            raise
        if logs is not None:
            report = self.report().items()
            logs.update({name: value for name, value in report if self.log_layers or "/" not in name})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Takes pruning out of the training step."""
        self._stop()

    def _begin(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> MaskedUpdate:
        strategies = (
            getattr(owner, name, None)
            for owner, name in ((model, "distribute_strategy"), (optimizer, "_distribution_strategy"))
        )
        if any(strategy is not None and strategy.num_replicas_in_sync > 1 for strategy in strategies):
            raise UserError("surgery does not work on several replicas; train on one device")
        if self._update is None:
            self.elements = structure_of(self.structure, model, self.include, self.exclude, self.biases)
            if not optimizer.built:
                optimizer.build(model.trainable_variables)
            self.paths, self.kernels = list(self.elements.shapes), list(self.elements.kernels.values())
            self.state = self.make_state()
        elif model is not self._pruned_model:
            raise UserError("this callback has another model under surgery; finalize it, or make a new one")
        else:  # the model may have been compiled anew, with another optimiser
            self._update.leave()
        self._update = MaskedUpdate(optimizer, keras.tree.flatten(self.state), self._masked_apply)
        self._pruned_model = model
        return self._update

    def _check_begun(self) -> MaskedUpdate:
        if self._update is None:
            raise UserError("no model is under surgery yet: pass this callback to model.fit")
        return self._update

    def _masked_apply(self, grads: Iterable[Any], trainable_variables: list[Any] | None = None) -> None:
        """Stands in for `optimizer.apply`."""
        update, grads = self._check_begun(), list(grads)
        before = update.optimizer.iterations + 0
        self.before_update(update.gradients(self.kernels, grads, trainable_variables))
        update.plain_apply(grads, trainable_variables)
        self.update_mask(update.optimizer.iterations > before)

    def _noticing(self, model: keras.Model) -> Callable[[list[Any]], None]:
        """Returns the model's `set_weights` with a check; other callbacks call it when this one has ended."""

        def set_weights(weights: list[Any]) -> None:
            type(model).set_weights(model, weights)
            self._warn_if_replaced()

        return set_weights

    def _warn_if_replaced(self) -> None:
        """Warns if weights that are pruned have values, which nothing but a replacement gives them."""
        own, kernels = self.report()["left"], [np.asarray(kernel) for kernel in self.kernels]
        if any(kernel[~mask].any() for kernel, mask in zip(kernels, self.kernel_masks.values(), strict=True)):
            left = sum(map(np.count_nonzero, left_of(self.elements))) / self.sizes.sum()
            how = "" if self.structure == "weight" else f", structure={self.structure!r}"
            warnings.warn(
                f"the weights were replaced after the last step of pruning: {left:.1%} are left, not "
                f"{own:.1%}. Is it EarlyStopping? Let it begin when the density is reached "
                "(start_from_epoch), or give it restore_best_weights=False; or cut once more, "
                f"prune_magnitude(model, {own:.3g}{how})",
                stacklevel=3,
            )

    def _stop(self) -> None:
        if self._update is None or self._pruned_model is None or not self._update.installed:
            return
        self._update.remove()
        if self._pruning_step is not None:
            self._pruned_model.train_function = self._plain_step
