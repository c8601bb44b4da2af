"""Which rule is for which kind of layer, and what all rules share.

A rule gets the walk through a network, a layer, and the channels of its input tensors. It returns the
channels of the output and a function that makes the smaller layer, with its weights, once it is known which
channels stay; or None where it does not apply, and then all channels stay.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import keras
import numpy as np
from keras import ops

from tfxai3d.errors import UserError, reason_of
from tfxai3d.pruning.shrink.channels import Anatomy, Channels

Rebuild = Callable[[], tuple[Any, list[np.ndarray]]]
"""Makes the smaller layer, and its weights in the order of `layer.weights`."""


class Walk(Protocol):
    """What rules may ask of the walk through a network."""

    anatomy: Anatomy

    def trace_graph(self, graph: Any, *inputs: Channels) -> Any:
        """Returns the channels of a nested graph's output."""

    def rebuild(self, graph: Any, name: str, inputs: list[Channels]) -> keras.Model:
        """Returns the smaller model of a nested graph."""


Rule = Callable[..., tuple[Channels, Rebuild] | None]
_RuleT = TypeVar("_RuleT", bound=Rule)
_RULES: dict[type | str, Rule] = {}


def rule(*kinds: type | str) -> Callable[[_RuleT], _RuleT]:
    """Registers a rule for classes of layers and operations, and no others: a subclass may do anything.

    Layers of this library are called by their registered names, such as "tfxai3d>SharedDense".
    """

    def register(function: _RuleT) -> _RuleT:
        _RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def rule_for(layer: Any) -> Rule | None:
    """Returns the rule for a layer or operation, None if there is none."""
    return _RULES.get(type(layer)) or _RULES.get(keras.saving.get_registered_name(type(layer)))


def operation(function: Callable[..., Any], tensors: int) -> type:
    """Returns the class of the operation that a function of keras.ops becomes in a functional model."""
    output = function(*(keras.KerasTensor((1, 1)) for _ in range(tensors)))
    return type(output._keras_history.operation)


def graph_of(layer: Any) -> Any:
    """Returns the graph of a functional or sequential model, None for another layer."""
    if isinstance(layer, keras.Sequential):
        return layer._functional
    return layer if isinstance(layer, keras.Function) else None


def weights_of(layer: Any) -> list[np.ndarray]:
    """Returns a layer's weights; an operation, such as keras.ops.relu, has none."""
    return layer.get_weights() if isinstance(layer, keras.Layer) else []


def copy_of(layer: Any, **changes: Any) -> Any:
    """Returns a new layer or operation of the same configuration, but for `changes`, without weights."""
    try:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer)
        return type(layer).from_config({**layer.get_config(), **changes})
    except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
        raise UserError(
            f"layer {layer.name!r} cannot be copied ({reason_of(error, 200)}); give its class get_config"
        ) from error


def last_channels(layer: Any, *example: Any) -> np.ndarray:
    """Returns the channels (C,) of a layer's output at its last place; constant ones are so everywhere."""
    options = {"training": False} if getattr(layer, "_call_has_training_arg", False) else {}
    output = ops.convert_to_numpy(layer(*example, **options)).astype("float64")
    return output.reshape(-1, output.shape[-1])[-1]
