"""Taking points away until the network changes its mind (the loop of p-grad-CAM, Struhs 2020)."""

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError
from tfxai3d.evaluate.drop_modes import MIRRORED, MODES, dropped_points, random_points
from tfxai3d.evaluate.rotations import RotationTest
from tfxai3d.explain.explainer import Explainer


@dataclasses.dataclass(frozen=True)
class DropStep:
    """One iteration.

    Attributes:
        iteration: Its number, from 0.
        points: Points left.
        predicted: Class of the unrotated cloud.
        confidence: Probability of the true class for the unrotated cloud.
        accuracy: Share of rotated copies classified right.
        loss: Mean cross entropy of the rotated copies.
        dropped: Points dropped after this test.
        seconds: Duration.
    """

    iteration: int
    points: int
    predicted: int
    confidence: float
    accuracy: float
    loss: float
    dropped: int
    seconds: float


@dataclasses.dataclass
class DropRun:
    """A finished or running sequence of drops.

    Attributes:
        mode: How points were chosen.
        steps: One record an iteration.
        dropped_at: The iteration in which each point of the original cloud went, -1 while it is there (N,).
        stopped_by: "decision" (the class was lost), "wrong from the start" (it was before anything was
            dropped), "nothing left to drop" or "minimum of points"; empty while the run goes on.
    """

    mode: str
    steps: list[DropStep]
    dropped_at: np.ndarray
    stopped_by: str = ""

    @property
    def counts(self) -> list[int]:
        """Points dropped in each iteration that dropped any."""
        return [step.dropped for step in self.steps if step.dropped]

    @property
    def points_removed(self) -> int:
        """Points dropped in all."""
        return int(np.sum(self.dropped_at >= 0))


def drop_points(
    explainer: Explainer,
    rotation_test: RotationTest,
    points: np.ndarray,
    label: int,
    mode: str = "+average",
    *,
    counts: Sequence[int] = (),
    seed: int = 0,
) -> Iterator[DropRun]:
    """Drops points until the prediction is wrong and at most half of the rotated copies are right.

    Each iteration explains what is left of the unrotated cloud, tests rotated copies, and drops points
    by the mode. A dropped point is gone. At least `MIN_POINTS` stay.

    Args:
        explainer: Rates the points; for the published method a PGradCAM.
        rotation_test: The copies to test.
        points: The cloud (N,3), at least `MIN_POINTS`.
        label: Its true class.
        mode: One of `MODES`.
        counts: Random modes only: how many points to drop in each iteration, the counts of another run.
            When they run out, their mean repeats, rounded up.
        seed: Random modes only.

    Yields:
        The run so far, the same object after each iteration, so that a caller can show progress.

    Raises:
        UserError: If there are too few points, the mode is unknown, or a random mode has no counts.
    """
    if len(points) < MIN_POINTS:
        raise UserError(f"a cloud needs at least {MIN_POINTS} points, it has {len(points)}")
    if mode not in MODES:
        raise UserError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
    if mode in MIRRORED and not len(counts):
        raise UserError(f"mode {mode!r} needs the counts of a {MIRRORED[mode]!r} run")
    run = DropRun(mode, [], np.full(len(points), -1))
    rng = np.random.default_rng(seed)
    while not run.stopped_by:
        start = time.perf_counter()
        left = np.flatnonzero(run.dropped_at < 0)
        cloud = points[left]
        explained = explainer(cloud[None], target=label)
        accuracy, loss = rotation_test(cloud, label)
        predicted = int(explained.predicted[0])
        if predicted != label and accuracy <= 0.5:
            run.stopped_by = "decision" if run.steps else "wrong from the start"
            dropped = np.zeros(len(left), dtype=bool)
        else:
            if mode in MIRRORED:
                number = len(run.steps)
                count = counts[number] if number < len(counts) else math.ceil(np.mean(counts))
                dropped = random_points(count, len(left), rng, MIN_POINTS)
            else:
                dropped = dropped_points(explained.importance[0], mode, MIN_POINTS)
            if not dropped.any():
                run.stopped_by = "minimum of points" if len(left) == MIN_POINTS else "nothing left to drop"
        run.dropped_at[left[dropped]] = len(run.steps)
        step = DropStep(
            iteration=len(run.steps),
            points=len(left),
            predicted=predicted,
            confidence=_softmax(explained.scores[0])[label],
            accuracy=accuracy,
            loss=loss,
            dropped=int(dropped.sum()),
            seconds=time.perf_counter() - start,
        )
        run.steps.append(step)
        yield run


def _softmax(logits: np.ndarray) -> list[float]:
    exponents = np.exp(logits - logits.max())
    return (exponents / exponents.sum()).tolist()
