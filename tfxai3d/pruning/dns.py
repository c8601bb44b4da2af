"""Dynamic network surgery as a callback (Guo, Yao and Chen, NIPS 2016).

Between two steps a kernel holds W * T. For the optimiser's step the dense weights W take its place, so
whatever the optimiser does, it does to W: `W <- W - beta dL/d(W T)`. Then surgery renews T.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.pruning.callback import PruningCallback
from tfxai3d.pruning.kernels import Selection, check_finite
from tfxai3d.pruning.plan import CRate, Importance, Plan, Schedule, Scope
from tfxai3d.pruning.structure import StructureName
from tfxai3d.pruning.surgery import SurgeryState, begin, cut_and_splice

_SALIENCY_MEMORY = 0.9


class DynamicNetworkSurgery(PruningCallback):
    """Prunes a model while it trains; weights that were cut by mistake grow back.

        model.fit(..., callbacks=[pruning.DynamicNetworkSurgery(target=0.05)])

    After an optimiser's step each layer's threshold is `t = max(mu + c_rate * sigma, 0)`, of the mean and
    standard deviation of |W|. Weights below 0.9 t are cut, weights from 1.1 t on are kept or spliced in
    again, those in between stay as they are. The dense weights W live beside the model, and all of them are
    trained on; the model's own variables hold the masked ones. So any layer, optimiser and precision policy
    will do, and the pruned model is an ordinary model.

    With `structure="channel"` whole channels are cut, and come back: a channel's |W| is the L2 norm of all
    weights that read it, in whatever layers, and these are what is masked; `remove_dead_channels` makes a
    smaller dense model of the rest. All that is said of weights is then true of channels.

    It works with `jit_compile`, `steps_per_execution` and gradient accumulation, not on several replicas.
    After each epoch the logs hold `left`, the fraction of the weights left, and `cut` and `spliced`, weights
    a step; the progress bar shows `left` all the time.

    Args:
        c_rate: One value, a list of one a layer, or one by variable path. `mu` and `sigma` are those at the
            start. Give either `c_rate` or `target`.
        target: Fraction of the weights to leave at most, the density, for which each surgery solves the
            thresholds. Or a schedule, such as `GradualTarget` and those of tensorflow_model_optimization: of
            the step (a tensor) it returns whether surgery is due, and the sparsity, the fraction to cut.
        scope: Whether the target holds for all layers together, with one threshold, or for each "layer".
        importance: What is compared with the threshold: "magnitude" is |W|; with a target also "lamp" (see
            `thresholds.lamp`), and "gradient", the moving average of |W dL/dW|, or |sum of W dL/dW| for a
            channel: to first order what the loss would change by without it (Molchanov et al., CVPR 2019).
        gamma: Surgery follows step i with probability `(1 + gamma * i) ** -power`; a schedule decides this
            itself.
        power: See gamma.
        iter_stop: No surgery from this step on.
        frequency: With a target, every so many steps; with c_rate, every step is considered.
        include: Variables to prune, by names (of layers, of variables, with wildcards) or a predicate; by
            default all trainable ones of rank 2 or more.
        exclude: Variables to leave alone.
        biases: Also prune biases.
        structure: Whether each "weight" is cut or kept by itself, or each "channel": those that `include` and
            `exclude` choose the makers of, and that a functional model's layers of known kinds read; channels
            that residual sums tie together go together.
        log_layers: Also log every layer: `left/<path>`, `cut/<path>`, `spliced/<path>`.
        seed: Seed of the draws.

    Raises:
        UserError: If an argument is out of range; in training, if nothing can be pruned, a layer would be
            lost at the start, or weights are NaN.
    """

    state: SurgeryState

    def __init__(
        self,
        c_rate: CRate | None = None,
        target: float | Schedule | None = None,
        *,
        scope: Scope = "global",
        importance: Importance = "magnitude",
        gamma: float = 1e-4,
        power: float = 1.0,
        iter_stop: int = 14_000,
        frequency: int = 25,
        include: Selection | None = None,
        exclude: Selection | None = None,
        biases: bool = False,
        structure: StructureName = "weight",
        log_layers: bool = False,
        seed: int = 0,
    ):
        super().__init__(include, exclude, biases, log_layers, structure)
        self.plan = Plan(c_rate, target, scope, importance, gamma, power, iter_stop, frequency)
        self.seed = seed

    @property
    def dense_weights(self) -> dict[str, np.ndarray]:
        """Dense weights W by variable path."""
        self._check_begun()
        return dict(zip(self.elements.kernels, map(np.asarray, self.state.dense), strict=True))

    @property
    def thresholds(self) -> dict[str, float]:
        """The latest threshold t by variable path."""
        self._check_begun()
        return dict(zip(self.paths, np.asarray(self.state.threshold).tolist(), strict=True))

    def make_state(self) -> SurgeryState:
        """Makes dense weights, masks and thresholds."""
        self._draws = keras.random.SeedGenerator(self.seed)
        self._first_step, self._first_left = 0, int(self.sizes.sum())
        return begin(self.plan, self.elements, self._draws)

    def before_update(self, gradients: list[Any]) -> None:
        """Puts the dense weights in the kernels' place, which the optimiser updates then."""
        for kernel, dense in zip(self.kernels, self.state.dense, strict=True):
            kernel.assign(dense)
        if not self.state.saliency:
            return
        pairs = zip(self.kernels, gradients, strict=True)
        changes = [ops.zeros_like(kernel) if grad is None else kernel * grad for kernel, grad in pairs]
        for saliency, change in zip(self.state.saliency, self.elements.total(changes), strict=True):
            saliency.assign(_SALIENCY_MEMORY * saliency + (1 - _SALIENCY_MEMORY) * ops.abs(change))

    def update_mask(self, updated: Any) -> None:
        """Keeps the updated dense weights, cuts and splices if it is time to, and masks the kernels."""
        state = self.state
        weights = [ops.convert_to_tensor(kernel) for kernel in self.kernels]
        masks = [ops.convert_to_tensor(mask) for mask in state.masks]
        old = ops.convert_to_tensor(state.threshold)
        step = state.step + 0
        draw = keras.random.uniform((), seed=self._draws, dtype="float32")
        due, density = self.plan.due(step, draw)
        masks, threshold, counts = ops.cond(
            ops.logical_and(due, updated),
            lambda: cut_and_splice(
                self.plan, self.elements.magnitude(weights), state.saliency, masks, old, density
            ),
            lambda: (masks, old, ops.zeros((2, len(masks)), "int32")),
        )
        state.step.assign(step + ops.cast(updated, step.dtype))
        state.threshold.assign(threshold)
        state.counts.assign(state.counts + counts)
        for mask, new in zip(state.masks, masks, strict=True):
            mask.assign(new)
        spread = self.elements.spread(masks)
        for kernel, dense, w, m in zip(self.kernels, state.dense, weights, spread, strict=True):
            dense.assign(w)
            kernel.assign(ops.where(m, w, ops.zeros_like(w)))

    def check_kernels(self) -> None:
        """Raises a UserError if a weight is NaN or somebody changed the kernels since the last step."""
        check_finite(self.dense_weights)
        masks = self.kernel_masks
        for path, dense in self.dense_weights.items():
            kernel = np.asarray(self.elements.kernels[path])
            if not np.array_equal(kernel, np.where(masks[path], dense, 0)):
                raise UserError(f"{path} was changed since its surgery began; begin with a new callback")

    def end_epoch(self) -> None:
        """Raises a UserError where weights became NaN or none is left."""
        check_finite(self.dense_weights)
        self.check_left()

    def report(self) -> dict[str, float]:
        """Adds the weights `cut` and `spliced`, a step of the epoch, of all layers and of each."""
        report = super().report()
        steps = max(1, int(self.state.step) - self._first_step)
        for name, counts in zip(("cut", "spliced"), np.asarray(self.state.counts) / steps, strict=True):
            layers = {f"{name}/{path}": float(count) for path, count in zip(self.paths, counts, strict=True)}
            report |= {name: float(counts.sum())} | layers
        return report

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts counting."""
        self.state.counts.assign(np.zeros(self.state.counts.shape, "int32"))
        self._first_step, self._first_left = int(self.state.step), int(self.left().sum())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the fraction of weights left to the progress bar, where there is one."""
        if logs is not None and self.params.get("verbose") == 1:
            cut, spliced = np.asarray(self.state.counts).sum(axis=1)
            logs["left"] = float(self._first_left - cut + spliced) / self.sizes.sum()
