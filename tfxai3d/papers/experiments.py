"""All experiments by name, done one after the other, resumable."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tfxai3d.errors import check_choice
from tfxai3d.papers import gupta_figures, gupta_table, struhs
from tfxai3d.papers.finding import Finding
from tfxai3d.papers.setting import Setting
from tfxai3d.storage import AnyPath

EXPERIMENTS: dict[str, Callable[[Setting, Path], Finding]] = {
    "figure_1": gupta_figures.figure_1,
    "figure_2": gupta_figures.figure_2,
    "figure_3": gupta_figures.figure_3,
    "figure_4": gupta_figures.figure_4,
    "figure_5": gupta_figures.figure_5,
    "figure_6": gupta_figures.figure_6,
    "table_1": gupta_table.table_1,
    "dropping": struhs.dropping,
}
"""What is reproduced: each takes the setting and a folder for its pictures."""


def reproduce(
    setting: Setting, folder: AnyPath, names: Sequence[str] | None = None
) -> Iterator[tuple[str, Finding]]:
    """Does experiments, and yields each finding by its name.

    Args:
        setting: On what.
        folder: Has a folder for each experiment. What is there is not done again.
        names: Which of `EXPERIMENTS`; all by default.

    Raises:
        UserError: If a name is unknown or the data are not there.
    """
    chosen = list(EXPERIMENTS) if names is None else list(names)
    for name in chosen:
        check_choice("experiments", name, EXPERIMENTS)
    for name in chosen:
        own = Path(folder) / name
        path = own / "finding.json"
        if not path.exists():
            own.mkdir(parents=True, exist_ok=True)
            EXPERIMENTS[name](setting, own).save(path)
        yield name, Finding.load(path)
