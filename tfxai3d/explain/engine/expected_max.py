"""The max over points that are each there with some probability, in closed form."""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

_NEGLIGIBLE = math.log(1e-7)  # of the probability that all points above a rank are absent
_BLOCK = 32  # ranks summed by a matrix product, which is five times faster than tf.cumsum


class Order(NamedTuple):
    """The players of each channel, from the highest value down.

    Attributes:
        values: The values less the lowest (P,K,R).
        index: Their players, int32 (P,K,R).
        rows: The number N of players.
        lowest: What was taken from the values, and what a pool without players is worth (P,K).
    """

    values: tf.Tensor
    index: tf.Tensor
    rows: tf.Tensor
    lowest: tf.Tensor | float = 0.0


def order(features: tf.Tensor, player: tf.Tensor | None = None, players: int | tf.Tensor = 0) -> Order:
    """Sorts each channel of features (P,N,K), of so many players; see `expected_max`."""
    above, lowest = _above(features, player, players)
    return _highest(above, tf.shape(above)[1])._replace(lowest=lowest)


def expected_max(
    features: tf.Tensor, presence: tf.Tensor, density: tf.Tensor, player: tf.Tensor | None = None
) -> tf.Tensor:
    """Returns the expected maximum over the rows when each is present with probability `density`, (P,K).

    With the values of a channel sorted downwards, `f_(1) >= f_(2) >= ...`, and an empty pool worth 0 (or, of
    features below 0, the channel's lowest value),

        E[max] = sum_j q (1 - q)^(j-1) f_(j)
        dE[max] / dp_i = E[(f_i - max of the others present)_+]
                       = (1 - q)^(r-1) f_(r) - sum_{j>r} q (1 - q)^(j-2) f_(j),  r the rank of row i,

    which is the multilinear extension of Owen ("Multilinear extensions of games", Management Science 1972)
    of the game `max`. Only as many values are looked at as have a weight above 1e-7.

    Args:
        features: Values (P,N,K).
        presence: The probability of each player (P,M), all equal to `density`; the gradient for it is the
            derivative above.
        density: The probability q, a number in [0, 1].
        player: The player that each row belongs to, int32 (P,N), so that several come and go together; -1
            for rows that are always there. By default each row is a player.
    """

    @tf.custom_gradient
    def forward(
        above: tf.Tensor, presence: tf.Tensor
    ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
        found = _highest(above, _ranks(density, tf.shape(above)[1]))

        def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return _feature_gradient(found, density, upstream), _presence_gradient(found, density, upstream)

        return _mean(found, density), backward

    above, lowest = _above(features, player, tf.shape(presence)[1])
    return lowest + forward(above, presence)


def expected_max_of(known: Order, presence: tf.Tensor, density: tf.Tensor) -> tf.Tensor:
    """Returns `expected_max` of features that were sorted before, which get no gradient."""

    @tf.custom_gradient
    def forward(presence: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        ranks = _ranks(density, known.rows)
        found = known._replace(values=known.values[..., :ranks], index=known.index[..., :ranks])
        return _mean(found, density), lambda upstream: _presence_gradient(found, density, upstream)

    return forward(presence)


def _above(
    features: tf.Tensor, player: tf.Tensor | None, players: int | tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns by how much each player (P,M,K) is above what the pool is worth without any (P,K)."""
    lowest = tf.minimum(tf.reduce_min(features, axis=1), 0)
    if player is None:
        return features - lowest[:, None], lowest
    pools, channels = tf.shape(features)[0], features.shape[-1]
    place = tf.range(pools)[:, None] * (players + 1) + tf.where(player < 0, players, player)
    best = tf.math.unsorted_segment_max(
        tf.reshape(features, (-1, channels)), tf.reshape(place, (-1,)), pools * (players + 1)
    )
    best = tf.reshape(best, (pools, players + 1, channels))
    lowest = tf.maximum(lowest, best[:, -1])  # of rows that are always there
    return tf.nn.relu(best[:, :-1] - lowest[:, None]), lowest


def _highest(above: tf.Tensor, ranks: tf.Tensor) -> Order:
    """Returns the highest `ranks` rows of features (P,N,K) that are not below 0."""
    values, index = tf.math.top_k(tf.transpose(above, (0, 2, 1)), ranks)
    return Order(values, index, tf.shape(above)[1])


def _mean(found: Order, density: tf.Tensor) -> tf.Tensor:
    q, absent = _probabilities(found, density)
    return found.lowest + tf.linalg.matvec(found.values, q * absent)


def _feature_gradient(found: Order, density: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Returns the gradient (P,N,K) for the features; upstream is (P,K)."""
    pools, channels, ranks = tf.unstack(tf.shape(found.values))
    q, absent = _probabilities(found, density)
    place = tf.range(pools * channels)[:, None] * found.rows + tf.reshape(found.index, (-1, ranks))
    weighted = tf.reshape(upstream[..., None] * (q * absent), (-1,))
    total = tf.math.unsorted_segment_sum(weighted, tf.reshape(place, (-1,)), pools * channels * found.rows)
    return tf.transpose(tf.reshape(total, (pools, channels, found.rows)), (0, 2, 1))


def _presence_gradient(found: Order, density: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Returns the gradient (P,N) for the presence; upstream is (P,K)."""
    pools = tf.shape(found.values)[0]
    q, absent = _probabilities(found, density)
    before = tf.concat([tf.ones_like(absent[:1]), absent[:-1]], axis=0)
    raised = (absent * found.values - _sums_below(q * before * found.values)) * upstream[..., None]
    place = tf.range(pools)[:, None, None] * found.rows + found.index
    total = tf.math.unsorted_segment_sum(
        tf.reshape(raised, (-1,)), tf.reshape(place, (-1,)), pools * found.rows
    )
    return tf.reshape(total, (pools, found.rows))


def _probabilities(found: Order, density: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns q, and for each rank (R,) the probability that no row above it is present."""
    q = tf.cast(density, found.values.dtype)
    rank = tf.range(tf.cast(tf.shape(found.values)[-1], q.dtype), dtype=q.dtype)
    return q, tf.pow(1 - q, rank)


def _sums_below(values: tf.Tensor) -> tf.Tensor:
    """Returns for each value (P,K,R) the sum of those of lower rank."""
    pools, channels, ranks = tf.unstack(tf.shape(values))
    blocks = (ranks + _BLOCK - 1) // _BLOCK
    padded = tf.pad(values, [[0, 0], [0, 0], [0, blocks * _BLOCK - ranks]])
    x = tf.reshape(padded, (pools, channels, blocks, _BLOCK))
    after = tf.linalg.band_part(tf.ones((_BLOCK, _BLOCK), values.dtype), -1, 0)
    within = tf.matmul(x, after - tf.eye(_BLOCK, dtype=values.dtype))
    later = tf.cumsum(tf.reduce_sum(x, axis=-1), axis=-1, exclusive=True, reverse=True)
    return tf.reshape(within + later[..., None], (pools, channels, -1))[..., :ranks]


def _ranks(density: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Returns how many of the highest values count."""
    absence = tf.math.log1p(-tf.clip_by_value(tf.cast(density, tf.float64), 1e-9, 1 - 1e-9))
    needed = tf.cast(tf.math.ceil(_NEGLIGIBLE / absence), tf.int64)
    needed = tf.where(density > 0, needed, 0)  # where no row is present, none has a weight
    return tf.cast(tf.minimum(needed + 1, tf.cast(count, tf.int64)), tf.int32)
