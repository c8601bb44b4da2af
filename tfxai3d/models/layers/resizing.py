"""Networks with other numbers of channels than the published ones, such as pruning leaves."""

from collections.abc import Mapping
from typing import Any

import keras

from tfxai3d.errors import UserError
from tfxai3d.models.layers.stochastic_depth import StochasticDepth

_WIDTHS = ("units", "filters")  # what layers call the number of channels that they make


def resized(inputs: Any, outputs: Any, widths: Mapping[str, int]) -> tuple[Any, Any]:
    """Builds a graph anew with fewer channels in some layers.

    Args:
        inputs: The symbolic input of the graph.
        outputs: Its symbolic output.
        widths: Numbers of channels by the names of the layers that make them, from 1 to what they are.

    Returns:
        The symbolic input and output of the new graph; its layers have the names of the originals.

    Raises:
        UserError: If a layer is not there, or its number of channels is impossible.
    """
    left, last = dict(widths), outputs._keras_history.operation.name
    if last in left:
        raise UserError(f"widths: {last!r} makes the classes, give num_classes instead")

    def smaller(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in left:
            width, key = left.pop(layer.name), next((key for key in _WIDTHS if key in config), None)
            if key is None or type(width) is not int or not 1 <= width <= config[key]:
                most = "it makes no channels" if key is None else f"it must be from 1 to {config[key]}"
                raise UserError(f"widths: {width!r} for layer {layer.name!r}: {most}")
            config[key] = width
        return type(layer).from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(layer, StochasticDepth):  # its branch takes as many channels as there are
            features = keras.Input(args[0].shape[1:])
            branch = keras.models.clone_model(layer.branch, features, smaller)
            layer = StochasticDepth(branch, layer.keep, layer.seed, name=layer.name)
        return layer(*args, **kwargs)

    kept = (StochasticDepth, keras.layers.InputLayer)
    graph = keras.models.clone_model(
        keras.Model(inputs, outputs),
        clone_function=lambda layer: layer if isinstance(layer, kept) else smaller(layer),
        call_function=call,
    )
    if left:
        raise UserError(f"widths: there is no layer {', '.join(map(repr, left))}")
    return graph.inputs[0], graph.outputs[0]


def widths_of(model: keras.Model) -> dict[str, int]:
    """Returns the number of channels that each layer of a functional model makes, those in branches too."""
    widths: dict[str, int] = {}
    for layer in model._flatten_layers():
        found = [getattr(layer, key) for key in _WIDTHS if hasattr(layer, key)]
        if found and isinstance(found[0], int):
            widths[layer.name] = found[0]
    return widths
