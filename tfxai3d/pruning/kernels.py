"""Which of a model's variables pruning works on, and how many of their weights are left."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras
import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage import unique_name

Selection = Sequence[str] | Callable[[keras.Variable], bool]
"""Names, with the wildcards of `fnmatch`, of a variable's path or any part of it; or a predicate."""


def select_kernels(
    model: keras.Model,
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> dict[str, keras.Variable]:
    """Returns the variables to prune, by their paths.

    By default these are all trainable variables of rank 2 or more, in whatever layer, nested ones too, except
    those in layers that the model's class names in its attribute `unpruned`.

    Args:
        model: A built model.
        include: Only these.
        exclude: Not these.
        biases: Also variables called `bias`.

    Returns:
        Path (such as `conv0/kernel`) to variable, in the model's order.

    Raises:
        UserError: If a name matches nothing, or no variable is left.
    """
    kernels: dict[str, keras.Variable] = {}
    for variable in model.trainable_variables:
        if biases if variable.name == "bias" else len(variable.shape) >= 2:
            # Without the model's own name, which differs from run to run.
            path = variable.path.removeprefix(f"{model.name}/")
            kernels[unique_name(path, kernels, "_")] = variable  # layers of nested models may share a path
    if not kernels:
        raise UserError(f"model {model.name!r} has no kernels to prune: is it built, and trainable?")
    if include is None and exclude is None:
        declared = getattr(model, "unpruned", ())
        exclude = [name for name in declared if any(_matches(path, name) for path in kernels)]
    if include is not None:
        chosen = _chosen(kernels, include)
        kernels = {path: variable for path, variable in kernels.items() if path in chosen}
    if exclude is not None:
        chosen = _chosen(kernels, exclude)
        kernels = {path: variable for path, variable in kernels.items() if path not in chosen}
    if not kernels:
        raise UserError("no kernels are left to prune: include and exclude together leave none")
    return kernels


def kernel_sparsity(
    model: keras.Model,
    include: Selection | None = None,
    exclude: Selection | None = None,
    biases: bool = False,
) -> dict[str, Any]:
    """Counts a model's kernel weights, and those that are not zero.

    Args:
        model: A built model.
        include: Variables to count, see `select_kernels`, as the next two.
        exclude: Variables not to count.
        biases: Also count biases.

    Returns:
        `{"total": int, "left": int, "layers": {path: {"total": int, "left": int}}}`.
    """
    layers = {}
    for path, kernel in select_kernels(model, include, exclude, biases).items():
        value = np.asarray(kernel)
        layers[path] = {"total": value.size, "left": int(np.count_nonzero(value))}
    total, left = (sum(layer[key] for layer in layers.values()) for key in ("total", "left"))
    return {"total": total, "left": left, "layers": layers}


def check_finite(variables: Mapping[str, Any]) -> None:
    """Raises a UserError if a variable, by path, holds NaN or infinity."""
    for path, variable in variables.items():
        if broken := int(np.count_nonzero(~np.isfinite(np.asarray(variable)))):
            raise UserError(
                f"{path} holds {broken} weights that are NaN or infinite; start from sound weights, or train "
                "with a lower learning rate"
            )


def _chosen(kernels: dict[str, keras.Variable], selection: Selection) -> set[str]:
    if callable(selection):
        return {path for path, variable in kernels.items() if selection(variable)}
    if isinstance(selection, str):
        raise UserError(f"{selection!r}: give a list of names, such as [{selection!r}]")
    for name in selection:
        if not any(_matches(path, name) for path in kernels):
            raise UserError(f"no kernel is called {name!r}; there are {', '.join(kernels)}")
    return {path for path in kernels for name in selection if _matches(path, name)}


def _matches(path: str, name: str) -> bool:
    return any(fnmatchcase(part, name) for part in (path, *path.split("/")))
