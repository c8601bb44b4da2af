"""Who takes part: the methods of `tfxai3d.explain`, their magnitudes, chance and the limit."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.metrics import METRICS
from tfxai3d.evaluate.faithfulness.subject import Rater
from tfxai3d.evaluate.league.greedy import greedy_importance
from tfxai3d.evaluate.league.plan import Plan
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.perturbation import Perturbation

MAGNITUDE = ":magnitude"
CHANCE = "random"
GREEDY = "greedy"
CONTROLS = (CHANCE, GREEDY)
"""What takes part that is no method."""
_CURVES = ("deletion", "insertion", "area_between", "flip", "half")


@dataclasses.dataclass(frozen=True)
class Entrant:
    """What rates examples, and how it can be measured.

    Attributes:
        rate: Maps examples and classes to the importance.
        metrics: The names of all metrics that say something of it.
        dear: Whether it asks for hundreds of forward passes.
        most: The most examples that it rates; None for any number.
        explains: Whether its seconds are those of an explanation.
    """

    rate: Rater
    metrics: tuple[str, ...] = tuple(METRICS)
    dear: bool = False
    most: int | None = None
    explains: bool = True

    def __call__(self, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the importance of examples."""
        return self.rate(inputs, labels)

    def counts(self, metrics: Sequence[str], total: int, plan: Plan) -> dict[str, int]:
        """Returns how many of a contest's examples measure it, by those of the metrics that it can have.

        Raises:
            UserError: If it can have none of them.
        """
        total = min(total, self.most or total)
        found = {name: plan.examples(name, total, self.dear) for name in metrics if name in self.metrics}
        if not found:
            raise UserError(f"metrics={','.join(metrics)}: none of them says something of maps alone")
        return found


def entrants(names: Sequence[str], network: Network, options: Mapping[str, Any]) -> dict[str, Entrant]:
    """Returns what rates examples, by name.

    Args:
        names: Of `tfxai3d.explain`, with ":magnitude" after the name for the importance without its sign, or
            "random", or "greedy", the limit of points. What does not explain the network's kind of data is
            left out.
        network: What is explained.
        options: Of the methods, by name; each takes those that it knows.

    Raises:
        UserError: If a name is unknown.
    """
    found: dict[str, Entrant] = {}
    for name in names:
        method = name.removesuffix(MAGNITUDE)
        if name == CHANCE:
            found[name] = Entrant(_by_chance(int(options.get("seed", 0))))
        elif name == GREEDY:
            if network.kind == "points":
                found[name] = Entrant(greedy_importance(network), _CURVES, dear=True)
        elif network.kind in explain.get(method).kinds:
            explainer = explain.create(method, network, **options)
            dear = isinstance(explainer, Perturbation)
            found[name] = Entrant(_by(explainer, magnitude=name != method), dear=dear)
    if not found:
        raise UserError(f"methods={','.join(names)}: none of them explains {network.kind}")
    return found


def _by(explainer: explain.Explainer, magnitude: bool) -> Rater:
    def rate(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        explanation = explainer(inputs, labels)
        return explanation.magnitude if magnitude else explanation.importance

    return rate


def _by_chance(seed: int) -> Rater:
    def rate(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        # Of the inputs as well, so that a jittered example has another map: chance is no stable method.
        own = int(np.abs(inputs).astype(np.float64).sum() * 1e6) % 2**31
        return np.random.default_rng([seed, own]).random(inputs.shape[:-1])

    return rate
