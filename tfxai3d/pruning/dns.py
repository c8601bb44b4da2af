"""Dynamic network surgery as a callback (Guo, Yao and Chen, NIPS 2016)."""

import os
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.pruning.callback import OperatingCallback
from tfxai3d.pruning.kernels import Selection
from tfxai3d.pruning.plan import CRate, Importance, Plan, Scope
from tfxai3d.pruning.schedule import Schedule
from tfxai3d.pruning.surgery import Surgery
from tfxai3d.tensorboard.masks import mask_board


class DynamicNetworkSurgery(OperatingCallback[Surgery]):
    """Prunes a model while it trains; weights that were cut by mistake grow back.

        model.fit(..., callbacks=[pruning.DynamicNetworkSurgery(target=0.05)])

    After an optimiser's step each layer's threshold is `t = max(mu + c_rate * sigma, 0)`, of the mean and
    standard deviation of |W|. Weights below 0.9 t are cut, weights from 1.1 t on are kept or spliced in
    again, those in between stay as they are. The dense weights W live beside the model and are trained on,
    all of them, with the gradient with respect to the masked ones; the model's own variables hold the masked
    ones. So any layer, optimiser and precision policy will do, and the pruned model is an ordinary model.

    The surgery is a part of the compiled training step, also with `jit_compile`, `steps_per_execution` and
    gradient accumulation, but not on several replicas. After each epoch the logs hold `left`, the share of
    weights left, and `cut` and `spliced`, weights a step; the progress bar shows `left` all the time.

    Args:
        c_rate: One value, one a layer in a list, or one by variable path. `mu` and `sigma` are those at the
            start. Give either `c_rate` or `target`.
        target: Share of the weights to leave at most: the thresholds are then solved for it, on the weights
            at each surgery. Or a schedule: called with the step (a tensor), it returns whether to operate and
            the share to cut, as `GradualTarget` and tensorflow_model_optimization's pruning schedules do.
        scope: Whether the target holds for all layers together, with one threshold, or for each "layer".
        importance: What is compared with the threshold: "magnitude" is |W|; with a target also "lamp", |W| in
            proportion to the larger weights of its layer (`importance.lamp`), and "gradient", |W dL/dW|, the
            estimated change of the loss, as a moving average.
        gamma: A step i operates with probability `(1 + gamma * i) ** -power`; a schedule decides this itself.
        power: See gamma.
        iter_stop: No surgery from this step on.
        frequency: With a target, every so many steps; with c_rate, every step is considered.
        include: Variables to prune, by names (of layers, of variables, with wildcards) or a predicate; by
            default all trainable ones of rank 2 or more.
        exclude: Variables to leave alone.
        biases: Also prune biases.
        log_layers: Also log every layer: `left/<path>`, `cut/<path>`, `spliced/<path>`.
        log_dir: Folder for TensorBoard: after each epoch the numbers of every layer, as `log_layers` names
            them, and histograms of the masks. Needs the extra `tensorboard`.
        seed: Seed of the draws.

    Raises:
        UserError: If an argument is out of range, or TensorBoard is missing; in training, if nothing can be
            pruned, a layer would be lost at the start, or weights are NaN.
    """

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
        log_layers: bool = False,
        log_dir: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ):
        super().__init__(include, exclude, biases)
        self.plan = Plan(c_rate, target, scope, importance, gamma, power, iter_stop, frequency)
        self.log_layers, self.seed = log_layers, seed
        self._write = mask_board(log_dir) if log_dir is not None else None

    @property
    def dense_weights(self) -> dict[str, np.ndarray]:
        """Dense weights W by variable path."""
        surgery = self._begun()
        return dict(zip(surgery.paths, map(np.asarray, surgery.dense), strict=True))

    @property
    def thresholds(self) -> dict[str, float]:
        """The latest threshold t by variable path."""
        surgery = self._begun()
        return dict(zip(surgery.paths, np.asarray(surgery.threshold).tolist(), strict=True))

    # --- events of keras.callbacks.Callback

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Starts counting."""
        surgery = self._begun()
        surgery.counts.assign(np.zeros(surgery.counts.shape, "int32"))
        self._first_step, self._left = int(surgery.step), int(surgery.left().sum())

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the share of weights left to the progress bar, where there is one."""
        if logs is not None and self.params.get("verbose") == 1:
            surgery = self._begun()
            cut, spliced = np.asarray(surgery.counts).sum(axis=1)
            logs["left"] = float(self._left - cut + spliced) / surgery.sizes.sum()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds what is left to the logs; stops with a UserError where nothing is, or weights became NaN."""
        surgery = self._begun()
        try:
            surgery.check_finite()
            surgery.check_left()
        except UserError:
            self._stop()
            raise
        totals, layers = self._report(surgery)
        if self._write is not None:
            self._write(epoch + 1, totals | layers, self.masks)
        if logs is not None:
            logs.update(totals | layers if self.log_layers else totals)

    # ---

    def _prepare(self, kernels: dict[str, keras.Variable], optimizer: keras.optimizers.Optimizer) -> Surgery:
        return Surgery(self.plan, kernels, optimizer, self.seed)

    def _report(self, surgery: Surgery) -> tuple[dict[str, float], dict[str, float]]:
        """Returns the epoch's numbers of all layers together, and of each."""
        left, steps = surgery.left(), max(1, int(surgery.step) - self._first_step)
        cut, spliced = np.asarray(surgery.counts) / steps
        totals = {
            "left": float(left.sum() / surgery.sizes.sum()),
            "cut": float(cut.sum()),
            "spliced": float(spliced.sum()),
        }
        columns = {"left": left / surgery.sizes, "cut": cut, "spliced": spliced}
        layers = {
            f"{name}/{path}": float(values[i])
            for i, path in enumerate(surgery.paths)
            for name, values in columns.items()
        }
        return totals, layers
