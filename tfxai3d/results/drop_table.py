"""What happened while points were dropped: steps, runs, and every run of an experiment in one table."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np

from tfxai3d.errors import UserError, reason_of
from tfxai3d.results.checks import check_array
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.storage.hdf5 import read_datasets


@dataclasses.dataclass(frozen=True)
class DropStep:
    """One iteration. Accuracy and loss are those of rotated copies, without a rotation test of the cloud."""

    COLUMNS: ClassVar[tuple[str, ...]]

    iteration: int  # its number, from 0
    points: int  # points left
    predicted: int  # class of the unrotated cloud
    confidence: float  # probability of the true class for the unrotated cloud
    accuracy: float  # fraction that is classified right
    loss: float  # mean cross entropy
    dropped: int  # points dropped after this test
    seconds: float  # duration; where several clouds go together, the cloud's part

    def record(self, class_name: Callable[[int], str]) -> dict[str, object]:
        """Returns the values by column, the predicted class by its name."""
        return dataclasses.asdict(self) | {"predicted": class_name(self.predicted)}


DropStep.COLUMNS = tuple(field.name for field in dataclasses.fields(DropStep))


@dataclasses.dataclass
class DropRun:
    """A finished or running sequence of drops."""

    steps: list[DropStep]  # one an iteration
    dropped_at: np.ndarray  # the iteration in which each point of the whole cloud went, -1 if it stays, (N,)
    # "decision" (the class was lost), "wrong from the start" (it was before anything was dropped), "number of
    # steps", "nothing left to drop" or "minimum of points"; empty while the run goes on.
    stopped_by: str = ""

    @property
    def counts(self) -> list[int]:
        """Points dropped in each iteration that dropped any."""
        return [step.dropped for step in self.steps if step.dropped]

    @property
    def points_removed(self) -> int:
        """Points dropped in all."""
        return int(np.sum(self.dropped_at >= 0))


_STEP = [(field.name, "i4" if field.type is int else "f4") for field in dataclasses.fields(DropStep)]
_ROW = np.dtype([("cloud", "i4"), ("label", "i4"), *_STEP])
_MEANS = ("points", "accuracy", "loss", "confidence")


@dataclasses.dataclass(frozen=True)
class DropTable:
    """Steps of many drop runs, one row a cloud and iteration.

    The columns of `rows` are those of `DropStep`, the cloud's number and its true class.
    """

    rows: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0, _ROW))
    dropped_at: tuple[np.ndarray, ...] = ()  # that of each cloud, see `DropRun`

    def __len__(self) -> int:
        return len(self.dropped_at)

    def extended(self, runs: Sequence[DropRun], labels: Sequence[int] | np.ndarray) -> "DropTable":
        """Returns the table with more clouds, numbered on from the last."""
        pairs = enumerate(zip(runs, labels, strict=True), start=len(self))
        rows = [
            (i, int(label), *dataclasses.astuple(step)) for i, (run, label) in pairs for step in run.steps
        ]
        dropped_at = (*self.dropped_at, *(run.dropped_at for run in runs))
        return DropTable(np.concatenate([self.rows, np.array(rows, _ROW)]), dropped_at)

    def by_step(self) -> dict[str, np.ndarray]:
        """Returns means over the clouds by iteration, arrays (S,), as `by_step_and_class` sums them up."""
        rows = self.by_step_and_class(())
        return {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "class"}

    def by_step_and_class(self, class_names: Sequence[str]) -> list[dict[str, Any]]:
        """Returns one row an iteration and class, after a row for all classes together.

        A row has iteration, class, clouds, mean points, accuracy, loss and confidence, and the sum of the
        seconds. A cloud that is done is no longer counted, so `clouds` falls where runs differ in length.
        Classes without clouds have no rows.
        """
        groups = [("all", np.ones(len(self.rows), bool))]
        groups += [(name, self.rows["label"] == label) for label, name in enumerate(class_names)]
        some = [(name, self.rows[member]) for name, member in groups if member.any()]
        return [row for name, rows in some for row in _by_iteration(name, rows)]

    def insertion(self) -> dict[str, np.ndarray]:
        """Returns `by_step` read backwards: from the fewest points of each cloud to all of them.

        Insertion is the mirror image of deletion, with the same clouds on the way. A lowest-first run down
        to the last points thus inserts the most important points first. The column `points_inserted` counts
        from the points that the run left over.
        """
        backwards = self.rows.copy()
        last = np.bincount(self.rows["cloud"]) - 1
        backwards["iteration"] = last[self.rows["cloud"]] - self.rows["iteration"]
        means = dataclasses.replace(self, rows=backwards).by_step()
        return means | {"points_inserted": means["points"] - means["points"][0]}

    def area(self, column: str = "accuracy") -> float:
        """Returns the area under the curve of a column against the points removed, the mean over the clouds.

        By the trapezoid rule, divided by the points that the cloud lost: the mean height of its curve, so
        that clouds of different sizes count alike. Of a highest-first run this is the deletion area, low
        where the importance is right; of a lowest-first run down to the last points it is the insertion
        area, high where the importance is right. NaN where no cloud lost a point.
        """
        values, cloud = self.rows[column].astype(float), self.rows["cloud"]
        same = cloud[1:] == cloud[:-1]
        width = np.where(same, -np.diff(self.rows["points"].astype(float)), 0)
        height = (values[1:] + values[:-1]) / 2
        lost = np.bincount(cloud[1:], width)
        areas = np.bincount(cloud[1:], width * height)[lost > 0] / lost[lost > 0]
        return float(areas.mean()) if len(areas) else float("nan")

    def save(self, path: AnyPath) -> None:
        """Writes an HDF5 file, atomically: `steps` is the table, `dropped_at` is cut by `sizes`."""
        sizes = np.array([len(array) for array in self.dropped_at], np.int32)
        with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file["steps"] = self.rows
            file["sizes"] = sizes
            joined = np.concatenate(self.dropped_at) if len(self) else np.empty(0)
            file["dropped_at"] = joined.astype(np.int32)

    @classmethod
    def load(cls, path: AnyPath) -> "DropTable":
        """Reads a file written by `save`.

        Raises:
            UserError: If the file is missing or is no such table.
        """
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file")
        try:
            rows, sizes, joined = read_datasets(path, ("steps", "sizes", "dropped_at")).values()
            _check(rows, sizes, joined)
        except (OSError, KeyError, ValueError, TypeError) as error:
            reason = reason_of(error)
            raise UserError(f"{path}: not a drop table written by DropTable.save ({reason})") from error
        return cls(rows.astype(_ROW), tuple(np.split(joined, np.cumsum(sizes)[:-1])) if len(sizes) else ())


def _check(rows: np.ndarray, sizes: np.ndarray, joined: np.ndarray) -> None:
    """Raises a ValueError if the arrays of a file are no table, or not of the same clouds."""
    columns = rows.dtype.names or ()
    if rows.ndim != 1 or columns != _ROW.names:
        raise ValueError(f"its steps have the columns {columns}")
    for name in columns:
        check_array(name, rows[name], "f" if _ROW[name].kind == "f" else "iu", (len(rows),))
    check_array("sizes", sizes, "iu", (None,))
    check_array("dropped_at", joined, "iu", (None,))
    if (sizes < 0).any() or sizes.sum(dtype=object) != len(joined):
        raise ValueError(f"its sizes are not those of {len(joined)} points")
    first = np.flatnonzero(np.diff(rows["cloud"], prepend=-1))
    runs = np.arange(len(rows)) - np.repeat(first, np.diff(first, append=len(rows)))
    if rows["cloud"][first].tolist() != list(range(len(sizes))) or (rows["iteration"] != runs).any():
        raise ValueError(f"its rows are not the steps of {len(sizes)} clouds")


def _by_iteration(name: str, rows: np.ndarray) -> list[dict[str, Any]]:
    """Sums rows up by iteration."""
    place, clouds = rows["iteration"], np.bincount(rows["iteration"])
    sums = {column: np.bincount(place, rows[column].astype(float)) for column in (*_MEANS, "seconds")}
    return [
        {
            "iteration": iteration,
            "class": name,
            "clouds": int(count),
            **{column: float(sums[column][iteration] / count) for column in _MEANS},
            "seconds": float(sums["seconds"][iteration]),
        }
        for iteration, count in enumerate(clouds)
        if count
    ]
