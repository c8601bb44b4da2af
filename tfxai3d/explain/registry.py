"""Explainers by name, as `keras.optimizers.get`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfxai3d.errors import UserError
from tfxai3d.explain import methods

if TYPE_CHECKING:  # names are checked without TensorFlow
    from tfxai3d.explain.explainer import Explainer


def method_names() -> list[str]:
    """Returns the names of all methods; each is a module of `tfxai3d.explain.methods`."""
    return sorted(module.name for module in pkgutil.iter_modules(methods.__path__))


def check_methods(names: Sequence[str]) -> None:
    """Checks names of methods, without TensorFlow.

    Raises:
        UserError: If there is none, one is unknown, or one is named twice.
    """
    if not names:
        raise UserError("methods= names no method; give one or more, such as integrated_gradients")
    if len(set(names)) < len(names):
        raise UserError(f"methods={','.join(names)}: names a method twice")
    for name in names:
        if name not in method_names():
            raise UserError(f"unknown method {name!r}; known are {', '.join(method_names())}")


def get(name: str) -> type[Explainer]:
    """Returns the explainer class of a method.

    Raises:
        UserError: If the name is unknown.
    """
    check_methods([name])
    module = importlib.import_module(f"{methods.__name__}.{name}")
    found: type[Explainer] = next(
        value for value in vars(module).values() if getattr(value, "method", None) == name
    )
    return found


def create(name: str, model: Any, **options: Any) -> Explainer:
    """Returns an explainer of a method with those of the options that the method takes.

    One set of options can serve several methods: `steps` is for integrated gradients, `seed` for the random
    ones.

    Args:
        name: Name of the method.
        model: What it explains.
        **options: Arguments of the methods by name, such as batch_size, steps, seed, layer.

    Raises:
        UserError: If the name is unknown, or as the method does.
    """
    method = get(name)
    taken = {
        parameter
        for home in method.__mro__
        if "__init__" in vars(home)
        for parameter in inspect.signature(vars(home)["__init__"]).parameters
    }
    return method(model, **{option: value for option, value in options.items() if option in taken})
