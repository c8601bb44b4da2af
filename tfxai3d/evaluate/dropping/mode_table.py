"""The record of a comparison of drop modes: every run of every object, in tables and files."""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.drop_table import DropRun
from tfxai3d.storage import markdown_table, write_csv

Row = dict[str, str]

#: The rows that Struhs published, for `ModeComparison.markdown`.
STRUHS = """\
| p-grad-CAM, published | | 638 | 17.7 | 115 | | |
| ASM, published | | 365 | 365.6 | 264 | | |

Published: Struhs 2020, 40 objects of 2,048 points, R = 500, unknown hardware.
"""
_HEAD = (
    "mode", "decision changed", "points removed", "iterations", "seconds", "random: decision changed",
    "points removed",
)  # fmt: skip


@dataclasses.dataclass
class ModeComparison:
    """What happened to each object, by mode."""

    # One row for each object and mode, and for its random control (`control` is "1").
    runs: list[Row] = dataclasses.field(default_factory=list)
    steps: list[Row] = dataclasses.field(default_factory=list)  # one row for each of their iterations

    def add(self, run: DropRun, number: int, class_name: str, mode: str, control: bool) -> None:
        """Adds the run of an object, or that of its random control."""
        which = {"object": str(number), "class": class_name, "mode": mode, "control": str(int(control))}
        found = {
            "removed": str(run.points_removed),
            "iterations": str(len(run.steps)),
            "seconds": f"{sum(step.seconds for step in run.steps):.3f}",
            "stopped_by": run.stopped_by,
            "confidence": f"{run.steps[-1].confidence:.4f}",
        }
        self.runs.append(which | found)
        for step in map(dataclasses.asdict, run.steps):
            self.steps.append(which | {name: _cell(value) for name, value in step.items()})

    def markdown(self, published: str = "") -> str:
        """Returns means over the objects in Markdown, each mode beside its control; `published` follows."""
        rows = []
        for mode in dict.fromkeys(row["mode"] for row in self.runs):
            of_mode = [row for row in self.runs if row["mode"] == mode]
            own, control = ([row for row in of_mode if row["control"] == number] for number in ("0", "1"))
            beside = _changed_and_removed(control) if control else ["-", "-"]
            means = [_mean(own, "iterations"), _mean(own, "seconds")]
            rows.append([f"`{mode}`", *_changed_and_removed(own), *means, *beside])
        return f"{markdown_table(_HEAD, rows)}\n{published}"

    def curves(self, mode: str) -> dict[str, dict[str, np.ndarray]]:
        """Returns iteration, points, accuracy, loss and seconds of each object's own run, by its name."""
        runs: dict[str, list[Row]] = {}
        for row in self.steps:
            if row["mode"] == mode and row["control"] == "0":
                runs.setdefault(f"{row['class']} {row['object']}", []).append(row)
        columns = ("iteration", "points", "accuracy", "loss", "seconds")
        return {
            name: {column: np.array([float(row[column]) for row in rows]) for column in columns}
            for name, rows in runs.items()
        }

    def save(self, folder: Path) -> None:
        """Writes steps.csv, then runs.csv: an object whose runs are there has its steps."""
        write_csv(folder / "steps.csv", self.steps)
        write_csv(folder / "runs.csv", self.runs)

    @classmethod
    def load(cls, folder: Path) -> "ModeComparison":
        """Reads what `save` wrote; nothing where it wrote nothing.

        Raises:
            UserError: If only one of the files is there, or one is damaged.
        """
        if not (folder / "runs.csv").exists():
            return cls()
        runs = _read(folder / "runs.csv", ("removed", "iterations", "seconds", "confidence"))
        steps = _read(folder / "steps.csv", ("iteration", "points", "accuracy", "loss", "seconds"))
        done = {row["object"] for row in runs}
        return cls(runs, [step for step in steps if step["object"] in done])


def mean_by_iteration(curves: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Returns the means of columns over the curves that are long enough, iteration by iteration."""
    place = np.concatenate([curve["iteration"] for curve in curves]).astype(int)
    return {
        name: np.bincount(place, np.concatenate([curve[name] for curve in curves])) / np.bincount(place)
        for name in curves[0]
    }


def _cell(value: float | int) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _changed_and_removed(rows: list[Row]) -> list[str]:
    changed = sum(row["stopped_by"] == "decision" for row in rows)
    return [f"{changed} of {len(rows)}", _mean(rows, "removed", digits=0)]


def _mean(rows: list[Row], column: str, digits: int = 1) -> str:
    return f"{np.mean([float(row[column]) for row in rows]):.{digits}f}"


def _read(path: Path, numbers: Sequence[str]) -> list[Row]:
    """Reads a table that names objects, and in whose other columns there are numbers."""
    if not path.exists():
        raise UserError(f"{path}: no such file; it belongs to the run in {path.parent}, give another folder")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        if not rows:
            raise ValueError("it is empty")
        for row in rows:
            if not all(row[name] for name in ("object", "class", "mode", "control")) or None in row:
                raise ValueError("a line is cut off")
            if not np.isfinite([float(row[name]) for name in numbers]).all():
                raise ValueError("a number is not finite")
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(f"{path}: not a table of this comparison; give another folder") from error
    return rows
