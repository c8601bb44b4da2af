"""An answer is finite or an error."""

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError

_CAUSE = (
    "attributions are not finite; a likely cause is a norm or a root at 0 in the network, whose slope is "
    "infinite there: add a small number below the root, or take the square"
)


def check_finite(who: str, *values: np.ndarray | None) -> None:
    """Checks what was computed.

    Args:
        who: What computed it, for the error.
        values: Arrays of any shapes, the attributions first; None for what there is not.

    Raises:
        UserError: If a value is NaN or infinite; it counts those of the attributions.
    """
    finite = [np.isfinite(value) for value in values if value is not None]
    if not all(some.all() for some in finite):
        raise UserError(f"{who}: {np.sum(~finite[0])} of {finite[0].size} {_CAUSE}")


def assert_finite(who: str, attributions: tf.Tensor) -> tf.Tensor:
    """Returns the attributions; in a graph, also a saved one, where they are not finite it is an error."""
    bad = tf.reduce_sum(tf.cast(~tf.math.is_finite(attributions), tf.int64))
    total = tf.size(attributions, tf.int64)
    with tf.control_dependencies(
        [tf.debugging.Assert(tf.equal(bad, 0), [f"{who}:", bad, "of", total, _CAUSE])]
    ):
        return tf.identity(attributions)
