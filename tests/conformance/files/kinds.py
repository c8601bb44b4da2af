"""The files of results and presets that the product writes and reads again: a good one of each kind."""

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.errors import UserError


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        file: Its path in the folder that `read` takes.
        write: Writes a good one into a folder.
        read: Reads it from the folder.
        key: Of NPZ files, an array of numbers in it.
    """

    file: str
    write: Callable[[Path], Any]
    read: Callable[[Path], Any]
    key: str = ""


def _explanation():
    from tfxai3d.results import Explanation

    points = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    return Explanation(
        inputs=points,
        attributions=points,
        importance=points.sum(axis=-1),
        target=np.array([1, 0]),
        scores=np.float32([[1, 3], [2, 1]]),
        method="vanilla_gradient",
        options={},
        class_names=("chair", "<b>=1+1"),
        convergence_delta=np.zeros(2),
        against=np.array([0, 1]),
        affine=np.tile(np.eye(4), (2, 1, 1)),
    )


def _read_explanation(folder):
    from tfxai3d.results import Explanation

    return Explanation.load(folder / "e.npz")


def _visualization():
    from tfxai3d.results import Visualization

    points = np.zeros((2, 9, 3), np.float32)
    heights = np.ones(2, np.float32)
    names = ("unit 1", "unit 2")
    return Visualization(points, points[..., 0], heights, np.arange(2), names, "patterns", {}, "points")


def _read_visualization(folder):
    from tfxai3d.results import Visualization

    return Visualization.load(folder / "v.npz")


def _write_contest(folder):
    from tfxai3d.evaluate.league.contest import Entry, _write

    scores = {"deletion": np.zeros(3), "gini": np.ones(3)}
    _write(folder / "a.scores.npz", Entry("a", scores, np.ones((3, 9), np.float32), 0.5, 1.5))


def _read_contest(folder):
    from tfxai3d.evaluate.league.contest import read_contest

    return read_contest(folder)


def _small(compiled=False):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    if compiled:
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
    return model


def _write_sparse(folder):
    from tfxai3d import pruning

    pruning.save_sparse(folder / "w.npz", _small())


def _read_sparse(folder):
    from tfxai3d import pruning

    pruning.load_sparse(folder / "w.npz", _small())


def _write_checkpoint(folder):
    from tfxai3d.training.checkpoint import save_checkpoint

    save_checkpoint(folder, 1, _small(compiled=True), {"history": []})


def _read_checkpoint(folder):
    """A damaged checkpoint is passed over with a warning; this is its only one."""
    from tfxai3d.training.checkpoint import restore_checkpoint

    said = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    logging.getLogger().addHandler(handler)
    try:
        if restore_checkpoint(folder, _small(compiled=True)) is None:
            raise UserError(said[-1])
    finally:
        logging.getLogger().removeHandler(handler)


def _write_preset(folder):
    from tfxai3d import models

    models.save_preset(models.PointNet(2, "basic", class_names=("a", "b")), folder, {"seed": 1})


def _read_preset(folder):
    from tfxai3d import models

    models.from_preset(folder)
    models.model_card(folder)


def _write_run(folder):
    from tfxai3d.storage import write_run

    write_run(folder, {"seed": 1}, files=0)


def _read_run(folder):
    from tfxai3d.explain import read_store
    from tfxai3d.storage import read_run

    read_run(folder)
    return list(read_store(folder))


def _write_finding(folder):
    from tfxai3d.papers.finding import Finding

    texts = ("Figure 1", "this", "that", "reproduced")
    Finding(*texts, ("a", "b"), (("1", "2"),), {"heat.png": "a chair"}).save(folder / "finding.json")


def _read_finding(folder):
    from tfxai3d.papers.finding import Finding

    return Finding.load(folder / "finding.json")


def _table():
    from tfxai3d.results.drop_table import DropRun, DropStep, DropTable

    steps = [DropStep(i, 9 - i, 1, 0.5, 1.0, 0.25, 1, 0.5) for i in range(3)]
    runs = [DropRun(steps, np.array([0, 1, -1])), DropRun(steps[:2], np.array([0]))]
    return DropTable().extended(runs, [1, 0])


def _read_table(folder):
    from tfxai3d.results.drop_table import DropTable

    return DropTable.load(folder / "t.h5")


def _write_comparison(folder):
    from tfxai3d.evaluate.dropping.mode_table import ModeComparison
    from tfxai3d.results.drop_table import DropRun, DropStep

    comparison = ModeComparison()
    comparison.add(DropRun([DropStep(0, 9, 1, 0.5, 1.0, 0.25, 1, 0.5)], np.array([0])), 0, "=x", "asm", False)
    comparison.save(folder)


def _read_comparison(folder):
    from tfxai3d.evaluate.dropping.mode_table import ModeComparison

    return ModeComparison.load(folder)


def _write_mistakes(folder):
    text = "index,true,predicted\n3,chair,table\n"
    (folder / "mistakes.csv").write_text(text, encoding="utf-8")


def _read_mistakes(folder):
    from tfxai3d.evaluate.report import read_mistakes

    return read_mistakes(folder / "mistakes.csv")


def _write_listing(folder):
    (folder / "a.xyz").write_text("0 0 0\n", encoding="utf-8")
    (folder / "list.csv").write_text("path,label,split\na.xyz,chair,test\n", encoding="utf-8")


def _read_listing(folder):
    from tfxai3d.data.datasets.listing import list_table

    return list_table(folder / "list.csv")


NPZ = {
    "explanation": Kind(
        "e.npz", lambda f: _explanation().save(f / "e.npz"), _read_explanation, "attributions"
    ),
    "visualization": Kind(
        "v.npz", lambda f: _visualization().save(f / "v.npz"), _read_visualization, "importance"
    ),
    "contest": Kind("a.scores.npz", _write_contest, _read_contest, "importance"),
    "sparse weights": Kind("w.npz", _write_sparse, _read_sparse, "0000"),
    "checkpoint": Kind("epoch-0001.npz", _write_checkpoint, _read_checkpoint, "0000"),
    "preset": Kind("weights.npz", _write_preset, _read_preset, "mlp1_0/kernel"),
}
JSON = {
    "run": Kind("run.json", _write_run, _read_run),
    "finding": Kind("finding.json", _write_finding, _read_finding),
    "preset": Kind("config.json", _write_preset, _read_preset),
    "card": Kind("card.json", _write_preset, _read_preset),
}
CSV = {
    "comparison": Kind("runs.csv", _write_comparison, _read_comparison),
    "steps of a comparison": Kind("steps.csv", _write_comparison, _read_comparison),
    "mistakes": Kind("mistakes.csv", _write_mistakes, _read_mistakes),
    "listing": Kind("list.csv", _write_listing, _read_listing),
}
TABLE = Kind("t.h5", lambda f: _table().save(f / "t.h5"), _read_table)


def edited(path: Path, **changes: Any) -> None:
    """Changes some entries of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")
