"""Edges and corners matter, planes do not: what a decision loses without the ones, and without the others."""

from collections.abc import Callable

import keras
import numpy as np
import scipy.optimize

from tfxai3d.evaluate.claims.claim import CORRELATION, FRACTION, RATIO, Claim, Table
from tfxai3d.evaluate.claims.marked import Marked
from tfxai3d.evaluate.faithfulness.subject import Subject
from tfxai3d.evaluate.statistics import Interval, bootstrap_mean

_DRAWS = 4  # of what is taken away at random, for each object
_SAME = 0.02  # distances from the centre that count as equal, the object's radius being 1
_COLUMNS = {
    "of the surface": FRACTION,
    "confidence without edges": RATIO,
    "without as many flat": RATIO,
    "difference": CORRELATION,
    "accuracy without edges": FRACTION,
    "accuracy without flat": FRACTION,
}
_TEXT = (
    "What lies near an edge is taken away, or as much of what does not, and the network is asked again: the "
    "mean probability of the true class, and how often it is still the answer. The difference, flat less "
    "edges, is above 0 where the edges matter more. Taken away are, in the rows: as much as there is of the "
    "rarer of both; half of that; pairs of one near an edge and one not that are equally far from the "
    f"centre, up to {_SAME} of the radius; everything, inside included, but as much of the other kind. What "
    f"is drawn at random is drawn {_DRAWS} times for each object. {{count}} objects."
)
_Draw = Callable[[np.ndarray, np.ndarray, np.ndarray], list[tuple[np.ndarray, np.ndarray]]]


def without_edges(model: keras.Model, marked: Marked, *, batch_size: int = 16, seed: int = 0) -> Claim:
    """Measures which costs a decision more, the loss of the edges or of as much of the planes.

    Args:
        model: Maps the inputs to scores of classes.
        marked: The objects, see `marked_shapes` and `marked_meshes`.
        batch_size: The most examples that the network sees at once.
        seed: Seed of what is drawn, and of the bootstrap.
    """
    subject = Subject(model, marked.inputs, marked.labels, batch_size=batch_size, seed=seed)
    rng = subject.rng(5)
    ways: dict[str, _Draw] = {
        "as much as there is": lambda edges, flat, far: _at_random(edges, flat, 1, rng),
        "half of that": lambda edges, flat, far: _at_random(edges, flat, 0.5, rng),
        "equally far pairs": lambda edges, flat, far: [_pairs(edges, flat, far)],
        "all but as much": lambda edges, flat, far: _all_but(edges, flat, len(far), rng),
    }
    rows = {name: _row(subject, marked, draw, seed) for name, draw in ways.items()}
    text = _TEXT.format(count=len(marked.labels))
    return Claim("Without edges and without planes", (Table(text, "taken away", _COLUMNS, rows),))


def _row(subject: Subject, marked: Marked, draw: _Draw, seed: int) -> list[Interval | None]:
    flat_shape = subject.places.shape
    masks = [mask.reshape(flat_shape) for mask in (marked.edges, marked.flat)]
    distance = marked.distance.reshape(flat_shape)
    pairs = [
        draw(np.flatnonzero(edges), np.flatnonzero(flat), far)
        for edges, flat, far in zip(*masks, distance, strict=True)
    ]
    kept = np.ones((len(pairs), 2 * len(pairs[0]), flat_shape[1]), bool)
    for rows, drawn in zip(kept, pairs, strict=True):
        for row, gone in zip(rows, (one for pair in drawn for one in pair), strict=True):
            row[gone] = False
    scores = subject.scores(kept)
    right = scores.argmax(axis=-1) == subject.labels[:, None]
    surface = masks[0] | masks[1]
    gone = (~kept[:, 0] & surface).sum(axis=1) / surface.sum(axis=1)
    confidence, accuracy = (
        values.reshape(len(pairs), -1, 2).mean(axis=1) for values in (subject.confidence(scores), right)
    )
    columns = [gone, *confidence.T, confidence[:, 1] - confidence[:, 0], *accuracy.T]
    return [bootstrap_mean(np.where(gone > 0, column, np.nan), seed) for column in columns]


def _at_random(
    edges: np.ndarray, flat: np.ndarray, fraction: float, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns as many of both, a fraction of the rarer, several times."""
    count = round(fraction * min(len(edges), len(flat)))
    return [(rng.permutation(edges)[:count], rng.permutation(flat)[:count]) for _ in range(_DRAWS)]


def _all_but(
    edges: np.ndarray, flat: np.ndarray, total: int, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns all numbers below a total but as many flat ones, and all but as many of the edges."""
    kept = _at_random(edges, flat, 1, rng)
    everything = np.arange(total)
    return [(np.setdiff1d(everything, other), np.setdiff1d(everything, one)) for one, other in kept]


def _pairs(edges: np.ndarray, flat: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns as many pairs of both as are equally far from the centre, none in two of them."""
    apart = np.abs(distance[edges][:, None] - distance[flat])
    one, other = scipy.optimize.linear_sum_assignment(np.minimum(apart, 2 * _SAME))
    same = apart[one, other] <= _SAME
    return edges[one[same]], flat[other[same]]
