"""The rules of layer-wise relevance propagation: what an output's positive and negative contributions get.

A layer computes `y_k = sum_j c_jk + b_k` of the contributions `c_jk = x_j w_jk`. A rule divides the relevance
of y_k among them in proportion, by one coefficient for those above 0 and one for those below:

    R_j = sum_k  u_k max(c_jk, 0) + v_k min(c_jk, 0)

How it is sent on is the same for all rules (`contributions`). Biases keep what falls to them. Denominators
are kept from 0 by 1e-6 of their sign, in the epsilon rule by its epsilon.
"""

import dataclasses
import math
from typing import Protocol

import tensorflow as tf

from tfxai3d.errors import UserError

_TINY = 1e-6


class Sums(Protocol):
    """What a rule may ask of a layer's outputs, all of their shape.

    Attributes:
        output: The outputs y.
        positive: Sum of the contributions above 0.
        negative: Sum of those below 0.
        bias: The biases, 0.0 where there is none.
    """

    @property
    def output(self) -> tf.Tensor: ...  # noqa: D102

    @property
    def positive(self) -> tf.Tensor: ...  # noqa: D102

    @property
    def negative(self) -> tf.Tensor: ...  # noqa: D102

    @property
    def bias(self) -> tf.Tensor: ...  # noqa: D102


Coefficients = tuple[tf.Tensor, tf.Tensor | None]
"""Of the contributions above and below 0; None for none of them. One tensor twice where they are equal."""


class Rule(Protocol):
    """What divides the relevance of outputs among their contributions."""

    def coefficients(self, relevance: tf.Tensor, sums: Sums) -> Coefficients:
        """Returns u and v for the relevance of the outputs."""


@dataclasses.dataclass(frozen=True)
class EpsilonRule:
    """LRP-epsilon (Bach et al., PLoS ONE 2015, eq. 58): `R_j = sum_k c_jk R_k / (y_k + epsilon sign(y_k))`.

    Args:
        epsilon: What the denominator grows by; it keeps relevance that sums of opposing contributions would
            blow up. With 0 it is LRP-0.

    Raises:
        UserError: If it is below 0 or no number.
    """

    epsilon: float = _TINY

    def __post_init__(self) -> None:
        _check_from(0, "epsilon", self.epsilon)

    def coefficients(self, relevance: tf.Tensor, sums: Sums) -> Coefficients:
        """Returns the same for all."""
        share = tf.math.divide_no_nan(relevance, _away_from_zero(sums.output, self.epsilon))
        return share, share


@dataclasses.dataclass(frozen=True)
class AlphaBetaRule:
    """LRP-alpha-beta (Bach et al., eq. 60), with `beta = alpha - 1`.

    `R_j = sum_k (alpha c+_jk / sum c+ - beta c-_jk / sum c-) R_k`, each sum with the bias of its sign. With
    alpha 1 it is z+ (Montavon et al., Pattern Recognition 2017), also called deep Taylor.

    Args:
        alpha: From 1.

    Raises:
        UserError: If it is below 1 or no number.
    """

    alpha: float = 2.0

    def __post_init__(self) -> None:
        _check_from(1, "alpha", self.alpha)

    def coefficients(self, relevance: tf.Tensor, sums: Sums) -> Coefficients:
        """Returns alpha and -beta of the relevance, over the sums of their sign."""
        beta = self.alpha - 1
        u = self.alpha * relevance / _away_from_zero(sums.positive + tf.nn.relu(sums.bias))
        if not beta:
            return u, None
        return u, -beta * relevance / _away_from_zero(sums.negative - tf.nn.relu(-sums.bias))


@dataclasses.dataclass(frozen=True)
class GammaRule:
    """LRP-gamma (Montavon et al., 2019) for inputs of any sign (Andéol et al., 2021).

    Contributions of the output's own sign count 1 + gamma times as much; gamma 0 is LRP-0, and with a large
    one those of the other sign get nothing.

    Args:
        gamma: From 0.

    Raises:
        UserError: If it is below 0 or no number.
    """

    gamma: float = 0.25

    def __post_init__(self) -> None:
        _check_from(0, "gamma", self.gamma)

    def coefficients(self, relevance: tf.Tensor, sums: Sums) -> Coefficients:
        """Returns the shares of outputs above 0, and the other way round below."""
        above, bias = sums.output > 0, sums.bias
        plain = sums.positive + sums.negative + bias
        own = tf.where(above, sums.positive + tf.nn.relu(bias), sums.negative - tf.nn.relu(-bias))
        share = relevance / _away_from_zero(plain + self.gamma * own)
        more = (1 + self.gamma) * share
        return tf.where(above, more, share), tf.where(above, share, more)


@dataclasses.dataclass(frozen=True)
class BoxRule:
    """z_B of bounded inputs (Montavon et al., 2017): `R_j = sum_k (x w - low w+ - high w-)_jk / sum R_k`.

    It is z+ of the distances from the bounds, so its contributions are never below 0. Biases get nothing.

    Args:
        low: The least that an input can be.
        high: The most.

    Raises:
        UserError: Unless low is below high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise UserError(f"bounds must be two numbers, the lower first, they are {self.low}, {self.high}")

    def coefficients(self, relevance: tf.Tensor, sums: Sums) -> Coefficients:
        """Returns the shares of the sum."""
        return relevance / _away_from_zero(sums.positive), None


def _check_from(least: int, name: str, value: float) -> None:
    if not least <= value < math.inf:
        raise UserError(f"{name} must be a number from {least}, it is {value}")


def _away_from_zero(x: tf.Tensor, by: float = _TINY) -> tf.Tensor:
    return x + tf.where(x < 0, tf.constant(-by, x.dtype), tf.constant(by, x.dtype))
