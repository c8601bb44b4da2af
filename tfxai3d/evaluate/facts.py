"""What a single explanation comes to, in a few numbers for a report."""

from typing import Any

import numpy as np

from tfxai3d.evaluate.geometry import importance_fraction
from tfxai3d.results.explanation import Explanation


def decision_facts(explanation: Explanation) -> dict[str, Any]:
    """Returns what an explanation of one example is about, JSON-compatible.

    That is `target`, `predicted`, `scores` by class, and for a contrast `against`.
    """
    name = explanation.class_name
    facts: dict[str, Any] = {
        "target": name(int(explanation.target[0])),
        "predicted": name(int(explanation.predicted[0])),
        "scores": {name(i): round(float(score), 4) for i, score in enumerate(explanation.scores[0])},
    }
    if explanation.against is not None:
        facts["against"] = name(int(explanation.against[0]))
    return facts


def explanation_facts(explanation: Explanation) -> dict[str, Any]:
    """Returns a method's options and checks on its answer for one example, JSON-compatible.

    That is `options`; of a path method `convergence_delta` and `sum_of_attributions`; of voxels
    `importance_in_empty_space`, the fraction of the importance there, if there is any importance.
    """
    facts: dict[str, Any] = {"options": explanation.options}
    if explanation.convergence_delta is not None:
        facts["convergence_delta"] = float(explanation.convergence_delta[0])
        facts["sum_of_attributions"] = float(explanation.attributions.sum(dtype=np.float64))
    if explanation.kind == "voxels":
        (fraction,) = importance_fraction(explanation.importance, explanation.inputs[..., 0] <= 0)
        if not np.isnan(fraction):
            facts["importance_in_empty_space"] = round(float(fraction), 4)
    return facts
