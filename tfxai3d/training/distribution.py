"""Training on several devices or machines through `tf.distribute`.

Keras's `fit` cannot run under a MultiWorkerMirroredStrategy (Keras 3.15: it reduces its first batch, a tuple,
in a way that this strategy refuses), so an epoch is a loop of Keras's training step here, for all strategies.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from tfxai3d.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf


class Replicas:
    """A compiled model on the replicas of the strategy in whose scope it was made.

    A batch is divided into equal parts in order, one for each replica of each worker, so all of them together
    see what one device would see; their gradients are summed as those of the whole batch. BatchNorm takes the
    statistics of its own replica's part alone; the moving ones that are saved are the first worker's.

    `count` is the number of replicas of all workers; the `chief` is the one worker that writes files.
    """

    def __init__(self, model: keras.Model):
        strategy: Any = getattr(model, "distribute_strategy", None)  # Keras's other backends have none
        self._model, self._strategy = model, strategy
        self._step: Callable[[Any], None] | None = None
        self.count = strategy.num_replicas_in_sync if strategy is not None else 1
        self._workers = strategy.cluster_resolver if strategy is not None else None
        self.chief = self._workers is None or _is_chief(self._workers)

    def fit(self, batches: "tf.data.Dataset") -> dict[str, float]:
        """Trains on all batches; returns loss and metrics over all replicas, as `fit` logs them.

        Raises:
            UserError: If a batch cannot be divided among the replicas.
        """
        size = next(iter(batches.element_spec)).shape[0]
        if size is None or size % self.count:
            raise UserError(f"batches of {size} cannot be divided among {self.count} devices")
        if self._step is None:
            self._step = self._traced()
        shares = iter(self._strategy.distribute_datasets_from_function(self._divided(batches)))
        for _ in range(int(batches.cardinality())):
            self._step(shares)
        metrics = {name: float(value) for name, value in self._model.get_metrics_result().items()}
        self._model.reset_metrics()
        return metrics

    def wait(self) -> None:
        """Returns when all workers have come here, so that what the chief has written is there for all."""
        if self._workers is not None:
            import tensorflow as tf

            float(self._strategy.reduce("SUM", self._strategy.run(lambda: tf.constant(1.0)), axis=None))

    def _traced(self) -> Callable[[Any], None]:
        import tensorflow as tf

        @tf.function(autograph=False)
        def step(shares: Any) -> None:
            self._strategy.run(self._model.train_step, args=(next(shares),))

        return step

    def _divided(self, batches: "tf.data.Dataset") -> Callable[[Any], "tf.data.Dataset"]:
        """Returns what makes the batches of one worker's replicas, one after the other."""
        import tensorflow as tf

        def of_worker(context: Any) -> tf.data.Dataset:
            replicas = self.count // context.num_input_pipelines
            first = context.input_pipeline_id * replicas

            def parts(*batch: tf.Tensor) -> tf.data.Dataset:
                divided = (tf.reshape(x, (self.count, x.shape[0] // self.count, *x.shape[1:])) for x in batch)
                own = tuple(part[first : first + replicas] for part in divided)
                return tf.data.Dataset.from_tensor_slices(own)

            return batches.flat_map(parts)

        return of_worker


def _is_chief(resolver: Any) -> bool:
    if resolver.task_type == "worker" and "chief" not in resolver.cluster_spec().jobs:
        return resolver.task_id == 0
    return resolver.task_type in (None, "", "chief")
