"""What points without heat are good for: they are removed all at once, in several ways."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfxai3d import explain, models
from tfxai3d.evaluate.classification import Classification
from tfxai3d.evaluate.dropping.forward import Forward
from tfxai3d.evaluate.dropping.modes import dropped_points, random_points
from tfxai3d.explain.engine.layer_output import LayerOutput
from tfxai3d.explain.engine.network import Network, network
from tfxai3d.models.layers.shared_mlp import SharedDenseMax
from tfxai3d.results.heads import Head
from tfxai3d.storage import markdown_table

_HEAD = ("removed at once", "points left", "accuracy", "confidence", "largest change of a logit")


class Outcome(NamedTuple):
    """What the network says of clouds after a removal."""

    logits: np.ndarray  # (M,C)
    kept: np.ndarray  # points left of each cloud, int (M,)


def remove_without_heat(
    model: Any, points: np.ndarray, labels: np.ndarray, *, batch_size: int = 32, seed: int = 0
) -> dict[str, Outcome]:
    """Removes the points that p-grad-CAM gives no heat, as its mode `zero` does, and looks what that changes.

    Such points have no part in the decision that the max over the points makes, but may have one in the
    T-Nets, which rotate the cloud before. To tell the two apart, the points are removed; removed after the
    T-Nets have seen the whole cloud; and only those removed that win a channel nowhere, which can change
    nothing at all. Beside each of them as many random points are removed. Of networks other than PointNet
    only the first is known.

    Args:
        model: Maps points (B,N,3) to scores of classes; whatever explain.PGradCAM takes.
        points: Clouds (M,N,3).
        labels: True classes, int (M,).
        batch_size: Clouds at once.
        seed: Seed of the random points.

    Returns:
        The outcomes by name of the removal; "nothing" is that of the whole clouds.

    Raises:
        UserError: As explain.PGradCAM.
    """
    removal = _Removal(network(model, "points"), batch_size, seed)
    outcomes: dict[str, list[Outcome]] = {}
    for i in tqdm(range(0, len(points), batch_size), unit="batch", disable=None):
        for name, outcome in removal(points[i : i + batch_size], labels[i : i + batch_size]):
            outcomes.setdefault(name, []).append(outcome)
    return {name: Outcome(*map(np.concatenate, zip(*parts, strict=True))) for name, parts in outcomes.items()}


def zero_heat_table(outcomes: dict[str, Outcome], labels: np.ndarray, head: Head = "logits") -> str:
    """Returns what `remove_without_heat` did, with the true classes int (M,), in Markdown.

    That is points left, accuracy, confidence and the largest change of a logit. `head` is the network's.
    """
    whole, rows = outcomes["nothing"].logits, []
    for name, (logits, kept) in outcomes.items():
        result = Classification(logits, labels, head)
        sure = result.probabilities[np.arange(len(labels)), labels].mean()
        change = np.abs(logits - whole).max()
        numbers = [f"{kept.mean():.0f}", f"{result.overall_accuracy:.1%}", f"{sure:.3f}", f"{change:.2g}"]
        rows.append([name, *numbers])
    return markdown_table(_HEAD, rows) + "\n"


class _Removal:
    """Removes points of batches of clouds in all the ways that are compared."""

    def __init__(self, net: Network, batch_size: int, seed: int):
        pools: tuple[Literal["max", "mean"], ...] = ("max", "mean")
        self._heat = {pool: explain.PGradCAM(net, pool, batch_size=batch_size) for pool in pools}
        layers = net.model.layers if isinstance(net.model, models.PointNet) else []
        maxima = [layer.name for layer in layers if isinstance(layer, SharedDenseMax)]
        self._won = [explain.CriticalPoints(net, name, batch_size=batch_size) for name in maxima]
        self._forward = Forward(net, batch_size)
        self._features = LayerOutput(net, net.model, net.layer)
        self._after_transforms = tf.function(self._masked, autograph=False, reduce_retracing=True)
        self._rng = np.random.default_rng(seed)

    def __call__(self, points: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, Outcome]]:
        """Yields the outcomes for points (B,N,3) with the name of the removal."""
        yield "nothing", self._remove(points, np.zeros(points.shape[:2], bool))
        for pool, explainer in self._heat.items():
            gone = _without(explainer(points, labels).importance)
            name = f"points without heat, {pool} pooling"
            yield from self._removed(name, points, gone)
            if len(self._won) > 1:
                logits = self._after_transforms(points, ~gone).numpy()
                yield f"{name}, after the T-Nets", Outcome(logits, (~gone).sum(axis=1))
        if self._won:
            gone = _without(np.sum([explainer(points).importance for explainer in self._won], axis=0))
            yield from self._removed("points that win nowhere", points, gone)

    def _removed(self, name: str, points: np.ndarray, gone: np.ndarray) -> Iterator[tuple[str, Outcome]]:
        size = points.shape[1]
        chance = np.stack([random_points(n, size, self._rng) for n in gone.sum(axis=1)])
        yield name, self._remove(points, gone)
        yield f"random, as many as {name}", self._remove(points, chance)

    def _masked(self, points: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        """Returns the logits with features of 0, never larger than the others, for the points not kept."""
        mask = tf.cast(kept, points.dtype)[..., None]
        return self._features(points, lambda features: features * mask)[1]

    def _remove(self, points: np.ndarray, gone: np.ndarray) -> Outcome:
        left = [cloud[~removed] for cloud, removed in zip(points, gone, strict=True)]
        return Outcome(self._forward(left), (~gone).sum(axis=1))


def _without(importance: np.ndarray) -> np.ndarray:
    """Returns which points have none, bool (B,N), as the mode `zero` drops them."""
    return np.stack([dropped_points(row, "zero") for row in importance])
