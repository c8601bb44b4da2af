"""What an app prints of its results, and the files in which it leaves them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from tfxai3d import results, storage
from tfxai3d.storage import AnyPath


def print_row(cells: Iterable[object]) -> None:
    """Prints a row of a table, columns of one width, numbers with three decimals."""
    texts = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)
    print(" ".join(f"{text:>11}" for text in texts), flush=True)


def print_facts(report: Mapping[str, Any]) -> None:
    """Prints an evaluation, a line a fact; numbers by name are fractions, records are confused pairs."""
    for name, value in report.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {fraction:.1%}" for key, fraction in value.items())
        elif name == "confused":
            pairs = (tuple(pair.values()) for pair in value)
            value = ", ".join(f"{true} as {predicted} ({count})" for true, predicted, count in pairs)
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "none"
        print(f"{name.replace('_', ' '):>26}  {value}")


def print_steps(runs: Iterable[results.DropRun], explanation: results.Explanation) -> results.DropRun:
    """Prints a row an iteration of a run that goes on, and returns it at its end."""
    print_row(results.DropStep.COLUMNS)
    for run in runs:
        print_row(run.steps[-1].record(explanation.class_name).values())
    return run


def question(explanation: results.Explanation) -> str:
    """Returns what an explanation of one example answers, as it is printed before the answer."""
    name, target = explanation.class_name, int(explanation.target[0])
    predicted = int(explanation.predicted[0])
    said = f"why {name(target)!r}"
    if explanation.against is not None:
        said += f" rather than {name(int(explanation.against[0]))!r}"
    return f"{said}?" if target == predicted else f"{said}? (the network sees {name(predicted)!r})"


def changed_flags(app_name: str) -> list[str]:
    """Returns the flags of an app, by its `__name__`, that differ from their defaults, as command-line words.

    Folders are left out.
    """
    own = (flag for flag in flags.FLAGS.get_flags_for_module(app_name) if not flag.name.endswith("_dir"))
    return [flag.serialize() for flag in own if flag.value != flag.default and flag.value is not None]


def write_report(app_name: str, folder: AnyPath, facts: Mapping[str, Any]) -> None:
    """Writes what a run found to run.json, with the flags of an app, given by its `__name__`, as settings."""
    own = flags.FLAGS.get_flags_for_module(app_name)
    storage.write_run(folder, {flag.name: flag.value for flag in own}, **facts)


def write_drop_run(
    app_name: str, folder: Path, name: str, explanation: results.Explanation, run: results.DropRun
) -> None:
    """Writes explanation.npz, of the whole object, iterations.csv and run.json of its loss of points."""
    explanation.save(folder / "explanation.npz")
    storage.write_csv(folder / "iterations.csv", [step.record(explanation.class_name) for step in run.steps])
    report = {
        "object": name,
        "target": explanation.class_name(int(explanation.target[0])),
        "predicted": explanation.class_name(int(explanation.predicted[0])),
        "points": len(run.dropped_at),
        "points_removed": run.points_removed,
        "iterations": len(run.steps),
        "stopped_by": run.stopped_by,
        "dropped_at": run.dropped_at.tolist(),
    }
    write_report(app_name, folder, report)


def remove_pictures(folder: Path, *names: str) -> None:
    """Removes pictures of an earlier run into this folder, so that none stays beside other results."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
