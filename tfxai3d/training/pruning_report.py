"""What pruning leaves: accuracies and weights at every step, by layer, and the smaller dense model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfxai3d import data, pruning
from tfxai3d.storage.settings import read_run, write_facts
from tfxai3d.storage.tables import write_csv
from tfxai3d.storage.writing import atomic_path
from tfxai3d.training.recipe import Answers, Classify, sized

Row = dict[str, Any]


class Table:
    """The rows of the result, kept in the run.json of a folder, and in `table.csv`.

    Those that are known from an interrupted run are not measured again.
    """

    def __init__(
        self,
        folder: Path,
        test: data.Split,
        classify: Classify,
        exclude: Sequence[str] | None,
        dense: Callable[[keras.Model], keras.Model],
    ):
        """Begins with what is there; `dense` takes the channels that were cut from a model, if any were."""
        self.folder, self.test, self.classify = folder, test, classify
        self.exclude, self.dense = exclude, dense
        self.rows: list[Row] = read_run(folder).get("table", [])

    def add(self, name: str, model: keras.Model) -> None:
        """Measures a model, unless an interrupted run did."""
        if all(row["model"] != name for row in self.rows):
            self.measure(name, model)

    def measure(self, name: str, model: keras.Model) -> tuple[Answers, Row]:
        """Measures a model; returns its answers and its row."""
        answers = self.classify(model, sized(self.test.inputs, model), self.test.labels)
        counts = pruning.kernel_sparsity(self.dense(model), exclude=self.exclude)
        if self.rows:  # a fraction of the original, also where channels are gone
            counts["total"] = self.rows[0]["parameters"]
        row = {"model": name, "parameters": counts["total"]} | _left(counts)
        row["accuracy"] = round(answers.overall_accuracy, 4)
        self.rows = [*(other for other in self.rows if other["model"] != name), row]
        write_facts(self.folder, table=self.rows)
        write_csv(self.folder / "table.csv", self.rows)
        print("{model}: {density:.2%} of the weights, accuracy {accuracy:.2%}".format(**row), flush=True)
        return answers, row


def layers_left(
    original: keras.Model, once: keras.Model, model: keras.Model, exclude: Sequence[str] | None = None
) -> list[Row]:
    """Returns the weights of each layer, and those left of them, cut at once and after training."""
    first, before, after = (
        pruning.kernel_sparsity(m, exclude=exclude)["layers"] for m in (original, once, model)
    )
    return [
        {"layer": path, "weights": counts["total"], "left_at_once": before[path]["left"]}
        | _left({"total": counts["total"], "left": after[path]["left"]})
        for path, counts in first.items()
    ]


def _left(counts: Row) -> Row:
    return {"left": counts["left"], "density": round(counts["left"] / counts["total"], 6)}


def write_small(model: keras.Model, inputs: np.ndarray, output_dir: Path) -> None:
    """Saves a model without its useless channels, if it has any, and says how far the outputs are off."""
    small = pruning.remove_dead_channels(model)
    before, after = model.count_params(), small.count_params()
    if after == before:
        return
    expected = model.predict(inputs, verbose=0)
    difference = np.abs(small.predict(inputs, verbose=0) - expected).max()
    path = output_dir / "small.keras"
    with atomic_path(path) as temporary:
        small.save(temporary)
    apart = f"outputs differ by {difference:.1e} of up to {np.abs(expected).max():.1f}"
    print(f"{path}: {after:,} of {before:,} parameters; {apart}")
