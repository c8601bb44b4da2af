"""Layer-wise relevance propagation (Bach et al., PLoS ONE 2015)."""

import dataclasses
from typing import Any, ClassVar, get_args

import tensorflow as tf

from tfxai3d.errors import UserError, check_choice
from tfxai3d.explain.engine.gradients import input_gradient
from tfxai3d.explain.engine.relevance.composites import Composite, composite_of
from tfxai3d.explain.engine.relevance.propagation import Pools, Propagation
from tfxai3d.explain.engine.relevance.rules import BoxRule
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts


class LRP(Explainer):
    """The score, divided layer by layer among the inputs of each neuron by what they contribute.

    The importance is signed: what is positive speaks for the target. It adds up to the score, less what the
    biases keep and what the epsilons take. What is 0 gets 0, unless there are bounds.

    Args:
        model: A Keras model, which may have layers of your own.
        composite: Which rule is for which layer: the name of one of `COMPOSITES`, or a `Composite`.
        bounds: The least and the most that an input can be, such as (0, 1); then the first layer has the rule
            z_B, by which inputs of 0 get relevance as well.
        pools: Who gets the relevance of a max: the "winner", or all that is above 0 in "proportion".
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the model is no Keras model or has an operation without a rule, there are bounds but no
            weights right after the inputs, or an option is none of these.
    """

    method: ClassVar[str] = "lrp"
    title: ClassVar[str] = "LRP"
    needs: ClassVar[str] = "operations that have a rule"

    def __init__(
        self,
        model: Any,
        composite: str | Composite = "epsilon",
        bounds: tuple[float, float] | None = None,
        pools: Pools = "winner",
        **kwargs: Any,
    ):
        check_choice("pools", pools, get_args(Pools))
        super().__init__(model, **kwargs)
        self.composite, self.bounds = composite, bounds
        if bounds is not None and len(bounds) != 2:
            raise UserError(f"bounds must be two numbers, the lower first, they are {bounds}")
        self.propagation = Propagation(
            composite_of(composite), None if bounds is None else BoxRule(*bounds), pools
        )
        self.network = self.propagation.through(self.network, self.model)

    def options(self) -> dict[str, Any]:
        """Returns the rules and what is done at bounds and pools."""
        named = self.composite if isinstance(self.composite, str) else dataclasses.asdict(self.composite)
        return {"composite": named, "bounds": self.bounds, "pools": self.propagation.pools}

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the relevance of the inputs."""
        gradient, scores = input_gradient(self.network, inputs, target)
        relevance = gradient if self.bounds is not None else gradient * inputs
        return Parts(relevance, self.network.layout.contribution(relevance), scores)
