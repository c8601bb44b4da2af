"""Weights of a pruned model that change places: the least useful go, as many others grow elsewhere.

A weight w, with gradients g of the batches' loss, is worth `w^2 E[g^2]`: in proportion to what cutting it
would cost, to second order with the Fisher information for the Hessian (LeCun et al. 1990, Theis et al.
2018). A pruned one promises `E[g]^2 / E[g^2]`: in proportion to what its best value would gain, likewise.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.callback import OperatingCallback
from tfxai3d.pruning.kernels import Selection, check_finite
from tfxai3d.pruning.masked_update import Operation


class Exchange(Operation):
    """Keeps pruned weights at zero, and sums up the gradients of all.

    Args:
        kernels: The variables, pruned already, by path.
        optimizer: A built optimiser of these variables.

    Raises:
        UserError: If a kernel holds NaN.
    """

    def __init__(self, kernels: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer):
        super().__init__(kernels)
        starts = [np.asarray(kernel) for kernel in self.kernels]
        self.masks = [keras.Variable(start != 0, dtype="bool", trainable=False) for start in starts]
        self.sums, self.squares = (
            [
                keras.Variable(np.zeros_like(start), dtype=start.dtype.name, trainable=False)
                for start in starts
            ]
            for _ in range(2)
        )
        self.rounds = keras.Variable(0, dtype="int32", trainable=False)
        self.adopt(optimizer, [*self.masks, *self.sums, *self.squares, self.rounds])

    def apply(self, grads: Iterable[Any], trainable_variables: list[Any] | None = None) -> None:
        """Takes the optimiser's step, and prunes again what was pruned."""
        grads = list(grads)
        for i, grad in enumerate(self.gradients(grads, trainable_variables)):
            if grad is not None:
                self.sums[i].assign(self.sums[i] + grad)
                self.squares[i].assign(self.squares[i] + ops.square(grad))
        self.plain_apply(grads, trainable_variables)
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(kernel * ops.cast(mask, kernel.dtype))

    def check_kernels(self) -> None:
        """Raises a UserError if a weight is NaN, or a pruned one was changed since the last step."""
        check_finite(dict(zip(self.paths, self.kernels, strict=True)))
        for path, kernel, mask in zip(self.paths, self.kernels, self.masks, strict=True):
            if np.any(np.asarray(kernel)[~np.asarray(mask)]):
                raise UserError(f"{path} was changed since its surgery began; begin with a new callback")

    def exchange(self, share: float) -> int:
        """Cuts this share of the weights that are left, and lets as many others grow from zero.

        Returns:
            Number of weights exchanged.
        """
        masks, weights, sums, squares = (
            [np.asarray(variable) for variable in some]
            for some in (self.masks, self.kernels, self.sums, self.squares)
        )
        kept = _most_valuable(masks, [w**2 * q for w, q in zip(weights, squares, strict=True)], share)
        room = np.array([np.count_nonzero(~m & (q > 0)) for m, q in zip(masks, squares, strict=True)])
        survivors = np.array([np.count_nonzero(mask) for mask in kept])
        grown = apportion(int(self.left().sum() - survivors.sum()), survivors, room)
        for i, mask in enumerate(kept):
            self.kernels[i].assign(np.where(mask, weights[i], 0))
            promise = np.divide(sums[i] ** 2, squares[i], out=np.zeros_like(sums[i]), where=squares[i] > 0)
            promise[masks[i]] = -1  # what is cut now does not come back at once
            if grown[i]:
                mask.flat[np.argpartition(promise, -grown[i], axis=None)[-grown[i] :]] = True
            self.masks[i].assign(mask)
        for variable in (*self.sums, *self.squares):
            variable.assign(np.zeros(variable.shape, variable.dtype))
        self.rounds.assign(self.rounds + 1)
        return int(grown.sum())


def _most_valuable(masks: list[np.ndarray], values: list[np.ndarray], share: float) -> list[np.ndarray]:
    """Returns the masks less the share of their weights, of all together, that have the lowest values."""
    values_left = np.concatenate([value[mask] for value, mask in zip(values, masks, strict=True)])
    keep = np.ones(values_left.size, bool)
    cut = int(share * keep.size)
    keep[np.argpartition(values_left, cut)[:cut]] = False
    ends = np.cumsum([np.count_nonzero(mask) for mask in masks])
    kept = [np.zeros_like(mask) for mask in masks]
    for new, mask, part in zip(kept, masks, np.split(keep, ends[:-1]), strict=True):
        new[mask] = part
    return kept


def apportion(total: int, weights: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Shares out a total in proportion to weights, nobody getting more than there is room.

    Args:
        total: What there is to share out.
        weights: Claims, (L,), not negative; who has none gets nothing.
        room: Most for each, int (L,).

    Returns:
        Shares, int (L,), with the sum `total`, or less if there is not enough room.
    """
    given = np.zeros_like(room)
    claims = np.where(room > 0, weights, 0)
    while total and claims.any():
        part = np.minimum(total * claims // claims.sum(), room - given)
        if not part.any():  # fewer than there are claims: one each to the largest
            part[np.argsort(-claims, kind="stable")[: min(total, np.count_nonzero(claims))]] = 1
        given, total = given + part, total - part.sum()
        claims = np.where(given < room, claims, 0)
    return given


class PruneAndRegrow(OperatingCallback[Exchange]):
    """Improves which weights of a pruned model are left, while it trains on.

        model.fit(..., callbacks=[pruning.PruneAndRegrow(epochs=16)])

    Zeros of the kernels stay zeros, but after each of the first epochs some of the weights left change
    places: those of all layers that are worth least, `w^2 E[g^2]`, are cut, and as many others grow, from
    zero. Each layer gets of them in proportion to what it has kept (after Dettmers and Zettlemoyer 2019), and
    there those grow whose gradients agreed most in the epoch, `E[g]^2 / E[g^2]`. The fraction
    falls from `drop_fraction` to zero along a cosine (Evci et al., ICML 2020). So weights move to the layers
    that need them.

    The logs hold `left`, the share of weights left, and `regrown`, a number. What is remembered is
    checkpointed with the optimiser.

    Args:
        epochs: The first so many epochs end with an exchange; 0 for none.
        drop_fraction: Fraction of the weights left that the first of them exchanges.
        include: Variables that were pruned, see `select_kernels`, as the others.
        exclude: Variables to leave alone.
        biases: Also biases.

    Raises:
        UserError: If an argument is out of range; in training, if nothing was pruned or weights are NaN.
    """

    def __init__(
        self,
        epochs: int,
        drop_fraction: float = 0.15,
        *,
        include: Selection | None = None,
        exclude: Selection | None = None,
        biases: bool = False,
    ):
        super().__init__(include, exclude, biases)
        if epochs < 0 or not 0 < drop_fraction < 1:
            raise UserError(
                f"epochs {epochs}, drop_fraction {drop_fraction}: epochs must not be negative, and "
                "drop_fraction between 0 and 1"
            )
        self.epochs, self.drop_fraction = epochs, drop_fraction

    def end_epoch(self) -> int:
        """Ends an epoch, in training loops of your own; `fit` does it by itself.

        Returns:
            Number of weights exchanged.

        Raises:
            UserError: If weights became NaN.
        """
        operation = self._begun()
        operation.check_kernels()
        done = int(operation.rounds)
        if done >= self.epochs:
            return 0
        exchanged = operation.exchange(self.drop_fraction * (1 + np.cos(np.pi * done / self.epochs)) / 2)
        operation.check_left()
        return exchanged

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Exchanges weights; stops with a UserError where some became NaN."""
        try:
            exchanged = self.end_epoch()
        except UserError:
            self._stop()
            raise
        operation = self._begun()
        if logs is not None:
            logs["left"] = float(operation.left().sum() / operation.sizes.sum())
            logs["regrown"] = float(exchanged)

    def _prepare(self, kernels: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer) -> Exchange:
        if all(np.asarray(kernel).all() for kernel in kernels.values()):
            raise UserError(
                "nothing is pruned yet, no weight could be exchanged; prune_magnitude cuts at once"
            )
        return Exchange(kernels, optimizer)
