"""The side of shap_worker.py that answers: shap in a process of its own, the scores from here."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Score = Callable[[np.ndarray], np.ndarray]
"""Maps coalitions, bool (P,N), to their scores (P,)."""


class Asked(NamedTuple):
    """What shap says of one cloud."""

    values: np.ndarray  # (N,)
    seconds: float  # of the processor, of both processes
    coalitions: int


def passes(model: Any, cloud: np.ndarray, target: int | None = None, batch_size: int = 32) -> Score:
    """Returns the scores of coalitions of a cloud's points by forward passes, in batches of similar sizes.

    Args:
        model: Maps clouds to logits.
        cloud: The points (N,3).
        target: Whose logit; by default the predicted class.
        batch_size: The most clouds at once.
    """
    from tfxai3d.evaluate.dropping.forward import Forward

    forward = Forward(model, batch_size)
    column = int(forward(cloud[None]).argmax()) if target is None else target

    def score(held: np.ndarray) -> np.ndarray:
        some = [cloud[row] if row.any() else np.zeros_like(cloud[:1]) for row in held]
        return np.asarray(forward(some)[:, column])

    return score


def ask(python: str, score: Score, points: int) -> Asked:
    """Returns what shap's PermutationExplainer makes of one order of the points, forth and back."""
    worker = Path(__file__).with_name("shap_worker.py")
    process = subprocess.Popen(
        [python, str(worker), str(points)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    coalitions, began = 0, time.process_time()
    while (size := int.from_bytes(process.stdout.read(8), "little")) > 0:
        held = np.frombuffer(process.stdout.read(size * points), bool).reshape(size, points)
        process.stdin.write(score(held).astype("<f8").tobytes())
        process.stdin.flush()
        coalitions += size
    seconds, *values = np.frombuffer(process.stdout.read(8 * (1 + points)), "<f8")
    process.wait()
    return Asked(np.array(values), float(seconds) + time.process_time() - began, coalitions)
