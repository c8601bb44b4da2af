"""Shows why a network decided: several methods side by side, for point clouds and voxels.

Six procedural objects and a shipped network, no data needed (figure 2 of the paper); the second for voxels
(figure 3):

  python apps/explain.py --flagfile=apps/flags/explain.cfg
  python apps/explain.py --flagfile=apps/flags/explain_voxels.cfg

Objects of your own, in any format the readers take, or a data set's test split by class:

  python apps/explain.py --input=bunny.ply,plane.off --up=z
  python apps/explain.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=desk,table --index=0,1,2
  python apps/explain.py --model=vrn_half_modelnet10 --data_dir=.../modelnet10_voxels --label=chair

Why a desk and not a table; and what a network mistakes (figure 5), with the list of apps/evaluate.py, of
which --index chooses lines:

  python apps/explain.py --shape=desk --target=desk-table
  python apps/explain.py --data_dir=... --mistakes=out/evaluate/mistakes.csv --index=0,1,2,3

A whole test split, --shard_size examples a file; start it again after a kill and it goes on:

  python apps/explain.py --data_dir=.../modelnet40_ply_hdf5_2048 --methods=integrated_gradients

Writes to --output_dir:

  <object>/<method>.npz   the explanations (tfxai3d.explain.Explanation.load reads them)
  <method>/00000.npz ...  those of a whole split (tfxai3d.explain.read_store reads them in order)
  panel.png, panel.html   rows of objects, columns of methods; the page's objects turn together
  run.json                classes, scores, convergence deltas, seconds, settings and versions
"""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, explain, models, view
from tfxai3d.cli import objects
from tfxai3d.cli.objects import Object
from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Shipped preset or a folder written by apps/train.py.")
flags.DEFINE_list(
    "methods",
    ["vanilla_gradient", "guided_backprop", "integrated_gradients"],
    "Names of methods, the columns of the panel; a wrong one lists them all.",
)
objects.define_flags(["airplane", "bathtub", "chair", "desk", "dresser", "table"])
flags.DEFINE_string(
    "target", None, "Class to explain, or two as desk-table: why the first rather than the second. By "
    "default --label or the shape's class, else the predicted class.",
)  # fmt: skip
flags.DEFINE_string("mistakes", None, "mistakes.csv of apps/evaluate.py, made with the same --data_dir.")
flags.DEFINE_integer("steps", 50, "Steps of integrated_gradients.", lower_bound=2)
flags.DEFINE_integer("shard_size", 256, "Examples a file, for a whole test split.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "The most examples the network sees at once.", lower_bound=1)
flags.DEFINE_integer("seed", 0, "Seed of the sampling of meshes and of the random methods.", lower_bound=0)
flags.DEFINE_bool("pictures", True, "Draw the panel as PNG and HTML.")
flags.DEFINE_enum("colormap", "magma_r", view.COLORMAPS, "Colours of the importance.")
flags.DEFINE_string("output_dir", "out/explain", "Folder of the results.")


def main(argv: list[str]) -> None:
    """Explains each object by each method."""
    output_dir = Path(FLAGS.output_dir)
    _check_flags()
    cli.load_tensorflow()
    model = models.from_preset(FLAGS.model)
    if FLAGS.data_dir and not FLAGS.label and not FLAGS.mistakes:
        _explain_split(output_dir, model)
        return
    found = _mistakes(model) if FLAGS.mistakes else objects.find_objects(model.data_kind)
    targets = [_target(item.label, model) for item in found]
    explainers = [_explainer(name, model) for name in FLAGS.methods]
    rows, records = [], []
    for number, (item, target) in enumerate(zip(found, targets, strict=True)):
        print(f"[{number + 1}/{len(found)}] {item.name}:", end=" ", flush=True)
        row, record = _explained(item, target, explainers)
        for explanation in row:
            explanation.save(output_dir / item.name / f"{explanation.method}.npz")
        rows.append(row)
        records.append(record)
    cli.write_report(__name__, output_dir, {"objects": records})
    names = [item.name for item in found]
    for name in ("panel.png", "panel.html"):  # of an earlier run into this folder
        (output_dir / name).unlink(missing_ok=True)
    if FLAGS.pictures:
        print(f"drawing {len(rows)} rows", flush=True)
        view.render_panel(output_dir / "panel.png", rows, names, FLAGS.colormap)
        view.write_panel(output_dir / "panel.html", rows, names, FLAGS.colormap)
    print(f"results in {output_dir}")


def _check_flags() -> None:
    """Checks what takes no TensorFlow."""
    cli.check_output_dir(FLAGS.output_dir)
    if FLAGS.pictures:
        cli.check_package("matplotlib", "view")
    if not FLAGS.methods:
        raise UserError("--methods= names no method; give one or more, such as vanilla_gradient")
    if len(set(FLAGS.methods)) < len(FLAGS.methods):
        raise UserError(f"--methods={','.join(FLAGS.methods)}: names a method twice")
    if FLAGS.mistakes and not FLAGS.data_dir:
        raise UserError("--mistakes needs --data_dir, the data set that apps/evaluate.py classified")


def _explain_split(output_dir: Path, model: keras.Model) -> None:
    """Explains the whole test split, a folder of files a method."""
    inputs, _, _ = objects.load_test_split(model.data_kind)
    target = _target(None, model)
    settings = {name: FLAGS[name].value for name in ("model", "data_dir", "target", "num_points", "seed")}
    settings["shard_size"] = FLAGS.shard_size
    for method in FLAGS.methods:
        explainer = _explainer(method, model)
        shards = (inputs[i : i + FLAGS.shard_size] for i in range(0, len(inputs), FLAGS.shard_size))
        batches = ((shard.astype(np.float32), target) for shard in shards)
        paths = explain.write_store(explainer, batches, output_dir / method, settings)
        total = -(-len(inputs) // FLAGS.shard_size)
        for _ in tqdm(paths, total=total, desc=method, unit="file", disable=None):
            pass
    cli.write_report(__name__, output_dir, {"objects": []})
    print(f"{len(inputs)} examples explained; results in {output_dir}")


def _explainer(name: str, model: keras.Model) -> explain.Explainer:
    options: dict[str, Any] = {"batch_size": FLAGS.batch_size}
    if name == "integrated_gradients":
        options["steps"] = FLAGS.steps
    if name in ("smooth_grad", "var_grad"):
        options["seed"] = FLAGS.seed
    return explain.get(name)(model, **options)


def _target(label: str | None, model: keras.Model) -> int | explain.Contrast | None:
    """Returns the class, or the pair of classes, to explain."""
    names = model.class_names or ()
    if not FLAGS.target or FLAGS.target in names:
        return objects.class_number(FLAGS.target or label, names)
    pairs = [
        (first, FLAGS.target[len(first) + 1 :]) for first in names if FLAGS.target.startswith(f"{first}-")
    ]
    for first, second in pairs:
        if second in names:
            return explain.Contrast(names.index(first), names.index(second))
    return objects.class_number(FLAGS.target, names, "--target: ")


def _explained(
    item: Object, target: int | explain.Contrast | None, explainers: list[explain.Explainer]
) -> tuple[list[explain.Explanation], dict[str, Any]]:
    """Returns an object's explanations, and their facts for the report; prints both as they come."""
    row: list[explain.Explanation] = []
    facts: dict[str, Any] = {}
    for explainer in explainers:
        began = time.perf_counter()
        explanation = explainer(item.inputs[None], target)
        facts[explainer.method] = _facts(explanation) | {"seconds": round(time.perf_counter() - began, 3)}
        if not row:
            print(_question(explanation), end=" ", flush=True)
        print(f"{explainer.method} {facts[explainer.method]['seconds']:.1f} s", end=" ", flush=True)
        row.append(explanation)
    print()
    first, name = row[0], row[0].class_name
    record: dict[str, Any] = {
        "object": item.name,
        "target": name(int(first.target[0])),
        "predicted": name(int(first.predicted[0])),
        "scores": {name(i): round(float(score), 4) for i, score in enumerate(first.scores[0])},
        "methods": facts,
    }
    if first.against is not None:
        record["against"] = name(int(first.against[0]))
    return row, record


def _question(explanation: explain.Explanation) -> str:
    name, target = explanation.class_name, int(explanation.target[0])
    predicted = int(explanation.predicted[0])
    said = f"why {name(target)!r}"
    if explanation.against is not None:
        said += f" rather than {name(int(explanation.against[0]))!r}"
    return f"{said}?" if target == predicted else f"{said}? (the network sees {name(predicted)!r})"


def _facts(explanation: explain.Explanation) -> dict[str, Any]:
    """Returns the delta of a path method and, for voxels, the share of the importance in empty space."""
    facts: dict[str, Any] = {"options": explanation.options}
    if explanation.convergence_delta is not None:
        facts["convergence_delta"] = float(explanation.convergence_delta[0])
        facts["sum_of_attributions"] = float(explanation.attributions.sum(dtype=np.float64))
    total = np.abs(explanation.importance).sum(dtype=np.float64)
    if explanation.kind == "voxels" and total:
        empty = explanation.inputs[..., 0] <= 0
        share = np.abs(explanation.importance[empty]).sum(dtype=np.float64) / total
        facts["importance_in_empty_space"] = round(float(share), 4)
    return facts


def _mistakes(model: keras.Model) -> list[Object]:
    """Returns the misclassified examples of --index, to be explained as what they were taken for."""
    lines, path = _mistake_lines(), FLAGS.mistakes
    numbers = objects.indices()
    if max(numbers) >= len(lines):
        raise UserError(f"--index={max(numbers)}: {path} lists {len(lines)} mistakes")
    inputs, labels, known = objects.load_test_split(model.data_kind)
    found = []
    for line in (lines[number] for number in numbers):
        index = int(line["index"])
        if index >= len(inputs) or known[labels[index]] != line["true"]:
            raise UserError(
                f"{path}: example {index} of {FLAGS.data_dir} is no {line['true']!r}; other data?"
            )
        name = f"{line['true']}_as_{line['predicted']}_{index}"
        found.append(Object(name, inputs[index].astype(np.float32), line["predicted"]))
    return objects.with_unique_names(found)


def _mistake_lines() -> list[dict[str, str]]:
    path = Path(FLAGS.mistakes)
    if not path.is_file():
        raise UserError(f"--mistakes={path}: no such file; apps/evaluate.py writes it")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.DictReader(file) if line["index"]]
        if all(line["index"].isdigit() and line["true"] and line["predicted"] for line in lines):
            return lines
    except (KeyError, ValueError, csv.Error):
        pass
    raise UserError(f"--mistakes={path}: not a list with index, true and predicted of apps/evaluate.py")


if __name__ == "__main__":
    cli.run(main)
