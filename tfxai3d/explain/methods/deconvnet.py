"""Deconvnet (Zeiler and Fergus, 2014)."""

from typing import Any, ClassVar

from tfxai3d.explain.engine.modified_relu import BackwardRule, modified
from tfxai3d.explain.methods.vanilla_gradient import VanillaGradient


class Deconvnet(VanillaGradient):
    """The gradient that each ReLU passes back where it is above 0, whatever the ReLU's input was.

    Where a max over points follows a ReLU and no point activates a channel, the gradient goes to the point
    that came nearest to doing so.

    Args:
        model: A Keras model whose activations are ReLUs, leaky ReLUs or ELUs; it is not changed.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If an activation is of another kind, or the model is no Keras model.
    """

    method: ClassVar[str] = "deconvnet"
    title: ClassVar[str] = "Deconvnet"
    needs: ClassVar[str] = "a gradient rule for each activation"
    rule: ClassVar[BackwardRule] = "deconvnet"

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.network = modified(self.network, self.model, self.rule)
