"""A drop experiment: several ways to choose points, on the same clouds (after Zheng et al., ICCV 2019)."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from tfxai3d import explain
from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError
from tfxai3d.evaluate.dropping.forward import Forward, least_points
from tfxai3d.evaluate.dropping.importance import Fixed, Importance, Recomputed, random_importance
from tfxai3d.evaluate.dropping.loop import drop_clouds
from tfxai3d.evaluate.dropping.modes import Order, by_count
from tfxai3d.explain.engine.network import network
from tfxai3d.results.drop_table import DropTable
from tfxai3d.storage import AnyPath, file_name, run_folder

Rater = Callable[[np.ndarray, np.ndarray, int], Importance]
"""Makes the importance of a batch from its clouds (B,N,3), its labels (B,) and the first cloud's number."""

_FIXED_STEP = 50  # points a step where the order is fixed: the same points go, in fewer forward passes


class Condition(NamedTuple):
    """One way to choose points."""

    method: str  # a name of `tfxai3d.explain`, or "random"
    order: Order  # which points go first, those of the "highest" or those of the "lowest" importance

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Reads "method" or "method:order", such as "point_saliency:lowest"; a UserError if it is neither."""
        method, _, order = text.partition(":")
        if method != "random":
            explain.get(method)
        if order not in ("", "highest", "lowest"):
            raise UserError(f"condition {text!r}: after the colon say highest or lowest")
        return cls(method, "lowest" if order == "lowest" else "highest")

    def rater(
        self, model: Any, options: Mapping[str, Any], *, recompute: bool, batch_size: int, seed: int
    ) -> Rater:
        """Returns what makes the importance of a batch of clouds.

        Args:
            model: Maps points (B,N,3) to logits.
            options: Options of methods, by name; those that this method takes are used.
            recompute: Whether the importance is computed anew in each step, not once for the whole cloud.
            batch_size: The most clouds that the network sees at once.
            seed: Seed of the random orders.
        """
        if self.method == "random":
            forward = Forward(model, batch_size)
            return lambda clouds, _, first: Fixed(random_importance(map(len, clouds), seed, first), forward)
        source = Recomputed(explain.create(self.method, model, batch_size=batch_size, **options))
        if recompute:
            return lambda clouds, labels, first: source
        return lambda clouds, labels, first: Fixed.once(source, clouds, labels)

    def schedule(self, num_drop: int, num_steps: int, recompute: bool) -> tuple[int, int]:
        """Returns points a step and steps; where the order is fixed, fewer steps drop the same points."""
        total = num_drop * num_steps
        if (self.method == "random" or not recompute) and total % _FIXED_STEP == 0:
            return _FIXED_STEP, total // _FIXED_STEP
        return num_drop, num_steps


def drop_curves(
    model: Any,
    points: np.ndarray,
    labels: np.ndarray,
    conditions: Iterable[str],
    *,
    num_drop: int = 5,
    num_steps: int = 40,
    recompute: bool = True,
    options: Mapping[str, Any] | None = None,
    batch_size: int = 32,
    seed: int = 0,
    folder: AnyPath | None = None,
    settings: Mapping[str, Any] | None = None,
    shared: bool = False,
) -> dict[str, DropTable]:
    """Drops points of clouds by each condition, and records what the network says in each step.

    Args:
        model: Maps points (B,N,3) to logits.
        points: Clouds (M,N,3).
        labels: True classes, int (M,).
        conditions: What is compared: methods of `tfxai3d.explain` or "random", with ":lowest" after the name
            where the least important points go first.
        num_drop: Points dropped in a step.
        num_steps: Steps; a cloud keeps at least as many points as `least_points` finds.
        recompute: Compute the importance anew in each step, not once.
        options: Options of the methods, by name, such as `power`; see `explain.create`.
        batch_size: Clouds at once.
        seed: Seed of the random orders.
        folder: Keeps the table of each condition, `<condition>.h5`, after each batch, and the settings:
            called again, the experiment goes on where it was stopped.
        settings: What else decides the results, such as the names of model and data.
        shared: Whether other processes do other conditions in the same folder.

    Returns:
        The tables by condition.

    Raises:
        UserError: If a condition is unknown, the folder holds an experiment with other settings, or as
            `drop_clouds`.
    """
    options = options or {}
    parsed = {text: Condition.parse(text) for text in conditions}
    raters = {
        text: condition.rater(model, options, recompute=recompute, batch_size=batch_size, seed=seed)
        for text, condition in parsed.items()
    }
    own = {"num_drop": num_drop, "num_steps": num_steps, "recompute": recompute, "seed": seed}
    least = least_points(network(model), points[0]) if len(points) else MIN_POINTS
    tables = {}
    with run_folder(folder, {**(settings or {}), **own, **options, "clouds": len(points)}, "*.h5", shared):
        for text, condition in parsed.items():
            path = Path(folder, f"{file_name(text)}.h5") if folder is not None else None
            table = DropTable.load(path) if path and path.exists() else DropTable()
            count, steps = condition.schedule(num_drop, num_steps, recompute)
            rule = by_count(count, condition.order, least)
            with tqdm(total=len(points), initial=len(table), desc=text, disable=None) as progress:
                while len(table) < len(points):
                    some = slice(len(table), len(table) + batch_size)
                    rated = raters[text](points[some], labels[some], len(table))
                    *_, runs = drop_clouds(
                        rated, points[some], labels[some], rule, steps=steps, min_points=least
                    )
                    table = table.extended(runs, labels[some])
                    if path:
                        table.save(path)
                    progress.update(len(runs))
            tables[text] = table
    return tables


def insertion_curves(tables: Mapping[str, DropTable]) -> dict[str, dict[str, np.ndarray]]:
    """Returns the insertion curves of the ":lowest" conditions that went on to the last points, by method."""
    lowest = {name: table for name, table in tables.items() if name.endswith(":lowest")}
    done = {name: table for name, table in lowest.items() if table.by_step()["points"][-1] == MIN_POINTS}
    return {name.removesuffix(":lowest"): table.insertion() for name, table in done.items()}
