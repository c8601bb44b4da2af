"""Shows why a network decided: several methods side by side, for point clouds and voxels.

Procedural objects and shipped networks, no data needed (figures 2 and 3 of the paper):

  python apps/explain.py --flagfile=apps/flags/explain.cfg
  python apps/explain.py --flagfile=apps/flags/explain_voxels.cfg
  python apps/explain.py --flagfile=apps/flags/explain_volume.cfg

Objects of your own, in any readable format, or a data set's test split by class:

  python apps/explain.py --input=bunny.ply,plane.off --up=z
  python apps/explain.py --data_dir=.../modelnet40_ply_hdf5_2048 --label=desk,table --index=0,1,2

LiDAR scans, in tiles of 20 metres or of a region, one point a voxel; every point gets its importance:

  python apps/explain.py --model=my.keras --input=scan.laz --up=z --features=intensity --tile_size=20
  python apps/explain.py ... --region=0,0,-5,50,50,10 --voxel_size=0.1 --num_points=8192

Scans of bodies, NIfTI, NRRD, MHA or the folder of a DICOM series, as slices; see docs/guides/volumes.md:

  python apps/explain.py --model=my.keras --data_kind=voxels --input=ct.nii.gz --resample --window=-200,300

Why a desk and not a table, why legs where it sees legs, and mistakes (figure 5) listed by apps/evaluate.py:

  python apps/explain.py --shape=desk --target=desk-table
  python apps/explain.py --model=pointnet_parts_shapes --shape=chair --target=chair/leg
  python apps/explain.py --data_dir=... --mistakes=out/evaluate/mistakes.csv --index=0,1,2,3

A whole test split, --shard_size examples a file; a run that was killed goes on where it was:

  python apps/explain.py --data_dir=.../modelnet40_ply_hdf5_2048 --methods=integrated_gradients

Writes to --output_dir:

  <object>/<method>.npz   the explanations (tfxai3d.explain.Explanation.load reads them)
  <object>/<method>.nii.gz  of a scan, NIfTI or another volume: the map in its own frame and, mostly, format
  <object>/<method>.las ...  of a cloud, its file again with the importance of every point, also PLY, PCD,
                          NPY and text; where the network saw a part, .png and .html of the whole
  <method>/00000.npz ...  those of a whole split (tfxai3d.explain.read_store reads them in order)
  panel.png, panel.html   rows of objects, columns of methods; the page's objects rotate together
  run.json                classes, scores, convergence deltas, seconds, settings and versions
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from tfxai3d import cli, evaluate, explain, view
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
_ROWS = 24  # of the panel, which a scan of many tiles would make endless
cli.define_flags(
    cli.OBJECTS | cli.PERTURBATION, cli.MODEL, model="pointnet_modelnet40",
    methods=["vanilla_gradient", "guided_backprop", "integrated_gradients"],
    shape=["airplane", "bathtub", "chair", "desk", "dresser", "table"], target=None, steps=50, composite=None,
    shard_size=256, batch_size=32, pictures=True, colormap=None, window=None, output_dir="out/explain",
)  # fmt: skip
flags.DEFINE_string("mistakes", None, "mistakes.csv of apps/evaluate.py, made with the same --data_dir.")


def main(argv: list[str]) -> None:
    """Explains each object by each method."""
    output_dir, window = cli.check_outputs(), cli.window()
    explain.check_methods(FLAGS.methods)
    if FLAGS.mistakes and not FLAGS.data_dir:
        raise UserError("--mistakes needs --data_dir, the data set that apps/evaluate.py classified")
    cli.load_tensorflow()
    net = cli.load_network()
    options = cli.given("batch_size", "steps", "seed", "composite", *cli.PERTURBATION)
    explainers = [cli.create_explainer(name, net, progress=True, **options) for name in FLAGS.methods]
    target = cli.named_target(net)
    if FLAGS.data_dir and not FLAGS.label and not FLAGS.mistakes:
        return _explain_split(output_dir, net, explainers, target)
    found = cli.find_mistakes(net) if FLAGS.mistakes else cli.find_objects(net)
    targets = [target] * len(found) if FLAGS.target else cli.class_numbers(found, net)
    rows, records = [], []
    for number, (item, target) in enumerate(zip(found, targets, strict=True), start=1):
        print(f"[{number}/{len(found)}] {item.name}:", end=" ", flush=True)
        row, record = _explained(item, target, explainers)
        cli.write_explanations(output_dir / item.name, item, row)
        rows.append(row)
        records.append(record)
    cli.write_report(__name__, output_dir, {"objects": records})
    cli.write_clouds(output_dir, found, rows)
    cli.remove_pictures(output_dir, "panel.png", "panel.html")
    if FLAGS.pictures:
        most = _ROWS if FLAGS.tile_size else len(rows)
        names, rows = [item.name for item in found][:most], rows[:most]
        print(f"drawing {len(rows)} of {len(found)} rows", flush=True)
        view.render_panel(output_dir / "panel.png", rows, names, FLAGS.colormap, window)
        view.write_panel(output_dir / "panel.html", rows, names, FLAGS.colormap, window)
    print(f"results in {output_dir}")


def _explain_split(
    output_dir: Path, net: explain.Network, explainers: list[explain.Explainer], target: Any
) -> None:
    """Explains the whole test split, a folder of files a method."""
    inputs = cli.open_split(net).inputs
    names = ("model", "data_dir", "target", "num_points", "seed", "shard_size")
    decisive = {name: FLAGS[name].value for name in names}
    starts = range(0, len(inputs), FLAGS.shard_size)
    for explainer in explainers:
        parts = (inputs[i : i + FLAGS.shard_size].astype(np.float32) for i in starts)
        shards = ((cli.fitted(part, net), target) for part in parts)
        paths = explain.write_store(explainer, shards, output_dir / explainer.method, decisive)
        for _ in tqdm(paths, total=len(starts), desc=explainer.method, unit="file", disable=None):
            pass
    cli.write_report(__name__, output_dir, {"objects": []})
    print(f"{len(inputs)} examples explained; results in {output_dir}")


def _explained(
    item: cli.Object, target: Any, explainers: list[explain.Explainer]
) -> tuple[list[explain.Explanation], dict[str, Any]]:
    """Returns an object's explanations, and their facts for the report; prints both as they come."""
    row: list[explain.Explanation] = []
    facts: dict[str, Any] = {}
    for explainer in explainers:
        began = time.perf_counter()
        explanation = cli.in_frame(item, explainer(item.inputs[None], target))
        seconds = round(time.perf_counter() - began, 3)
        facts[explainer.method] = evaluate.explanation_facts(explanation) | {"seconds": seconds}
        asked = "" if row else f"{cli.question(explanation)} "
        print(f"{asked}{explainer.method} {seconds:.1f} s", end=" ", flush=True)
        row.append(explanation)
    print()
    return row, {"object": item.name, **evaluate.decision_facts(row[0]), "methods": facts}


if __name__ == "__main__":
    cli.run(main)
