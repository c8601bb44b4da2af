"""Training on what pruning left: zeros stay zeros."""

from typing import Any, NamedTuple

import keras
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.callback import PruningCallback
from tfxai3d.pruning.kernels import Selection
from tfxai3d.pruning.structure import StructureName, left_of
from tfxai3d.pruning.surgery import state_variable


class ZerosState(NamedTuple):
    """The variables of keeping zeros, in the order of checkpoints."""

    masks: list[keras.Variable]  # mask of each kernel, bool, of its shape


class KeepZeros(PruningCallback):
    """Trains a pruned model on, such as a loaded one or one after `finalize`: its zeros stay zeros.

        model.fit(..., callbacks=[pruning.KeepZeros()])

    Without it plain training gives all pruned weights values again. The logs hold `left`, the fraction of
    the weights left.

    Args:
        include: Variables that were pruned, see `select_kernels`, as the next two.
        exclude: Variables to leave alone.
        biases: Also biases.
        structure: "channel" where whole channels were cut: a channel that is left keeps all its weights.

    Raises:
        UserError: In training, if nothing was pruned or weights are NaN.
    """

    def __init__(
        self,
        *,
        include: Selection | None = None,
        exclude: Selection | None = None,
        biases: bool = False,
        structure: StructureName = "weight",
    ):
        super().__init__(include, exclude, biases, structure=structure)

    def make_state(self) -> Any:
        """Makes masks of what is pruned already; raises a UserError if nothing is."""
        left = left_of(self.elements)
        if all(mask.all() for mask in left):
            raise UserError(f"nothing is pruned yet, {self.in_vain}; prune_magnitude cuts at once")
        return ZerosState([state_variable(mask, "bool") for mask in left])

    #: What there is nothing to do for where no weight is zero.
    in_vain = "so there are no zeros to keep"

    def before_update(self, gradients: list[Any]) -> None:
        """The optimiser does as it likes."""

    def update_mask(self, updated: Any) -> None:
        """Prunes again what was pruned."""
        for kernel, mask in zip(self.kernels, self.elements.spread(self.state.masks), strict=True):
            kernel.assign(kernel * ops.cast(mask, kernel.dtype))

    def end_epoch(self) -> None:
        """Raises a UserError where weights became NaN."""
        self.check_kernels()
