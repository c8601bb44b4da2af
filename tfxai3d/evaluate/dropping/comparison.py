"""The modes of p-grad-CAM and point saliency beside random dropping, object by object (Struhs 2020)."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import classify
from tfxai3d.evaluate.dropping.forward import least_points
from tfxai3d.evaluate.dropping.importance import Recomputed
from tfxai3d.evaluate.dropping.loop import drop_clouds, drop_points
from tfxai3d.evaluate.dropping.mode_table import ModeComparison
from tfxai3d.evaluate.dropping.modes import by_count, by_mode
from tfxai3d.evaluate.rotations import RotationTest
from tfxai3d.results.drop_table import DropRun
from tfxai3d.storage import AnyPath, run_folder


def compare_modes(
    model: Any,
    points: np.ndarray,
    labels: np.ndarray,
    modes: Sequence[str],
    rotation_test: RotationTest | None,
    *,
    num_drop: int = 1,
    asm_control: bool = False,
    pooling: Literal["max", "mean"] = "max",
    seed: int = 0,
    folder: AnyPath | None = None,
    settings: Mapping[str, Any] | None = None,
) -> ModeComparison:
    """Drops points of objects by each mode until the decision changes, and again as many at random.

    Args:
        model: Maps points (B,N,3) to scores of classes; whatever explain.PGradCAM takes, and
            for "asm" alone whatever an explainer takes.
        points: Objects (M,N,3).
        labels: True classes, int (M,).
        modes: Modes of `MODES` that are not random, or "asm": point saliency.
        rotation_test: The rotated copies that are tested in each iteration, if any.
        num_drop: Points dropped in a step of "asm".
        asm_control: Run a random control of "asm", too; it takes many iterations.
        pooling: How p-grad-CAM pools the gradient over the channels.
        seed: Seed of the controls.
        folder: Keeps the rows, steps.csv and runs.csv, after each object, and the settings: called again, the
            comparison goes on where it was stopped.
        settings: What else decides the results, such as the names of model and data.

    Raises:
        UserError: If a mode is unknown, the folder holds a comparison with other settings, or as
            `drop_clouds`.
    """
    for mode in set(modes) - {"asm"}:
        by_mode(mode)
    saliency = explain.PointSaliency(model)
    # It needs the features of a layer, which point saliency does not.
    p_grad_cam = saliency if set(modes) == {"asm"} else explain.PGradCAM(model, pooling)
    names = saliency.network.class_names
    own = {"mode": list(modes), "num_drop": num_drop, "asm_control": asm_control, "pooling": pooling}

    def runs(cloud: np.ndarray, label: int, mode: str) -> Iterator[DropRun]:
        """Yields the run of a mode, and its random control."""
        if mode == "asm":
            least = least_points(saliency.network, cloud)
            rated, rule = Recomputed(saliency), by_count(num_drop, min_points=least)
            tested = drop_clouds(rated, [cloud], [label], rule, rotation_test=rotation_test, min_points=least)
            *_, (run,) = tested
        else:
            *_, run = drop_points(p_grad_cam, rotation_test, cloud, label, mode)
        yield run
        if run.counts and (mode != "asm" or asm_control):
            arguments = (p_grad_cam, rotation_test, cloud, label, "+random")
            *_, control = drop_points(*arguments, counts=run.counts, seed=seed)
            yield control

    with run_folder(folder, {**(settings or {}), **own, "seed": seed}, "runs.csv"):
        done = ModeComparison() if folder is None else ModeComparison.load(Path(folder))
        known = {row["object"] for row in done.runs}
        for number in tqdm(range(len(points)), unit="object", disable=None):
            if str(number) in known:
                continue
            label = int(labels[number])
            for mode in modes:
                for control, run in enumerate(runs(points[number], label, mode)):
                    done.add(run, number, names[label] if names else str(label), mode, bool(control))
            if folder is not None:
                done.save(Path(folder))
    return done


def first_right(model: Any, points: np.ndarray, labels: np.ndarray, count: int = 1) -> np.ndarray:
    """Returns which are the first `count` objects of each class that the model classifies right, int (M,).

    Raises:
        UserError: If it classifies none right.
    """
    right = classify(model, points, labels).predicted == labels
    if not right.any():
        raise UserError(f"the model classifies none of the {len(labels)} objects right")
    return np.concatenate([np.flatnonzero(right & (labels == label))[:count] for label in np.unique(labels)])
