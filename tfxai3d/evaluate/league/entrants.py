"""Who takes part: the methods of `tfxai3d.explain`, their magnitudes, and chance."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.subject import Rater
from tfxai3d.explain.engine.network import Network

MAGNITUDE = ":magnitude"
CHANCE = "random"


def entrants(names: Sequence[str], network: Network, options: Mapping[str, Any]) -> dict[str, Rater]:
    """Returns what rates examples, by name.

    Args:
        names: Of `tfxai3d.explain`, with ":magnitude" after the name for the importance without its sign, or
            "random". Methods that do not explain the network's kind of data are left out.
        network: What is explained.
        options: Of the methods, by name; each takes those that it knows.

    Raises:
        UserError: If a name is unknown.
    """
    found: dict[str, Rater] = {}
    for name in names:
        method = name.removesuffix(MAGNITUDE)
        if name == CHANCE:
            found[name] = _by_chance(int(options.get("seed", 0)))
        elif network.kind in explain.get(method).kinds:
            explainer = explain.create(method, network, **options)
            found[name] = _by(explainer, magnitude=name != method)
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
