"""What pruning does to kernels in each step of training, as a part of the optimiser's own step.

Between two steps a kernel holds zeros where it is pruned. What an operation remembers lives among the
optimiser's variables, so that what checkpoints the optimiser checkpoints it; what it does happens inside
`optimizer.apply`, and so is a part of the compiled training step.
"""

import abc
import logging
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.kernels import check_finite


class Operation(abc.ABC):
    """An optimiser's step that prunes, and the state that goes with it.

    Args:
        kernels: The variables to prune, by path.

    Raises:
        UserError: If a kernel holds NaN.
    """

    def __init__(self, kernels: dict[str, keras.Variable]):
        check_finite(kernels)
        self.paths, self.kernels = list(kernels), list(kernels.values())
        self.sizes = np.array([np.prod(kernel.shape, dtype="int64") for kernel in self.kernels])
        self.masks: list[keras.Variable] = []
        self.installed = False

    @abc.abstractmethod
    def apply(self, grads: Iterable[Any], trainable_variables: list[Any] | None = None) -> None:
        """Stands in for `optimizer.apply`."""

    @abc.abstractmethod
    def check_kernels(self) -> None:
        """Raises a UserError if a weight is NaN, or somebody changed the kernels since the last step."""

    def adopt(self, optimizer: keras.optimizers.Optimizer, variables: list[Any]) -> None:
        """Puts the state, these variables, among a built optimiser's."""
        while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer = optimizer.inner_optimizer  # the one that is not asked when a gradient overflows
        if optimizer.use_ema:
            raise UserError("use_ema=True overwrites pruned weights by their averages; prune without it")
        self.optimizer, self.variables = optimizer, variables
        self._plain_variables = optimizer._variables
        # Past Keras's tracking, which would add them to the plain list for good.
        vars(optimizer)["_variables"] = [*optimizer._variables, *variables]

    def move(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Goes on with another optimiser, after the model was compiled anew."""
        self.leave()
        self.adopt(optimizer, self.variables)

    def leave(self) -> None:
        """Takes the state out of the optimiser's variables, and the operation out of its step."""
        self.remove()
        vars(self.optimizer)["_variables"] = self._plain_variables

    def install(self) -> None:
        """Makes the operation a part of `optimizer.apply`."""
        if not self.installed:
            self.plain_apply = self.optimizer.apply
            self.optimizer.apply = self.apply
            self.installed = True

    def remove(self) -> None:
        """Gives the optimiser back its own `apply`."""
        if self.installed:
            del self.optimizer.apply
            self.installed = False

    def gradients(self, grads: list[Any], trainable_variables: list[Any] | None) -> list[Any]:
        """Returns the gradients of the kernels among those of `apply`; None for a kernel without."""
        variables = trainable_variables or self.optimizer._trainable_variables
        gradient_of = {id(v): g for v, g in zip(variables, grads, strict=True) if g is not None}
        return [  # dense ones, which those of embeddings are not
            ops.zeros(kernel.shape, kernel.dtype) + ops.cast(gradient_of[id(kernel)], kernel.dtype)
            if id(kernel) in gradient_of
            else None
            for kernel in self.kernels
        ]

    def check_left(self) -> None:
        """Warns of layers that lost all weights; raises a UserError if all did."""
        lost = [path for path, left in zip(self.paths, self.left(), strict=True) if not left]
        if len(lost) == len(self.paths):
            raise UserError(
                "no weight is left: give a smaller c_rate or a larger target, or a lower learning rate"
            )
        if lost:
            logging.warning("no weight is left of %s; exclude layers that must stay", ", ".join(lost))

    def left(self) -> np.ndarray:
        """Returns the number of weights left in each layer, int (L,)."""
        return np.array([np.count_nonzero(np.asarray(mask)) for mask in self.masks])
