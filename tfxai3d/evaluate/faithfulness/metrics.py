"""The metrics by name: what each is of, and which way is better."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tfxai3d.errors import UserError, check_choice
from tfxai3d.evaluate.faithfulness import complexity, curves, localisation, randomisation, robustness, subsets
from tfxai3d.evaluate.faithfulness.subject import Rated, Subject

Group = Literal["faithfulness", "robustness", "randomisation", "complexity", "localisation", "zeroing"]
UNCOUNTED: Group = "zeroing"
"""What is measured to be compared alone, and counts for no place: a point at the origin is still a point."""
REPEATED: tuple[Group, ...] = ("robustness", "randomisation", UNCOUNTED)
"""The groups that explain an example again and again, or double the passes: contests can give them fewer."""


class Metric(NamedTuple):
    """One way to judge a method."""

    group: Group  # what it is of
    better: Literal["higher", "lower"]
    measure: Callable[[Rated], np.ndarray]  # a number an example, (B,)
    points_only: bool = False  # whether it says nothing of voxels


METRICS: dict[str, Metric] = {
    "deletion": Metric("faithfulness", "lower", curves.deletion),
    "insertion": Metric("faithfulness", "higher", curves.insertion),
    "area_between": Metric("faithfulness", "higher", curves.area_between),
    "flip": Metric("faithfulness", "lower", curves.flip),
    "half": Metric("faithfulness", "lower", curves.half),
    "sensitivity_n": Metric("faithfulness", "higher", subsets.sensitivity_n),
    "infidelity": Metric("faithfulness", "lower", subsets.infidelity),
    "max_sensitivity": Metric("robustness", "lower", robustness.max_sensitivity),
    "resampling": Metric("robustness", "higher", robustness.resampling, points_only=True),
    "rotation": Metric("robustness", "higher", robustness.rotation),
    "parameters": Metric("randomisation", "lower", randomisation.parameters),
    "other_class": Metric("randomisation", "lower", randomisation.other_class),
    "gini": Metric("complexity", "higher", complexity.gini),
    "entropy": Metric("complexity", "lower", complexity.entropy),
    "mass": Metric("localisation", "higher", localisation.mass),
    "ranking": Metric("localisation", "higher", localisation.ranking),
    "area_zeroed": Metric(UNCOUNTED, "higher", curves.area_zeroed, points_only=True),
}
"""All metrics; their functions say how each is defined, and by whom."""


def check_metrics(names: list[str]) -> None:
    """Raises a UserError if there is no metric, or one is unknown."""
    if not names:
        raise UserError("metrics= names no metric; give one or more, such as area_between")
    for name in names:
        check_choice("metrics", name, tuple(METRICS))


def metrics_of(subject: Subject) -> list[str]:
    """Returns the names of the metrics that say something of a subject."""
    return [
        name
        for name, metric in METRICS.items()
        if (metric.group == "localisation") == (subject.truth is not None)
        and not (metric.points_only and subject.network.kind == "voxels")
    ]
