"""The limit of deletion: what lowers the confidence most goes first, looked for anew after each removal."""

import numpy as np
import tensorflow as tf

from tfxai3d.evaluate.faithfulness.subject import Rater, Subject
from tfxai3d.explain.engine.max_game import MaxNetwork, max_network
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.units import Units
from tfxai3d.results import heads

CLUSTERS = 32
"""Into how many clusters a cloud is divided where single points would be too dear."""


def greedy_importance(network: Network) -> Rater:
    """Returns what rates points by the greedy order: the point that goes first has the largest number.

    No map was asked: it is what removal itself says, with a look at each step. Where the points meet in one
    max, each step looks at all points that are left, exactly; elsewhere at the `CLUSTERS` that are left.
    """
    split = max_network(network, network.model)

    def rate(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        if split is None:
            return _by_clusters(network, inputs, labels)
        head = tf.function(
            split.head, input_signature=[tf.TensorSpec((None, None), network.dtype)], autograph=False
        )
        orders = [
            _by_points(network, split, head, cloud, int(label))
            for cloud, label in zip(inputs, labels, strict=True)
        ]
        return len(orders[0]) - np.argsort(orders, axis=1).astype(np.float32)

    return rate


def _by_points(
    network: Network, split: MaxNetwork, head: tf.types.experimental.PolymorphicFunction, cloud: np.ndarray,
    label: int,
) -> list[int]:  # fmt: skip
    """Returns the order in which points go.

    A point that is the first in no channel changes nothing; of the others the next in each of their channels
    tells the maxima without them.
    """
    features = split.features(tf.constant(cloud[None], network.dtype))[0].numpy()
    channels = np.arange(features.shape[1])
    first, second = _first_two(features)
    left, order = np.ones(len(cloud), bool), []
    while left.sum() > 1:
        tops, nexts = features[first, channels], features[second, channels]
        changed = first[tops > nexts]
        candidates = np.unique(changed)
        maxima = np.where(first == candidates[:, None], nexts, tops)
        answers = head(tf.constant(np.concatenate([tops[None], maxima]))).numpy()
        said = heads.log_probabilities(answers.astype(np.float64), network.head)[:, label]
        idle = left.copy()
        idle[candidates] = False
        if idle.any() and not (said[1:] < said[0]).any():
            point = int(idle.argmax())
        else:
            point = int(candidates[said[1:].argmin()])
        order.append(point)
        left[point] = False
        features[point] = -np.inf
        hit = (first == point) | (second == point)
        first[hit], second[hit] = _first_two(features[:, hit])
    return [*order, int(left.argmax())]


def _first_two(features: np.ndarray) -> np.ndarray:
    """Returns the rows with the largest and the next number of each column, (2,K)."""
    first = features.argmax(axis=0)
    others = features.copy()
    others[first, np.arange(features.shape[1])] = -np.inf
    return np.stack([first, others.argmax(axis=0)])


def _by_clusters(network: Network, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns the importance of each cloud's points, those of a cluster alike."""
    units = Units("clusters", min(CLUSTERS, inputs.shape[1]), 1, "points")
    subject, found = Subject(network, inputs, labels), np.zeros(inputs.shape[:2], np.float32)
    unit = np.stack([units.labels(tf.constant(cloud)).numpy() for cloud in inputs])
    left = (unit[:, None] == np.arange(unit.max() + 1)[:, None]).any(axis=-1)  # (B,U)
    for step in range(left.shape[1] - 1):
        count = left.sum(axis=1)
        asked = np.argsort(~left, axis=1, kind="stable")[:, : count.max()]
        here = np.take_along_axis(left, unit, axis=1)[:, None]
        kept = here & ((unit[:, None] != asked[..., None]) | (count == 1)[:, None, None])
        said = subject.confidence(subject.scores(kept))
        said = np.where(np.take_along_axis(left, asked, axis=1), said, np.inf)
        gone = np.take_along_axis(asked, said.argmin(axis=1)[:, None], axis=1)
        going = (unit == gone) & (count > 1)[:, None]
        found[going] = left.shape[1] - step
        left &= (np.arange(left.shape[1]) != gone) | (count == 1)[:, None]
    return found
