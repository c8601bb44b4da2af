"""Reading the list of the examples that a network has misclassified."""

import csv
import dataclasses
import os
from pathlib import Path

from tfxai3d.errors import UserError


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A misclassified example."""

    index: int  # its number in its split
    true: str  # its class
    predicted: str  # the class that the network took it for


def read_mistakes(path: str | os.PathLike[str]) -> list[Mistake]:
    """Reads a CSV file with the columns index, true and predicted; further ones are passed over.

    Raises:
        UserError: If there is no such file or it holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the mistakes.csv of an evaluation")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.DictReader(file) if line["index"]]
        if all(line["index"].isdigit() and line["true"] and line["predicted"] for line in lines):
            return [Mistake(int(line["index"]), line["true"], line["predicted"]) for line in lines]
    except (KeyError, ValueError, csv.Error):
        pass
    raise UserError(f"{path}: not a list with index, true and predicted of each mistake")
