"""Which rule is for which layer."""

import dataclasses

from tfxai3d.errors import check_choice
from tfxai3d.explain.engine.relevance.rules import AlphaBetaRule, EpsilonRule, GammaRule, Rule


@dataclasses.dataclass(frozen=True)
class Composite:
    """Rules by the kind of layer.

    Attributes:
        dense: Of layers that have the whole object before them.
        convolution: Of layers that see each point or voxel, or its neighbourhood, as convolutions do and the
            shared layers of a PointNet.
    """

    dense: Rule
    convolution: Rule


COMPOSITES = {
    "epsilon": Composite(EpsilonRule(), EpsilonRule()),
    "epsilon_plus": Composite(EpsilonRule(), AlphaBetaRule(1)),
    "epsilon_gamma": Composite(EpsilonRule(), GammaRule()),
    "epsilon_alpha_beta": Composite(EpsilonRule(), AlphaBetaRule(2)),
    "deep_taylor": Composite(AlphaBetaRule(1), AlphaBetaRule(1)),
}
"""The usual ones; deep Taylor decomposition is z+ everywhere."""


def composite_of(given: str | Composite) -> Composite:
    """Returns the composite of a name, or the one given.

    Raises:
        UserError: If the name is unknown.
    """
    if isinstance(given, Composite):
        return given
    check_choice("composite", given, tuple(COMPOSITES))
    return COMPOSITES[given]
