"""What a claim comes from and comes to: maps of importance, and tables of means with their intervals."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import keras
import numpy as np
from tqdm import tqdm

from tfxai3d import explain
from tfxai3d.evaluate.statistics import Interval
from tfxai3d.storage import markdown_table

POINT_METHODS = (
    "vanilla_gradient", "gradient_times_input", "guided_backprop", "deconvnet", "integrated_gradients",
    "smooth_grad", "grad_cam", "p_grad_cam", "critical_points", "point_saliency",
)  # fmt: skip
VOXEL_METHODS = ("vanilla_gradient", "gradient_times_input", "integrated_gradients")
FRACTION, RATIO, CORRELATION = "{:.1%}", "{:.2f}", "{:+.2f}"


@dataclasses.dataclass(frozen=True)
class Table:
    """Means over the examples, one row a method."""

    text: str  # what was measured, in Markdown
    rows_are: str  # heading of the first column, such as "method"
    columns: Mapping[str, str]  # the format of each further column's numbers, by its heading
    # The intervals by the name of the row, one a column; None where there is nothing to measure.
    rows: Mapping[str, Sequence[Interval | None]]

    def markdown(self) -> str:
        """Returns the text and the table in Markdown, each mean followed by its interval in brackets."""
        forms = self.columns.values()
        rows = [
            [name, *(_cell(interval, form) for interval, form in zip(row, forms, strict=True))]
            for name, row in self.rows.items()
        ]
        return f"{self.text}\n\n{markdown_table([self.rows_are, *self.columns], rows)}"


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim, and the tables that speak for it or against it."""

    title: str  # what is claimed about
    tables: tuple[Table, ...]  # what was measured

    def markdown(self, subject: str) -> str:
        """Returns a section in Markdown; its heading names the `subject`: which network, which examples."""
        return "\n\n".join([f"## {self.title}: {subject}", *(table.markdown() for table in self.tables)])


def _cell(interval: Interval | None, form: str) -> str:
    if interval is None:
        return "-"
    mean, low, high = (form.format(value) for value in interval)
    return mean if np.isnan(interval.low) else f"{mean} ({low} to {high})"  # a single example has no interval


def importance_maps(
    model: keras.Model,
    methods: Sequence[str] | None,
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    batch_size: int = 16,
    seed: int = 0,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each method's name and its importance of the true classes, (B,N) or (B,D,H,W).

    Args:
        model: Maps inputs to logits.
        methods: Names of `tfxai3d.explain`; None for those whose importance the papers speak of.
        inputs: Points (B,N,3) or voxels (B,D,H,W,1).
        labels: True classes, int (B,).
        batch_size: The most examples that the network sees at once.
        seed: Seed of the methods that draw at random.
    """
    for method in methods or (POINT_METHODS if inputs.ndim == 3 else VOXEL_METHODS):
        explainer = explain.create(method, model, batch_size=batch_size, seed=seed)
        parts = [slice(i, i + batch_size) for i in range(0, len(inputs), batch_size)]
        bar = tqdm(parts, desc=f"{model.name} {method}", unit="batch", disable=None)
        yield method, np.concatenate([explainer(inputs[part], labels[part]).importance for part in bar])
