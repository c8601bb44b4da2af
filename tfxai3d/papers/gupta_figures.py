"""Figures 1 to 6 of Gupta, Watson and Yin, "3D Point Cloud Feature Explanations", IJCNN 2020."""

from pathlib import Path

import numpy as np

from tfxai3d import data, evaluate, explain, features, view
from tfxai3d.papers.finding import REPRODUCED, Finding
from tfxai3d.papers.setting import Setting
from tfxai3d.results.explanation import DataKind, Explanation

POINTS, VOXELS = "pointnet2_ssg_modelnet40", "vrn_half_modelnet10"
_OF_POINTS = ("vanilla_gradient", "guided_backprop", "integrated_gradients")
_OF_VOXELS = ("vanilla_gradient", "gradient_times_input", "integrated_gradients")
_ALIKE = 0.5  # rank correlation from which on two maps are said to agree


def figure_1(setting: Setting, folder: Path) -> Finding:
    """An object as points and as voxels."""
    mesh = data.shapes.make_shape("chair", setting.seed)
    points = data.shapes.sample_shape(mesh, 1024, setting.seed).points[None]
    grid = data.voxelize(mesh.z_up())[None, ..., None].astype(np.float32)
    kinds: dict[DataKind, np.ndarray] = {"points": points, "voxels": grid}
    for kind, inputs in kinds.items():
        plain = np.zeros(inputs.shape[:-1], np.float32)
        scores, target = np.zeros((1, 1)), np.zeros(1, int)
        shown = Explanation(inputs, np.zeros_like(inputs), plain, target, scores, "object", {}, kind)
        view.render_png(folder / f"{kind}.png", shown, title=f"chair, {kind}")
    return Finding(
        "Figure 1: one object, two forms",
        "A rabbit of the Stanford repository as points and as voxels.",
        f"A procedural chair: 1,024 points, and {int(grid.sum()):,} of 32^3 voxels.",
        REPRODUCED,
        pictures={"points.png": "as points", "voxels.png": "as voxels"},
    )


def figure_2(setting: Setting, folder: Path) -> Finding:
    """PointNet++ by three methods: where on the objects is the importance?"""
    names = ("airplane", "bathtub", "chair", "desk", "dresser", "table")
    _panel(setting, folder, POINTS, names, _OF_POINTS)
    model = setting.network(POINTS)
    marked = evaluate.claims.marked_shapes(model, setting.size.maps)
    claim = evaluate.claims.edges_and_corners(model, marked, _OF_POINTS, seed=setting.seed)
    rows = claim.tables[0].rows
    ratios = {name: row[1].mean for name, row in rows.items() if row[1] is not None}
    said = ", ".join(f"{name.strip('`')} {ratio:.2f}" for name, ratio in ratios.items())
    more = [name for name, ratio in ratios.items() if ratio > 1]
    return Finding(
        "Figure 2: PointNet++ by three methods",
        "Importance on edges and corners, hardly any on planes; vanilla gradients are noisy.",
        "The fraction of the importance on points near creases and corners, as a multiple of their "
        "number, on "
        f"{len(marked.labels)} procedural objects, where creases are known: {said}.",
        REPRODUCED
        if len(more) == len(ratios)
        else f"differs: only {', '.join(more) or 'no method'} prefers them",
        pictures={"panel.png": f"{setting.words(POINTS)}, importance with its sign"},
    )


def figure_3(setting: Setting, folder: Path) -> Finding:
    """VRN by three methods: vanilla gradients are noisy in empty space, the two others agree."""
    names = ("bathtub", "bed", "chair", "desk", "table")
    _panel(setting, folder, VOXELS, names, _OF_VOXELS)
    split = setting.objects(VOXELS, setting.size.maps)
    grids = split.inputs.astype(np.float32)
    claim = evaluate.claims.empty_voxels(setting.network(VOXELS), grids, split.labels, seed=setting.seed)
    noise, agreement = claim.tables
    empty = {name: row[0].mean for name, row in noise.rows.items() if row[0] is not None}
    pair = "`gradient_times_input`, `integrated_gradients`"
    # Of all voxels: where there is matter, which is 1, masked gradients are the vanilla ones.
    alike = {name: row[0].mean for name, row in agreement.rows.items() if row[0] is not None}
    within = agreement.rows[pair][1]
    vanilla, masked = empty["`vanilla_gradient`"], alike.pop(pair)
    verdict = REPRODUCED
    if vanilla <= 0.5:
        verdict = "differs: most of the vanilla gradients' importance is in occupied voxels"
    elif masked <= max(alike.values()):
        verdict = "differs: masked and integrated gradients agree no more than others do"
    elif within is None or within.mean < _ALIKE:
        verdict = f"{REPRODUCED} in part: masked and integrated gradients agree on where there is matter, "
        verdict += "hardly on which matter counts"
    return Finding(
        "Figure 3: VRN by three methods",
        "Vanilla gradients are noisy, above all in empty voxels; masked ones and integrated gradients agree.",
        f"{vanilla:.0%} of the vanilla gradients' importance is in empty voxels. Rank correlation of masked "
        f"and integrated gradients: {masked:.2f} on all voxels, on occupied ones alone "
        f"{np.nan if within is None else within.mean:.2f}. {len(grids)} {setting.words(VOXELS)}.",
        verdict,
        pictures={"panel.png": f"{setting.words(VOXELS)}; the half-width VRN"},
    )


def figure_4(setting: Setting, folder: Path) -> Finding:
    """The confusion matrix of PointNet++."""
    split = setting.objects(POINTS, setting.size.examples)
    result = evaluate.classify(setting.network(POINTS), split.inputs, split.labels)
    accuracy = result.overall_accuracy
    title = f"{POINTS}: {accuracy:.1%} of {len(split):,} right"
    view.render_confusion(folder / "confusion.png", result.confusion, split.class_names, title)
    names = split.class_names
    pairs = [f"{names[true]} as {names[seen]} ({count})" for true, seen, count in result.confused_pairs(5)]
    verdict = "not comparable: the matrix of ModelNet40's test split needs its data"
    if setting.modelnet40 is not None and setting.size.examples is None:
        verdict = REPRODUCED if accuracy > 0.9 else "differs: a weaker network"
    return Finding(
        "Figure 4: the confusions of PointNet++ on ModelNet40",
        "Most classes are told apart; flower pots, plants and vases, night stands and dressers, desks "
        "and tables "
        "are not. The network of Qi et al. has 90.7 %.",
        f"{accuracy:.1%} of {len(split):,} {setting.words(POINTS)}. Most often confused: "
        f"{', '.join(pairs) or 'none'}.",
        verdict,
        pictures={"confusion.png": ""},
    )


def figure_5(setting: Setting, folder: Path) -> Finding:
    """Mistakes, explained by what the objects were taken for."""
    wanted = (
        ("dresser", "night_stand"),
        ("night_stand", "dresser"),
        ("plant", "flower_pot"),
        ("table", "desk"),
    )
    split = setting.objects(POINTS, setting.size.examples)
    model = setting.network(POINTS)
    predicted = evaluate.classify(model, split.inputs, split.labels).predicted
    wrong = np.flatnonzero(predicted != split.labels).tolist()
    pairs = [tuple(split.class_names[k] for k in (split.labels[i], predicted[i])) for i in wrong]
    chosen = [wrong[pairs.index(pair)] for pair in wanted if pair in pairs]
    chosen = chosen or wrong[:4]
    pictures = {}
    if chosen:
        some, targets = split[chosen], predicted[chosen]
        titles = [
            f"{some.class_names[true]} as {some.class_names[seen]}"
            for true, seen in zip(some.labels, targets, strict=True)
        ]
        _draw(
            model, some.inputs.astype(np.float32), targets, titles, _OF_POINTS, setting, folder / "panel.png"
        )
        pictures = {"panel.png": "why the wrong class?"}
    found = [pair for pair in wanted if pair in pairs]
    verdict = f"differs: only {len(found)} of the four kinds of mistakes occur"
    if len(found) == len(wanted):
        verdict = REPRODUCED
    elif setting.modelnet40 is None:
        verdict = "not comparable: the four kinds of mistakes need ModelNet40's test split"
    return Finding(
        "Figure 5: four mistakes",
        "A dresser taken for a night stand, the reverse, a plant for a flower pot, a table for a desk; "
        "the maps "
        "show what misled.",
        f"{len(wrong)} mistakes of {len(split):,} {setting.words(POINTS)}; {len(found)} of the four "
        "kinds are "
        "among them.",
        verdict,
        pictures=pictures,
    )


def figure_6(setting: Setting, folder: Path) -> Finding:
    """The filters of VRN: original, pruned at once, pruned and tuned."""
    kernels = features.compare_kernels(
        ["vrn_modelnet10_pruned", "vrn_modelnet10_one_percent"], "block_1_0_a1"
    )
    view.render_gallery(
        folder / "filters.png", view.filter_gallery(kernels.by_model, kernels.layer, channels=[0, 1, 2])
    )
    left = [record["left"] for record in kernels.records()]
    five, one = (kernel != 0 for kernel in kernels.by_model.values())
    kept = int((five & one).sum())
    return Finding(
        "Figure 6: what is left of the filters",
        "Most weights of a filter are pruned; what is left after tuning are the large ones of before.",
        f"Of {five.size:,} weights of {kernels.layer} {left[0]:,} are left at 5 % of the network and "
        f"{left[1]:,} at 1 %; "
        f"{kept:,} of the latter were among the former.",
        REPRODUCED if kept > 0.5 * one.sum() else "differs: surgery let other weights grow back",
        pictures={"filters.png": "three filters of 16 channels each; the cube's side is |weight|"},
    )


def _panel(
    setting: Setting, folder: Path, preset: str, names: tuple[str, ...], methods: tuple[str, ...]
) -> None:
    some = setting.named(preset, names)
    inputs = some.inputs.astype(np.float32)
    _draw(setting.network(preset), inputs, some.labels, list(names), methods, setting, folder / "panel.png")


def _draw(
    model: explain.Network | object, inputs: np.ndarray, targets: np.ndarray, titles: list[str],
    methods: tuple[str, ...], setting: Setting, path: Path,
) -> None:  # fmt: skip
    explainers = [explain.create(name, model, steps=setting.size.steps, batch_size=8) for name in methods]
    pairs = list(zip(inputs, targets, strict=True))
    rows = [[explainer(one[None], int(target)) for explainer in explainers] for one, target in pairs]
    view.render_panel(path, rows, titles)
