"""What each input of a layer contributes to its outputs, by sign: the sums, and the way back."""

import functools

import tensorflow as tf

from tfxai3d.explain.engine.relevance.layer import Layer
from tfxai3d.explain.engine.relevance.rules import BoxRule


class Contributions:
    """The contributions of a layer; those above 0 are of inputs and weights of one sign.

    Args:
        layer: The layer.
        bounds: Of its inputs; then contributions are counted from them.
    """

    def __init__(self, layer: Layer, bounds: BoxRule | None = None):
        self._layer, self._weights = layer, (tf.nn.relu(layer.weights), -tf.nn.relu(-layer.weights))
        self._inputs: tuple[tf.Tensor, ...]
        self._units: tuple[tf.Tensor, ...]
        x = layer.variable
        if bounds is not None:
            ends = layer.at_input(bounds.low), layer.at_input(bounds.high)
            self._inputs = (layer.x - tf.minimum(*ends), layer.x - tf.maximum(*ends))
            self._units = self._inputs  # what goes back is relevance itself
        else:
            self._inputs = (tf.nn.relu(x), -tf.nn.relu(-x))
            self._units = (tf.cast(x > 0, x.dtype), tf.cast(x < 0, x.dtype))  # relevance by unit
        if layer.never_negative and bounds is None:
            self._inputs, self._units = self._inputs[:1], self._units[:1]

    @property
    def output(self) -> tf.Tensor:
        """The layer's outputs."""
        return self._layer.output

    @property
    def bias(self) -> tf.Tensor:
        """What they are where the inputs are 0."""
        return self._layer.bias

    @property
    def positive(self) -> tf.Tensor:
        """The sums of the contributions above 0."""
        return self._sums[0]

    @property
    def negative(self) -> tf.Tensor:
        """The sums of those below 0."""
        return self._sums[1]

    def back(self, u: tf.Tensor, v: tf.Tensor | None) -> tf.Tensor:
        """Returns what goes back to the inputs for the coefficients of both signs, v None for 0.

        It is relevance by unit, with bounds relevance.
        """
        if u is v:
            return self._layer.back(self._layer.weights, u)
        of_products = (u, v)
        if self._layer.scale is not None:  # one below 0 turns the signs
            zero = tf.zeros_like(u) if v is None else v
            turned = self._layer.scale < 0
            of_products = tf.where(turned, zero, u), tf.where(turned, u, zero)
        total = tf.zeros_like(self._layer.x)
        for unit, weights in zip(self._units, (self._weights, self._weights[::-1]), strict=False):
            for weight, coefficient in zip(weights, of_products, strict=True):
                if coefficient is not None:
                    total += unit * self._layer.back(weight, coefficient)
        return total

    @functools.cached_property
    def _sums(self) -> tuple[tf.Tensor, tf.Tensor]:
        above, below = (
            sum(self._layer.times(x, weight) for x, weight in zip(self._inputs, weights, strict=False))
            for weights in (self._weights, self._weights[::-1])
        )
        scale = self._layer.scale
        if scale is None:
            return above, below
        return scale * tf.where(scale < 0, below, above), scale * tf.where(scale < 0, above, below)
