"""Explainers by name, as `keras.optimizers.get`."""

import importlib

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer

_METHODS = {
    "critical_points": "CriticalPoints",
    "deconvnet": "Deconvnet",
    "expected_gradients": "ExpectedGradients",
    "feature_magnitude": "FeatureMagnitude",
    "grad_cam": "GradCAM",
    "gradient_times_input": "GradientTimesInput",
    "guided_backprop": "GuidedBackprop",
    "integrated_gradients": "IntegratedGradients",
    "p_grad_cam": "PGradCAM",
    "point_saliency": "PointSaliency",
    "smooth_grad": "SmoothGrad",
    "vanilla_gradient": "VanillaGradient",
    "var_grad": "VarGrad",
}


def methods() -> list[str]:
    """Returns the names of all methods."""
    return sorted(_METHODS)


def get(name: str) -> type[Explainer]:
    """Returns the explainer class of a method.

    Raises:
        UserError: If the name is unknown.
    """
    if name not in _METHODS:
        raise UserError(f"unknown method {name!r}; known are {', '.join(methods())}")
    module = importlib.import_module(f"tfxai3d.explain.methods.{name}")
    method: type[Explainer] = getattr(module, _METHODS[name])
    return method
