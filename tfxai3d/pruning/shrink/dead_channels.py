"""Networks that are really smaller: channels that pruning has made useless are removed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import keras

from tfxai3d.errors import UserError
from tfxai3d.pruning.kernels import check_finite
from tfxai3d.pruning.shrink.channels import Anatomy, Channels
from tfxai3d.pruning.shrink.rules.registry import Rebuild, copy_of, graph_of, rule_for, weights_of


def remove_dead_channels(model: keras.Model) -> keras.Model:
    """Returns a dense model with fewer channels and the same outputs at inference.

    A channel is removed if it is constant, because all weights of its filter are zero, or if no weight reads
    it. What a constant channel adds to the next layer goes into that layer's bias or, where zero padding
    would cut it off, into one constant channel that stays for all. Channels that are added together, by
    residual connections, go together. A layer of an unknown kind, or with weights that several calls share,
    keeps all channels of its inputs and outputs.

    The kinds that are known are dense layers and convolutions, BatchNormalization, activations, pools,
    padding, dropout, sums, concatenations, flattening, nested functional models and the layers of PointNet,
    PointNet++ and VRN.

    Args:
        model: A functional or sequential model, built; it stays as it is.

    Returns:
        A functional model whose layers have the names of the originals; with nothing to remove it is a copy.
        It is of the class of the original if that has a method `of_channels` that can make one, as PointNet,
        PointNet++ and VRN have.

    Raises:
        UserError: If the model is no functional one, holds NaN, or a layer cannot be copied.
    """
    check_finite({variable.path: variable for variable in model.weights})
    removal = ChannelRemoval(model)
    removal.anatomy.solve()
    small = removal.rebuild(removal.graph, model.name, removal.inputs)
    of_channels = getattr(model, "of_channels", None)
    return small if of_channels is None else of_channels(small)


class ChannelRemoval:
    """Walks through a model's graph twice: with what is known of its channels, then with smaller layers.

    The first walk is made at once; after it the `anatomy` knows all channels.
    """

    def __init__(self, model: keras.Model) -> None:
        self.graph = graph_of(model)
        if self.graph is None:
            raise UserError(f"model {model.name!r} is not functional: its channels cannot be followed")
        self.anatomy = Anatomy()
        self.calls: Counter[int] = Counter()
        self.rebuilds: dict[int, Rebuild] = {}  # by the identity of a layer
        self.made: dict[int, Any] = {}
        for inner in _graphs(self.graph):
            self.calls.update(id(n.operation) for nodes in inner._nodes_by_depth.values() for n in nodes)
        self.inputs = [self.anatomy.new(x.shape, x.dtype, needed=True) for x in self.graph.inputs]
        for channels in keras.tree.flatten(self.trace_graph(self.graph, *self.inputs)):
            self.anatomy.need(channels)

    def trace_graph(self, graph: Any, *inputs: Channels) -> Any:
        """Returns the channels of a graph's outputs."""
        return graph._run_through_graph(inputs, lambda op: lambda *xs, **kwargs: self.trace(op, xs, kwargs))

    def trace(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """Returns the channels of a layer's output and remembers how to make a smaller layer."""
        tensors = keras.tree.flatten(args)
        special = (x is True or isinstance(x, Channels) for x in keras.tree.flatten(kwargs))  # training, mask
        clear = all(isinstance(x, Channels) and len(x.units) for x in tensors) and not any(special)
        shared = self.calls[id(layer)] > 1
        graph, rule = graph_of(layer), rule_for(layer)
        if graph is not None and clear and not shared:
            self.rebuilds[id(layer)] = lambda: (self.rebuild(graph, layer.name, tensors), [])
            return self.trace_graph(graph, *tensors)
        found = None
        if rule is not None and clear and not (shared and weights_of(layer)):
            found = rule(self, layer, *tensors)
        if found is None:
            return self._keep_all(layer, args, kwargs)
        output, self.rebuilds[id(layer)] = found
        return output

    def _keep_all(self, layer: Any, args: Any, kwargs: Any) -> Any:
        """What is done to a layer without a rule."""

        def symbol(value: Any) -> Any:
            if not isinstance(value, Channels):
                return value
            self.anatomy.need(value)
            return keras.KerasTensor(value.shape, value.dtype)

        args, kwargs = keras.tree.map_structure(symbol, (args, kwargs))
        spec = layer.compute_output_spec(*args, **kwargs)
        self.rebuilds[id(layer)] = lambda: (copy_of(layer), weights_of(layer))
        return keras.tree.map_structure(lambda x: self.anatomy.new(x.shape, x.dtype, needed=True), spec)

    def rebuild(self, graph: Any, name: str, inputs: list[Channels]) -> keras.Model:
        """Returns the smaller model of a graph."""
        tensors = [
            keras.Input(batch_shape=(*x.shape[:-1], self.width(x)), dtype=x.dtype, name=original.name)
            for x, original in zip(inputs, graph.inputs, strict=True)
        ]
        outputs = graph._run_through_graph(tensors, self._smaller)
        return keras.Model(keras.tree.pack_sequence_as(graph.input, tensors), outputs, name=name)

    def width(self, channels: Channels) -> int | None:
        """Returns how many channels are left of a tensor; None if it has no known number of them."""
        return int(self.anatomy.kept(channels).sum()) if len(channels.units) else channels.shape[-1]

    def _smaller(self, original: Any) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if id(original) in self.made:
                return self.made[id(original)](*args, **kwargs)
            self.made[id(original)], weights = self.rebuilds[id(original)]()
            layer = self.made[id(original)]
            output = layer(*args, **kwargs)
            if weights:
                layer.set_weights(weights)
            return output

        return call


def _graphs(graph: Any) -> list[Any]:
    """Returns a graph and those nested in it, also in layers."""
    layers = (op for op in graph.operations if isinstance(op, keras.Layer))
    graphs = (graph_of(layer) for outer in layers for layer in outer._flatten_layers())
    inner = {id(found): found for found in graphs if found is not None}
    return [graph, *(found for found in inner.values() if found is not graph)]
