"""Dense weights and masks beside a model's kernels, carried along by the optimiser's own step.

Between two steps a kernel holds W * T. For the optimiser's step the dense weights W take its place, so that
whatever the optimiser does, momentum, Adam, weight decay, clipping, it does to W with the gradient with
respect to W * T: `W <- W - beta dL/d(W T)`, the masked weights too. Then surgery renews T and the kernel
becomes W * T again.
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning import thresholds
from tfxai3d.pruning.importance import BY_VALUE
from tfxai3d.pruning.kernels import check_finite
from tfxai3d.pruning.masked_update import Operation
from tfxai3d.pruning.plan import Plan

_SALIENCY_MEMORY = 0.9


class Surgery(Operation):
    """State and step of dynamic network surgery (Guo et al., NIPS 2016, section 3).

    Args:
        plan: When to cut how much.
        kernels: The variables to prune, by path.
        optimizer: A built optimiser of these variables.
        seed: Seed of the draws that decide whether a step operates.

    Raises:
        UserError: If a kernel holds NaN, or a c_rate would cut a whole layer at the start.
    """

    def __init__(
        self, plan: Plan, kernels: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer, seed: int
    ):
        super().__init__(kernels)
        self.plan = plan
        self.dtype = keras.backend.result_type("float32", *(kernel.dtype for kernel in self.kernels))
        starts = [np.asarray(kernel) for kernel in self.kernels]
        self.dense = [_variable(start, start.dtype.name) for start in starts]
        self.masks = [_variable(np.ones(start.shape), "bool") for start in starts]
        self.threshold = _variable(self._start_thresholds(starts), self.dtype)
        self.step = _variable(0, "int")
        self.counts = _variable(np.zeros((2, len(starts))), "int32")  # cut and spliced, since the last reset
        self.saliency = (
            [_variable(np.zeros(start.shape), start.dtype.name) for start in starts]
            if plan.importance == "gradient"
            else []
        )
        self.draws = keras.random.SeedGenerator(seed)
        self.adopt(
            optimizer,
            [
                *self.dense,
                *self.masks,
                *self.saliency,
                self.threshold,
                self.step,
                self.counts,
                self.draws.state,
            ],
        )

    def _start_thresholds(self, starts: list[np.ndarray]) -> np.ndarray:
        if self.plan.c_rate is None:
            return np.zeros(len(starts))
        c = self.plan.c_rates(self.paths)
        mean = np.array([np.abs(start).mean(dtype="float64") for start in starts])
        deviation = np.array([np.abs(start).std(dtype="float64") for start in starts])
        with np.errstate(invalid="ignore"):  # -inf times a spread of zero
            values = np.nan_to_num(np.maximum(mean + c * deviation, 0), nan=0.0, posinf=np.inf)
        for path, start, value, rate in zip(self.paths, starts, values, c, strict=True):
            largest = np.abs(start).max()
            if largest < thresholds.CUT * value:
                raise UserError(
                    f"c_rate {rate:g} cuts all {start.size} weights of {path}, whose largest is {largest:.3g}"
                    "; give a smaller c_rate for it, or leave it out by exclude"
                )
        return values

    # --- the step

    def apply(self, grads: Iterable[Any], trainable_variables: list[Any] | None = None) -> None:
        """Takes the optimiser's step with the dense weights, and operates."""
        grads = list(grads)
        before = self.optimizer.iterations + 0
        for kernel, dense in zip(self.kernels, self.dense, strict=True):
            kernel.assign(dense)
        if self.saliency:
            self._note_saliency(self.gradients(grads, trainable_variables))
        self.plain_apply(grads, trainable_variables)
        self._operate(self.optimizer.iterations > before)  # not after a part of an accumulated gradient

    def _note_saliency(self, grads: list[Any]) -> None:
        for kernel, grad, saliency in zip(self.kernels, grads, self.saliency, strict=True):
            if grad is not None:
                now = ops.abs(kernel * grad)
                saliency.assign(_SALIENCY_MEMORY * saliency + (1 - _SALIENCY_MEMORY) * now)

    def _operate(self, updated: Any) -> None:
        """Takes over the updated dense weights, renews the masks if it is time to, masks the kernels."""
        weights = [ops.convert_to_tensor(kernel) for kernel in self.kernels]
        masks = [ops.convert_to_tensor(mask) for mask in self.masks]
        old = ops.convert_to_tensor(self.threshold)
        step = self.step + 0
        due, share = self.plan.due(step, keras.random.uniform((), seed=self.draws, dtype="float32"))

        def cut_and_splice() -> tuple[list[Any], Any, Any]:
            importances = self.saliency or BY_VALUE[self.plan.importance](weights)
            t = old
            if self.plan.target is not None:
                layerwise = self.plan.scope == "layer"
                t = thresholds.solve(importances, masks, share, layerwise, self.dtype)
            new = [
                thresholds.update_mask(h, mask, t[i])
                for i, (h, mask) in enumerate(zip(importances, masks, strict=True))
            ]
            cut = [_count(before & ~after) for before, after in zip(masks, new, strict=True)]
            spliced = [_count(after & ~before) for before, after in zip(masks, new, strict=True)]
            return new, t, ops.stack([ops.stack(cut), ops.stack(spliced)])

        masks, t, counts = ops.cond(
            ops.logical_and(due, updated),
            cut_and_splice,
            lambda: (masks, old, ops.zeros((2, len(masks)), "int32")),
        )
        self.step.assign(step + ops.cast(updated, step.dtype))
        self.threshold.assign(t)
        self.counts.assign(self.counts + counts)
        for i, (w, m) in enumerate(zip(weights, masks, strict=True)):
            self.dense[i].assign(w)
            self.masks[i].assign(m)
            self.kernels[i].assign(ops.where(m, w, ops.zeros_like(w)))

    # --- what it looks like

    def check_finite(self) -> None:
        """Raises a UserError if a dense weight is NaN or infinite."""
        check_finite(dict(zip(self.paths, self.dense, strict=True)))

    def check_kernels(self) -> None:
        """Raises a UserError if a weight is NaN or somebody changed the kernels since the last step."""
        self.check_finite()
        for path, kernel, dense, mask in zip(self.paths, self.kernels, self.dense, self.masks, strict=True):
            if not np.array_equal(np.asarray(kernel), np.where(mask, dense, 0)):
                raise UserError(f"{path} was changed since its surgery began; begin with a new callback")


def _variable(value: Any, dtype: str) -> keras.Variable:
    return keras.Variable(np.asarray(value), dtype=dtype, trainable=False)


def _count(mask: Any) -> Any:
    return ops.cast(ops.sum(ops.cast(mask, "int32")), "int32")  # JAX sums in 64 bits if it may
