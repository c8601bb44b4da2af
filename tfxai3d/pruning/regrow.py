"""Prune and regrow: the least useful weights of a pruned model go, and as many others grow elsewhere.

A weight w, with gradients g of the batches' loss, is worth `w^2 E[g^2]`: in proportion to what cutting it
would cost, to second order with the Fisher information for the Hessian (LeCun et al. 1990, Theis et al.
2018). A pruned one promises `E[g]^2 / E[g^2]`: in proportion to what its best value would gain, likewise.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.keep_zeros import KeepZeros
from tfxai3d.pruning.kernels import Selection
from tfxai3d.pruning.structure import StructureName
from tfxai3d.pruning.surgery import state_variable


class RegrowState(NamedTuple):
    """The variables of pruning and regrowing, in the order of checkpoints."""

    masks: list[keras.Variable]  # mask of each layer, bool, of its kernel's shape or (n,) over n channels
    sums: list[keras.Variable]  # sum of each kernel's gradients since the last round, of its shape and dtype
    squares: list[keras.Variable]  # sum of their squares, likewise
    rounds: keras.Variable  # rounds so far, int32 scalar


class PruneAndRegrow(KeepZeros):
    """Improves which weights of a pruned model are left, while it trains on.

        model.fit(..., callbacks=[pruning.PruneAndRegrow(epochs=16)])

    Zeros of the kernels stay zeros, but after each of the first epochs the weights of all layers that are
    worth least, `w^2 E[g^2]`, are cut, and as many others grow from zero. Each layer gets of them in
    proportion to what it has kept (after Dettmers and Zettlemoyer 2019), and there those grow whose gradients
    agreed most in the epoch, `E[g]^2 / E[g^2]`. The fraction that is cut falls from `drop_fraction` to zero
    along a cosine (Evci et al., ICML 2020). The logs hold `left`, the fraction of the weights left, and
    `regrown`, a number.

    With `structure="channel"` the same is done to channels, whose worth and promise are the sums of those of
    all weights that read them.

    Args:
        epochs: The first so many epochs end with a round of cutting and growing; 0 for none.
        drop_fraction: Fraction of the weights left that the first round cuts.
        include: Variables that were pruned, see `select_kernels`, as the next two.
        exclude: Variables to leave alone.
        biases: Also biases.
        structure: Whether each "weight" goes and grows by itself, or each "channel".

    Raises:
        UserError: If an argument is out of range; in training, if nothing was pruned or weights are NaN.
    """

    state: RegrowState
    in_vain = "so nothing can regrow"

    def __init__(
        self,
        epochs: int,
        drop_fraction: float = 0.15,
        *,
        include: Selection | None = None,
        exclude: Selection | None = None,
        biases: bool = False,
        structure: StructureName = "weight",
    ):
        super().__init__(include=include, exclude=exclude, biases=biases, structure=structure)
        if epochs < 0 or not 0 < drop_fraction < 1:
            wrong = f"epochs {epochs}, drop_fraction {drop_fraction}"
            raise UserError(f"{wrong}: epochs must not be negative, and drop_fraction between 0 and 1")
        self.epochs, self.drop_fraction = epochs, drop_fraction

    def make_state(self) -> RegrowState:
        """Makes masks of what is pruned already; raises a UserError if nothing is."""
        masks = super().make_state().masks
        self._regrown = 0
        starts = [np.asarray(kernel) for kernel in self.kernels]
        sums, squares = ([state_variable(np.zeros_like(w), w.dtype.name) for w in starts] for _ in range(2))
        return RegrowState(masks, sums, squares, state_variable(0, "int32"))

    def before_update(self, gradients: list[Any]) -> None:
        """Sums up the gradients of all weights, of the pruned ones too."""
        for grad, total, squares in zip(gradients, self.state.sums, self.state.squares, strict=True):
            if grad is not None:
                total.assign(total + grad)
                squares.assign(squares + ops.square(grad))

    def end_epoch(self) -> None:
        """Cuts and regrows weights, unless there were as many rounds as there should be."""
        self._check_begun()
        self.check_kernels()
        done = int(self.state.rounds)
        self._regrown = 0
        if done < self.epochs:
            fraction = self.drop_fraction * (1 + np.cos(np.pi * done / self.epochs)) / 2
            self._regrown = self._cut_and_grow(fraction)
            self.check_left()

    def report(self) -> dict[str, float]:
        """Adds `regrown`, the number of weights that changed places at the end of the epoch."""
        return super().report() | {"regrown": float(self._regrown)}

    def _cut_and_grow(self, fraction: float) -> int:
        """Cuts this fraction of the weights that are left, lets others grow, and returns how many did."""
        state = self.state
        masks, weights, sums, squares = (
            [np.asarray(variable) for variable in some]
            for some in (state.masks, self.kernels, state.sums, state.squares)
        )
        worth = self._total([w**2 * q for w, q in zip(weights, squares, strict=True)])
        promise = self._total(
            [
                np.divide(s**2, q, out=np.zeros_like(s), where=q > 0)
                for s, q in zip(sums, squares, strict=True)
            ]
        )
        kept = _most_valuable(masks, worth, fraction)
        pairs = zip(masks, self._total(squares), strict=True)
        room = np.array([np.count_nonzero(~mask & (q > 0)) for mask, q in pairs])
        survivors = np.array([np.count_nonzero(mask) for mask in kept])
        grown = apportion(int(self.left().sum() - survivors.sum()), survivors, room)
        for kernel, mask in zip(self.kernels, self.elements.spread(kept), strict=True):
            kernel.assign(np.where(mask, kernel, 0))
        for i, mask in enumerate(kept):
            promise[i][masks[i]] = -1  # what is cut now does not come back at once
            if grown[i]:
                mask.flat[np.argpartition(promise[i], -grown[i], axis=None)[-grown[i] :]] = True
            state.masks[i].assign(mask)
        for variable in (*state.sums, *state.squares):
            variable.assign(np.zeros(variable.shape, variable.dtype))
        state.rounds.assign(state.rounds + 1)
        return int(grown.sum())

    def _total(self, values: list[np.ndarray]) -> list[np.ndarray]:
        """Returns the sums over the weights of each element, given a value for each weight."""
        return [np.array(total) for total in self.elements.total(values)]


def _most_valuable(masks: list[np.ndarray], values: list[np.ndarray], fraction: float) -> list[np.ndarray]:
    """Returns the masks without this fraction of all their weights together, those of the lowest values."""
    values_left = np.concatenate([value[mask] for value, mask in zip(values, masks, strict=True)])
    keep = np.ones(values_left.size, bool)
    cut = int(fraction * keep.size)
    keep[np.argpartition(values_left, cut)[:cut]] = False
    ends = np.cumsum([np.count_nonzero(mask) for mask in masks])
    kept = [np.zeros_like(mask) for mask in masks]
    for new, mask, part in zip(kept, masks, np.split(keep, ends[:-1]), strict=True):
        new[mask] = part
    return kept


def apportion(total: int, weights: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Divides a total in proportion to weights (L,), not negative, none of them getting more than its room.

    Returns:
        Numbers, int (L,), of the sum `total`, or less if there is not enough room.
    """
    full, free = np.zeros(len(room), bool), (weights > 0) & (room > 0)
    exact = np.zeros(len(room))
    while free.any():
        exact = (total - room[full].sum()) * weights / weights[free].sum()
        filled = free & (room <= exact)
        if not filled.any():
            break
        full, free = full | filled, free & ~filled
    given = np.where(full, room, np.where(free, exact, 0).astype(room.dtype))
    rest = min(total - given.sum(), np.count_nonzero(free))  # one each to those that were cut off most
    given[np.argsort(np.where(free, given - exact, 1), kind="stable")[:rest]] += 1
    return given
