"""The gradient of a score for the inputs: what most methods share."""

import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network
from tfxai3d.explain.engine.target import TargetTensor, target_score


def input_gradient(network: Network, inputs: tf.Tensor, target: TargetTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the gradient of the target's score, shape of the inputs, and the logits (B,C).

    Raises:
        UserError: If no gradient reaches the inputs, or an operation has none.
    """
    try:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            scores = network(inputs)
            score = target_score(scores, target)
        gradient = tape.gradient(score, inputs)
    except LookupError as error:
        if isinstance(error, KeyError | IndexError):
            raise
        reason = str(error).split(". ")[0]  # TensorFlow names the operation, then gives advice
        raise UserError(f"{network.name} holds an operation that has no gradient ({reason})") from error
    if gradient is None:
        raise UserError(
            f"{network.name} is not differentiable at its input: no gradient reaches it (integer casts, "
            "rounding, NumPy code and stopped gradients cut it off)"
        )
    return tf.convert_to_tensor(gradient), scores
