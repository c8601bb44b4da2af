"""What a claim comes to: tables of means with their intervals."""

import dataclasses
from collections.abc import Mapping, Sequence

from tfxai3d.evaluate.statistics import Interval
from tfxai3d.storage import markdown_table

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
    return f"{mean} ({low} to {high})"
