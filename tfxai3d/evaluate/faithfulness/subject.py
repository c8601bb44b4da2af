"""What metrics ask of a network: its answers to examples of which some points or voxels are gone."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import classify
from tfxai3d.evaluate.faithfulness.remains import Remains, ranks
from tfxai3d.explain.engine.network import Network, network
from tfxai3d.results import heads

FRACTIONS = tuple(np.linspace(0.02, 0.95, 20).tolist())
"""What curves over nearly the whole object take away."""
SUBSETS = {0.1: 16, 0.3: 16, 0.5: 16}
"""How many random subsets of each fraction of an object are taken away."""

Rater = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A method: maps examples (B,...) and the classes (B,) to explain to the importance, (B,N) or (B,D,H,W)."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network and examples of which it is right, whose decisions are explained.

    Attributes:
        model: Whatever an explainer takes; it scores two classes or more.
        inputs: Points (B,N,3+F) or voxels (B,D,H,W,C), float32.
        labels: The class that is explained of each, int (B,).
        truth: Where the reason is, if it is known: bool, (B,N) or (B,D,H,W).
        batch_size: The most examples that the network sees at once.
        seed: Of all that is drawn.
        zeroed: Move points to the origin in the place of taking them away, as toolkits for images do. A point
            at the origin is still a point: this is for comparison alone.
    """

    model: Any
    inputs: np.ndarray
    labels: np.ndarray
    truth: np.ndarray | None = None
    batch_size: int = 32
    seed: int = 0
    zeroed: bool = False

    def __post_init__(self) -> None:
        if not len(self.inputs) or len(self.inputs) != len(self.labels):
            raise UserError(
                f"{len(self.inputs)} inputs and {len(self.labels)} labels: give as many, at least one"
            )
        if self.truth is not None and self.truth.shape != self.inputs.shape[:-1]:
            raise UserError(f"truth {self.truth.shape} does not fit inputs {self.inputs.shape}")

    @classmethod
    def of_right(
        cls, model: Any, inputs: np.ndarray, labels: np.ndarray, num_examples: int, **options: Any
    ) -> "Subject":
        """Returns a subject of so many examples that a network classifies right, drawn by the subject's seed.

        They are in the order of the draw, so the first few are a draw of their own.

        Args:
            model: The network.
            inputs: The examples to choose from.
            labels: Their true classes, int (B,).
            num_examples: The most that are chosen.
            **options: Of the subject.

        Raises:
            UserError: If it classifies none right.
        """
        order = np.random.default_rng(options.get("seed", 0)).permutation(len(labels))
        chosen = order[:0]
        for start in range(0, len(order), 2 * num_examples):
            some = order[start : start + 2 * num_examples]
            right = classify(model, inputs[some], labels[some]).predicted == labels[some]
            chosen = np.append(chosen, some[right])[:num_examples]
            if len(chosen) == num_examples:
                break
        if not len(chosen):
            raise UserError(f"the model classifies none of the {len(labels)} examples right")
        return cls(model, np.asarray(inputs[chosen], np.float32), labels[chosen], **options)

    def first(self, count: int) -> "Subject":
        """Returns a subject of its first examples."""
        truth = None if self.truth is None else self.truth[:count]
        return dataclasses.replace(
            self, model=self.network, inputs=self.inputs[:count], labels=self.labels[:count], truth=truth
        )

    @functools.cached_property
    def by_zeroing(self) -> "Subject":
        """The same subject, whose points are moved to the origin in the place of taking them away."""
        return dataclasses.replace(self, model=self.network, zeroed=True)

    @functools.cached_property
    def network(self) -> Network:
        """The model, read once."""
        found = network(self.model)
        if found.data_format != "channels_last":
            raise UserError(
                f"{found.name}: metrics take networks whose channels are the last axis; put a "
                "keras.layers.Permute before it"
            )
        return found

    @functools.cached_property
    def places(self) -> np.ndarray:
        """What can be taken away, bool (B,M): all points, or the voxels that are not 0."""
        return self._remains.places(self.inputs)

    def rng(self, stream: int) -> np.random.Generator:
        """Returns a generator of a use's own."""
        return np.random.default_rng((self.seed, stream))

    @functools.cached_property
    def whole(self) -> np.ndarray:
        """The scores of the classes of the whole examples, (B,C)."""
        return self.scores(np.ones((len(self.inputs), 1, self.places.shape[1]), bool))[:, 0]

    @functools.cached_property
    def forward_seconds(self) -> float:
        """The wall time of a forward pass of an example, in batches, compiled."""
        kept = np.ones((len(self.inputs), 1, self.places.shape[1]), bool)
        self.scores(kept)
        began = time.perf_counter()
        self.scores(kept)
        return (time.perf_counter() - began) / len(kept)

    @functools.cached_property
    def subsets(self) -> tuple[np.ndarray, np.ndarray]:
        """Random subsets, bool (B,S,M), and what the explained score loses without each, (B,S)."""
        rng, counts = self.rng(1), self.places.sum(axis=1)
        rows = []
        for fraction, number in SUBSETS.items():
            draw = np.where(
                self.places[:, None], rng.random((len(self.inputs), number, self.places.shape[1])), 2
            )
            rank = draw.argsort(axis=-1).argsort(axis=-1)
            rows.append(rank < np.maximum(1, fraction * counts).astype(int)[:, None, None])
        gone = np.concatenate(rows, axis=1)
        left = np.take_along_axis(self.scores(~gone), self.labels[:, None, None], axis=-1)[..., 0]
        return gone, self.whole[np.arange(len(self.labels)), self.labels][:, None] - left

    def confidence(self, scores: np.ndarray) -> np.ndarray:
        """Returns the probabilities (B,K) of the explained classes in scores (B,K,C)."""
        found = heads.probabilities(scores, self.network.head)
        return np.take_along_axis(found, self.labels[:, None, None], axis=-1)[..., 0]

    def scores(self, kept: np.ndarray) -> np.ndarray:
        """Returns the scores (B,K,C) of what is kept of each example, bool (B,K,M)."""
        return self._remains(self.inputs, kept)

    @functools.cached_property
    def _remains(self) -> Remains:
        return Remains(self.network, self.batch_size, self.zeroed)


@dataclasses.dataclass(frozen=True)
class Rated:
    """A method's importance of a subject's examples, and the two curves that several metrics read.

    Attributes:
        subject: What is explained.
        rate: The method.
    """

    subject: Subject
    rate: Rater

    @classmethod
    def by(cls, subject: Subject, importance: np.ndarray) -> "Rated":
        """Returns the subject with an importance that is known, (B,N) or (B,D,H,W)."""
        return cls(subject, lambda inputs, labels: importance)

    @functools.cached_property
    def importance(self) -> np.ndarray:
        """The importance (B,M), the places in a row."""
        found = np.asarray(self.rate(self.subject.inputs, self.subject.labels), np.float64)
        if found.shape != self.subject.inputs.shape[:-1] or not np.isfinite(found).all():
            raise UserError(
                f"the importance must be finite and {self.subject.inputs.shape[:-1]}, it is {found.shape}"
            )
        return found.reshape(len(found), -1)

    @functools.cached_property
    def highest(self) -> np.ndarray:
        """The scores (B,K,C) while the most important places go, by `FRACTIONS`."""
        return self.removed(self.importance, FRACTIONS)

    @functools.cached_property
    def lowest(self) -> np.ndarray:
        """The scores (B,K,C) while the least important places go, by `FRACTIONS`."""
        return self.removed(-self.importance, FRACTIONS)

    def removed(self, order: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
        """Returns the scores (B,K,C) without the first places of an order, the largest numbers first.

        Args:
            order: Numbers (B,M); among equals the lower index goes first.
            fractions: What goes of each example's places, rounded down to whole ones.
        """
        places = self.subject.places
        rank = ranks(order, places)
        counts = (np.outer(places.sum(axis=1), fractions)).astype(int)
        return self.subject.scores(rank[:, None] >= counts[:, :, None])
