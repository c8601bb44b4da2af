"""The plots of the p-grad-CAM program (Struhs 2020): how many points a decision needs, and the time."""

from pathlib import Path

import numpy as np

from tfxai3d import evaluate, view
from tfxai3d.papers.finding import REPRODUCED, Finding
from tfxai3d.papers.setting import Setting

_PRESET = "pointnet_modelnet40"
_HEAD = ("mode", "decision changed", "points removed", "iterations", "seconds")
_PUBLISHED = [
    ["p-grad-CAM, published", "", "638", "17.7", "115"],
    ["ASM, published", "", "365", "365.6", "264"],
]


def dropping(setting: Setting, folder: Path) -> Finding:
    """p-grad-CAM and point saliency take points away until the decision changes."""
    size, model = setting.size, setting.network(_PRESET)
    split = setting.objects(_PRESET, None if setting.modelnet40 else 200, size.points)
    chosen = split[evaluate.first_right(model, split.inputs, split.labels, size.dropped)]
    chosen = chosen if size.classes is None else chosen.spread(size.classes * size.dropped)
    rotations = evaluate.random_rotations(size.rotations, seed=setting.seed)
    done = evaluate.compare_modes(
        model, chosen.inputs, chosen.labels, ("+average", "nonzero", "zero", "asm"),
        evaluate.RotationTest(model, rotations), num_drop=1 if setting.modelnet40 else 5, seed=setting.seed,
        folder=folder / "runs",
    )  # fmt: skip
    rows, means, pictures = [], {}, {}
    for mode in ("+average", "nonzero", "zero", "asm"):
        runs = [row for row in done.runs if row["mode"] == mode and row["control"] == "0"]
        removed, iterations, seconds = (
            np.mean([float(row[name]) for row in runs]) for name in ("removed", "iterations", "seconds")
        )
        changed = sum(row["stopped_by"] == "decision" for row in runs)
        rows.append(
            [mode, f"{changed} of {len(runs)}", f"{removed:.0f}", f"{iterations:.1f}", f"{seconds:.1f}"]
        )
        curves = done.curves(mode)
        means[mode] = evaluate.mean_by_iteration(list(curves.values()))
        if mode in ("+average", "asm"):
            view.render_curves(folder / f"{mode}.png", curves, "accuracy", "points", mode)
            pictures[f"{mode}.png"] = (
                f"{mode}: accuracy of {size.rotations} rotated copies against the points left"
            )
    for column in ("points", "accuracy", "loss"):
        view.render_curves(
            folder / f"{column}.png", means, column, "iteration", "mean over the objects that go on"
        )
        pictures[f"{column}.png"] = f"{column} by iteration"
    ours, asm = rows[0], rows[-1]
    fewer = float(asm[2]) < float(ours[2]) and float(asm[4]) > float(ours[4])
    return Finding(
        "The p-grad-CAM program: points removed until the decision changes",
        "40 objects of 2,048 points, 500 rotations: p-grad-CAM removes 638 points in 17.7 iterations and "
        "115 s, point "
        "saliency (ASM) 365 in 365.6 iterations and 264 s; points without heat can go without harm.",
        f"{len(chosen)} {setting.words(_PRESET)} of {size.points:,} points, {size.rotations} rotations: "
        "+average "
        f"removes {ours[2]} points in {ours[3]} iterations and {ours[4]} s, ASM {asm[2]} in {asm[3]} and "
        f"{asm[4]} s.",
        f"{REPRODUCED}: ASM needs fewer points and more time" if fewer else "differs: see the table",
        _HEAD,
        [*rows, *_PUBLISHED],
        pictures,
    )
