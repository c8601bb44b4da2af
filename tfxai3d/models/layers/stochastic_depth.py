"""Residual branches that are left out at random while training (Huang et al., ECCV 2016)."""

from typing import Any

import keras
from keras import ops

from tfxai3d.errors import UserError
from tfxai3d.models.layers.shared_mlp import Shape


@keras.saving.register_keras_serializable(package="tfxai3d")
class StochasticDepth(keras.layers.Layer):
    """Computes `shortcut + s * branch(x)`: s is 0 or 1 for a whole batch in training, `keep` at inference.

    A dropped branch, a built model, is not computed at all, forward or backward, and its moving statistics
    stay as they were. `keep` is the probability of keeping it.
    """

    def __init__(self, branch: keras.Model, keep: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0 < keep <= 1:
            raise UserError(f"keep {keep}: must be a probability above 0")
        self.branch, self.keep, self.seed = branch, keep, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Automatic XLA would make convolutions on a CPU six times slower with TensorFlow.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def call(self, x: Any, shortcut: Any, training: bool = False) -> Any:
        """Adds the branch's features of `x` to `shortcut`."""
        if not training:
            return shortcut + self.keep * self.branch(x, training=False)
        statistics = self.branch.non_trainable_variables
        kept = keras.random.uniform((), seed=self.seed_generator) < self.keep
        # The functions must not assign: a JAX conditional can only return what is to be remembered.
        output, values = ops.cond(
            kept,
            lambda: self._with_branch(x, shortcut, statistics),
            lambda: (shortcut, [ops.convert_to_tensor(variable.value) for variable in statistics]),
        )
        for variable, value in zip(statistics, values, strict=True):
            variable.assign(value)
        return output

    def _with_branch(self, x: Any, shortcut: Any, statistics: list[Any]) -> tuple[Any, list[Any]]:
        """Returns the sum, and the values that the branch's statistics shall take."""
        state = [(variable, variable.value) for variable in self.branch.variables]
        with keras.StatelessScope(state) as scope:
            features = self.branch(x, training=True)
        return shortcut + features, [scope.get_current_value(variable) for variable in statistics]

    def compute_output_shape(self, x_shape: Shape, shortcut_shape: Shape) -> Shape:
        """Returns the shape of the shortcut."""
        return shortcut_shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        branch = keras.saving.serialize_keras_object(self.branch)
        return {**super().get_config(), "branch": branch, "keep": self.keep, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StochasticDepth":
        """Builds the layer from `get_config`'s dictionary."""
        return cls(**{**config, "branch": keras.saving.deserialize_keras_object(config["branch"])})
