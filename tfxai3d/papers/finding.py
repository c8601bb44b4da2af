"""What came out of an experiment beside what was published, and its file."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfxai3d.errors import UserError
from tfxai3d.results.checks import check_text, check_texts
from tfxai3d.storage import file_name, write_json
from tfxai3d.view import Section

REPRODUCED = "reproduced"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One table or figure of a paper.

    Attributes:
        title: Which.
        published: What the paper says of it, or what its picture shows.
        ours: What came out here.
        verdict: "reproduced", or how it differs and why.
        head: Titles of the columns of a table, if there is one.
        rows: Its cells, as texts.
        pictures: Names of PNG files in the experiment's folder, each with what stands below it.
    """

    title: str
    published: str
    ours: str
    verdict: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    pictures: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Writes a JSON file, atomically."""
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Finding":
        """Reads a file written by `save`.

        Raises:
            UserError: If it is damaged.
        """
        try:
            facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            finding = cls(**facts)
            _check(finding)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"{path}: not a finding; remove it to have it found again") from error
        return finding

    def section(self, folder: Path) -> Section:
        """Returns its part of a report; the pictures lie in the folder."""
        texts = [f"Published: {self.published}", f"Here: {self.ours}", f"Verdict: {self.verdict}."]
        pictures = [(folder / name, caption) for name, caption in self.pictures.items()]
        return Section(self.title, texts, self.head, self.rows, pictures)


def _check(finding: Finding) -> None:
    """Raises a ValueError if a file says anything but texts, or shows what is not beside it."""
    for name in ("title", "published", "ours", "verdict"):
        check_text(name, getattr(finding, name))
    for row in (finding.head, *finding.rows):
        check_texts("cells", row, len(finding.head) or None)
    for name, caption in finding.pictures.items():
        check_text("caption", caption)
        if name != file_name(name):
            raise ValueError(f"its picture {name!r} is not in its folder")
