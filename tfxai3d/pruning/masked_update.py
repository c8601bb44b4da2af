"""A step of pruning in the place of an optimiser's own, and its state among the optimiser's variables."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from tfxai3d.errors import UserError


class MaskedUpdate:
    """Puts pruning into a built optimiser: what checkpoints the optimiser checkpoints the masks as well.

    The variables of `state` go among the optimiser's own; `step` stands in for `optimizer.apply`, and calls
    `plain_apply`. Of a `LossScaleOptimizer` the inner one is taken, which is not asked when a gradient
    overflows.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, state: list[Any], step: Callable[..., None]):
        while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer
        if optimizer.use_ema:
            raise UserError("use_ema=True overwrites pruned weights by their averages; prune without it")
        self.optimizer, self.installed = optimizer, False
        self._step, self._plain_variables = step, optimizer._variables
        # Past Keras's tracking, which would add them to the plain list for good.
        vars(optimizer)["_variables"] = [*optimizer._variables, *state]

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
