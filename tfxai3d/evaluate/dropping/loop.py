"""Taking points away, step by step, until a number of steps is done or the network changes its mind.

The loop of p-grad-CAM (Struhs 2020) and of point saliency (Zheng et al., ICCV 2019), for many clouds at
once. Dropping is removal: what is left is explained and classified as a smaller cloud.
"""

import dataclasses
import time
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError
from tfxai3d.evaluate.dropping.forward import Clouds, least_points
from tfxai3d.evaluate.dropping.importance import Importance, Recomputed
from tfxai3d.evaluate.dropping.modes import MIRRORED, MODES, Rule, at_random, by_mode
from tfxai3d.evaluate.rotations import RotationTest
from tfxai3d.explain.explainer import Explainer
from tfxai3d.results.drop_table import DropRun, DropStep
from tfxai3d.results.heads import Head, log_probabilities


def drop_clouds(
    importance: Importance,
    clouds: Clouds,
    labels: Sequence[int] | np.ndarray,
    rule: Rule,
    *,
    steps: int | None = None,
    rotation_test: RotationTest | None = None,
    min_points: int = MIN_POINTS,
) -> Iterator[list[DropRun]]:
    """Drops points of many clouds, each independent of the others: alone it would fare the same.

    Each iteration rates and classifies what is left of each cloud, tests rotated copies, and drops points
    by the rule. A dropped point is gone. At least `MIN_POINTS` stay: a step that asks for more takes as many
    as may go, and a cloud that cannot lose another point is done. Among equally important points the lower
    index goes first.

    Args:
        importance: Rates the points that are left, `Recomputed` or `Fixed`.
        clouds: Points (N_i,3), at least `MIN_POINTS`.
        labels: True classes, int (M,).
        rule: Which points go, such as `by_count(5)` or `by_mode("+average")`.
        steps: Drop so often, whatever the decision; a last test follows. Without it a cloud is done when
            its prediction is wrong and at most half of its rotated copies are right.
        rotation_test: The copies to test, if any.
        min_points: The fewest points that the rule leaves, see `least_points`.

    Yields:
        The runs so far, the same list after each iteration, so that a caller can show progress.

    Raises:
        UserError: If there are no clouds, one is not finite points or has too few, there are not as many
            labels as clouds, one is no class of the model, or steps is negative.
    """
    _check(clouds, labels, steps)
    labels = np.asarray(labels)
    runs = [DropRun([], np.full(len(cloud), -1)) for cloud in clouds]
    done = 0
    while active := [i for i, run in enumerate(runs) if not run.stopped_by]:
        start = time.perf_counter()
        left = [np.flatnonzero(runs[i].dropped_at < 0) for i in active]
        remaining = [clouds[i][kept] for i, kept in zip(active, left, strict=True)]
        last = done == steps
        try:
            if last:
                values, logits = [np.zeros(len(kept)) for kept in left], importance.forward(remaining)
            else:
                values, logits = importance.rate(remaining, left, labels[active], np.array(active))
        except UserError:
            raise
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            count = min(map(len, remaining))
            raise UserError(
                f"the network does not take {count} points: give the rule the fewest it takes, min_points"
            ) from error
        network = getattr(getattr(importance, "forward", None), "network", None)
        head: Head = network.head if network is not None else "logits"
        each = zip(active, remaining, logits, strict=True)
        tested = [_tested(row, head, cloud, int(labels[i]), rotation_test) for i, cloud, row in each]
        for i, kept, value, step in zip(active, left, values, tested, strict=True):
            lost = steps is None and step.predicted != labels[i] and step.accuracy <= 0.5
            dropped = np.zeros(len(kept), bool) if lost or last else rule(value, done)
            runs[i].dropped_at[kept[dropped]] = done
            at_least = len(kept) <= min_points
            runs[i].stopped_by = _stopped_by(lost, last, done, at_least, bool(dropped.any()))
            runs[i].steps.append(dataclasses.replace(step, iteration=done, dropped=int(dropped.sum())))
        seconds = (time.perf_counter() - start) / len(active)
        for i in active:
            runs[i].steps[-1] = dataclasses.replace(runs[i].steps[-1], seconds=seconds)
        yield runs
        done += 1


def drop_points(
    explainer: Explainer,
    rotation_test: RotationTest | None,
    points: np.ndarray,
    label: int,
    mode: str = "+average",
    *,
    counts: Sequence[int] | None = None,
    seed: int = 0,
    min_points: int | None = None,
) -> Iterator[DropRun]:
    """Drops points of one cloud by a mode of p-grad-CAM until the decision is lost; see `drop_clouds`.

    Args:
        explainer: Rates the points; for the published method a PGradCAM.
        rotation_test: The copies to test, if any.
        points: The cloud (N,3), at least `MIN_POINTS`.
        label: Its true class.
        mode: One of `MODES`.
        counts: Random modes only: how many points to drop in each iteration, the counts of another run; by
            default those of a run of the mode that is mirrored, which is done first, unseen. When they run
            out, their mean repeats, rounded up.
        seed: Random modes only.
        min_points: The fewest points that are left; by default what `least_points` finds.

    Yields:
        The run so far, the same object after each iteration, so that a caller can show progress.

    Raises:
        UserError: If there are too few points, or the mode is unknown.
    """
    if mode not in MODES:
        raise UserError(f"unknown mode {mode!r}; known are {', '.join(MODES)}")
    if mode in MIRRORED and counts is None:
        mirrored_mode = MIRRORED[mode]
        arguments = (explainer, rotation_test, points, label, mirrored_mode)
        *_, mirrored = drop_points(*arguments, min_points=min_points)
        counts = mirrored.counts
    _check([points], [label], None)
    if min_points is None:
        min_points = least_points(explainer.network, points) if hasattr(explainer, "network") else MIN_POINTS
    random = mode in MIRRORED
    rule = at_random(list(counts or ()) or [0], seed, min_points) if random else by_mode(mode, min_points)
    for (run,) in drop_clouds(
        Recomputed(explainer), [points], [label], rule, rotation_test=rotation_test, min_points=min_points
    ):
        yield run


def _check(clouds: Clouds, labels: Sequence[int] | np.ndarray, steps: int | None) -> None:
    if not len(clouds):
        raise UserError("there are no clouds to drop points of")
    for number, cloud in enumerate(clouds):
        if cloud.ndim != 2 or cloud.shape[1] < 3:
            raise UserError(f"cloud {number} must be points (N,3) or (N,3+F), it is {cloud.shape}")
        if len(cloud) < MIN_POINTS:
            raise UserError(
                f"cloud {number}: a cloud needs at least {MIN_POINTS} points, it has {len(cloud)}"
            )
        if not np.isfinite(cloud).all():
            raise UserError(f"cloud {number} holds NaN or infinite coordinates")
    if len(labels) != len(clouds):
        raise UserError(f"{len(clouds)} clouds need as many labels, there are {len(labels)}")
    if steps is not None and steps < 0:
        raise UserError(f"steps must be at least 0, it is {steps}")


def _tested(
    scores: np.ndarray, head: Head, cloud: np.ndarray, label: int, rotation_test: RotationTest | None
) -> DropStep:
    """Returns the record of a cloud before anything is dropped."""
    if not 0 <= label < len(scores):
        raise UserError(f"labels must be in 0..{len(scores) - 1}, one is {label}")
    log_probability = float(log_probabilities(scores.astype(np.float64), head)[label])
    predicted = int(np.argmax(scores))
    accuracy, loss = (float(predicted == label), -log_probability)
    if rotation_test is not None:
        accuracy, loss = rotation_test(cloud, label)
    return DropStep(0, len(cloud), predicted, float(np.exp(log_probability)), accuracy, loss, 0, 0.0)


def _stopped_by(lost: bool, last: bool, done: int, at_least: bool, dropped: bool) -> str:
    if lost:
        return "decision" if done else "wrong from the start"
    if last:
        return "number of steps"
    if dropped:
        return ""
    return "minimum of points" if at_least else "nothing left to drop"
