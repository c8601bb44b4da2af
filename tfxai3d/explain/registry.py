"""Explainers by name, as `keras.optimizers.get`."""

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer
from tfxai3d.explain.grad_cam import GradCAM
from tfxai3d.explain.p_grad_cam import PGradCAM

_METHODS: dict[str, type[Explainer]] = {cls.method: cls for cls in (GradCAM, PGradCAM)}


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
    return _METHODS[name]
