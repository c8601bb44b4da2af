"""Guided backpropagation (Springenberg et al., 2015)."""

from typing import Any, ClassVar

from tfxai3d.explain.engine.modified_relu import modified
from tfxai3d.explain.methods.vanilla_gradient import VanillaGradient


class GuidedBackprop(VanillaGradient):
    """The gradient that each ReLU passes back where it is above 0 and the ReLU's input is as well.

    An ELU or leaky ReLU follows the same two tests, so nothing passes where it bends down; a ReLU with a
    threshold or a largest value passes between the two.

    Args:
        model: A Keras model whose activations are ReLUs, leaky ReLUs or ELUs; it is not changed.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If an activation is of another kind, or the model is no Keras model.
    """

    method: ClassVar[str] = "guided_backprop"
    title: ClassVar[str] = "Guided backpropagation"

    def __init__(self, model: Any, **kwargs: Any):
        super().__init__(model, **kwargs)
        self.network = modified(self.network, model, "guided")
