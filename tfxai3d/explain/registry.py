"""Explainers by name, as `keras.optimizers.get`."""

import importlib
import pkgutil

from tfxai3d.errors import UserError
from tfxai3d.explain import methods
from tfxai3d.explain.explainer import Explainer


def method_names() -> list[str]:
    """Returns the names of all methods; each is a module of `tfxai3d.explain.methods`."""
    return sorted(module.name for module in pkgutil.iter_modules(methods.__path__))


def get(name: str) -> type[Explainer]:
    """Returns the explainer class of a method.

    Raises:
        UserError: If the name is unknown.
    """
    if name not in method_names():
        raise UserError(f"unknown method {name!r}; known are {', '.join(method_names())}")
    module = importlib.import_module(f"{methods.__name__}.{name}")
    found: type[Explainer] = next(
        value for value in vars(module).values() if getattr(value, "method", None) == name
    )
    return found
