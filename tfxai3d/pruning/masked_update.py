"""A step of pruning in the place of an optimiser's own, and its state among the optimiser's variables."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfxai3d.errors import UserError

_FILES = ("save_own_variables", "load_own_variables")


class _State(keras.layers.Layer):  # a part of the optimiser, as Keras's files see it
    """The state of pruning in files of Keras, from which training can go on as it was."""

    def __init__(self, state: list[Any]):
        super().__init__(name="pruning_state")
        self._state_of_pruning = tuple(state)

    def save_own_variables(self, store: Any) -> None:
        """Writes the state."""
        for number, variable in enumerate(self._state_of_pruning):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Reads the state, unless the file is of a model that was not being pruned."""
        for number, variable in enumerate(self._state_of_pruning if store.keys() else ()):
            variable.assign(store[str(number)])


class MaskedUpdate:
    """Puts pruning into a built optimiser: what checkpoints the optimiser checkpoints the masks as well.

    The variables of `state` go among the optimiser's own; `step` stands in for `optimizer.apply`, and calls
    `plain_apply`. Of a `LossScaleOptimizer` the inner one is taken, which is not asked when a gradient
    overflows.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, state: list[Any], step: Callable[..., None]):
        self._owners = [optimizer]
        while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
            self._owners.append(optimizer)
        if optimizer.use_ema:
            raise UserError("use_ema=True overwrites pruned weights by their averages; prune without it")
        self.optimizer, self.installed = optimizer, False
        self._step, self._plain_variables = step, optimizer._variables
        # Past Keras's tracking, which would add them to the plain list for good.
        vars(optimizer)["_variables"] = [*optimizer._variables, *state]
        # What Keras writes is read by plain optimisers: their own variables, and beside them the state.
        vars(optimizer)["pruning_state"] = _State(state)
        for owner in self._owners:
            for name in _FILES:
                vars(owner)[name] = self._of_plain(getattr(owner, name))

    def install(self) -> None:
        """Makes the step a part of `optimizer.apply`."""
        if not self.installed:
            self.plain_apply = self.optimizer.apply
            self.optimizer.apply = self._step
            self.installed = True

    def remove(self) -> None:
        """Gives the optimiser back its own `apply`."""
        if self.installed:
            del self.optimizer.apply
            self.installed = False

    def leave(self) -> None:
        """Gives the optimiser back its own `apply` and its own variables."""
        self.remove()
        vars(self.optimizer)["_variables"] = self._plain_variables
        vars(self.optimizer).pop("pruning_state")
        for owner in self._owners:
            for name in _FILES:
                vars(owner).pop(name)

    def _of_plain(self, method: Callable[[Any], None]) -> Callable[[Any], None]:
        """Returns a method of an optimiser that sees the plain one's variables alone."""

        def call(store: Any) -> None:
            extended = vars(self.optimizer)["_variables"]
            vars(self.optimizer)["_variables"] = self._plain_variables
            try:
                method(store)
            finally:
                vars(self.optimizer)["_variables"] = extended

        return call

    def gradients(
        self, kernels: Sequence[keras.Variable], grads: list[Any], trainable_variables: list[Any] | None
    ) -> list[Any]:
        """Returns the kernels' gradients among those given to `apply`, dense; None for a kernel without."""
        variables = trainable_variables or self.optimizer._trainable_variables
        gradient_of = {id(v): g for v, g in zip(variables, grads, strict=True) if g is not None}
        return [  # the sum makes those of embeddings dense
            ops.zeros(kernel.shape, kernel.dtype) + ops.cast(gradient_of[id(kernel)], kernel.dtype)
            if id(kernel) in gradient_of
            else None
            for kernel in kernels
        ]
