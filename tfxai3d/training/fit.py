"""Training that survives being killed: one checkpoint an epoch, batches that depend on the epoch alone."""

import importlib.util
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tfxai3d.data.augment.epochs import Batches
from tfxai3d.errors import UserError, missing_extra
from tfxai3d.results.heads import SOFTMAX, Head
from tfxai3d.storage.tables import write_csv
from tfxai3d.training.checkpoint import remove_before, restore_checkpoint, save_checkpoint
from tfxai3d.training.distribution import Replicas

History = list[dict[str, float]]
Callbacks = Sequence[keras.callbacks.Callback]


def compile_classifier(
    model: keras.Model,
    *,
    steps: int,
    warmup_steps: int,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
    label_smoothing: float = 0.2,
    clip_norm: float = 5.0,
    from_logits: bool = True,
    head: Head = "logits",
) -> None:
    """Compiles a classifier for one-hot labels: AdamW, linear warm-up, then cosine decay to zero.

    Args:
        model: Maps inputs to logits, or to probabilities, as its head says.
        steps: Length of the whole training.
        warmup_steps: Steps in which the learning rate rises from zero.
        learning_rate: Its peak.
        weight_decay: Decoupled decay of all matrices; BatchNorm vectors and biases do not decay.
        label_smoothing: Part of the label that is spread over all classes.
        clip_norm: Largest global norm of the gradient.
        from_logits: Whether it returns logits, not probabilities.
        head: What they are of, see `tfxai3d.results.heads`: classes of which one is right (B,C), independent
            ones (B,C), or two in one column (B,1).
    """
    warmup = {"warmup_target": learning_rate, "warmup_steps": warmup_steps}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, max(1, steps - warmup_steps), **warmup)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, global_clipnorm=clip_norm)
    optimizer.exclude_from_weight_decay([v for v in model.trainable_variables if len(v.shape) < 2])
    loss, accuracy = _loss_and_accuracy(head, from_logits, label_smoothing)
    model.compile(optimizer, loss, metrics=[accuracy])
    model.optimizer.build(model.trainable_variables)  # here, because it must be in the strategy's scope


def _loss_and_accuracy(head: Head, from_logits: bool, smoothing: float) -> tuple[Any, Any]:
    """Returns the cross entropy of a head's answers with one-hot labels (B,C), and how many are right."""
    if head in SOFTMAX:
        loss = keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
        return loss, keras.metrics.CategoricalAccuracy("accuracy")
    loss = keras.losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
    if head != "binary":
        return loss, keras.metrics.CategoricalAccuracy("accuracy")
    middle = 0.0 if from_logits else 0.5

    def accuracy(labels: Any, answers: Any) -> Any:
        return keras.ops.cast((answers[:, 0] > middle) == (labels[:, 1] > 0.5), "float32")

    return lambda labels, answers: loss(labels[:, 1:], answers), accuracy


def fit_resumable(
    model: keras.Model,
    epoch_batches: Callable[[int], Batches],
    epochs: int,
    output_dir: Path,
    *,
    validate: Callable[[History], Mapping[str, float]] | None = None,
    tensorboard: bool = False,
    callbacks: Callbacks = (),
) -> History:
    """Trains a compiled model, resuming after the last finished epoch found in `output_dir`.

    Writes `checkpoints/`, `log.csv` and, on request, TensorBoard scalars. Of several workers the first one
    writes and validates, and all read: `output_dir` must be a folder that they share.

    Args:
        model: A compiled model, made in the scope of a `tf.distribute` strategy if it is to have several
            devices, see `distribution.Replicas`.
        epoch_batches: Maps an epoch's number to its batches; the same number, the same batches.
        epochs: Number of epochs in all.
        output_dir: Where everything goes.
        validate: Called after each epoch with the records before it; what it measures joins the log, as
            `validation_accuracy` and so on.
        tensorboard: Also write scalars for TensorBoard.
        callbacks: Callbacks of `model.fit`; what they keep among the optimiser's variables is resumed, too.

    Returns:
        One record an epoch.

    Raises:
        UserError: If there are callbacks and several devices.
    """
    replicas = Replicas(model)
    if callbacks and replicas.count > 1:
        raise UserError("callbacks, such as pruning, train on one device; leave the strategy away")
    folder = output_dir / "tensorboard"
    log_scalars = _tensorboard_writer(folder) if tensorboard and replicas.chief else None
    for callback in callbacks:
        callback.set_model(model)
    restored = restore_checkpoint(output_dir / "checkpoints", model)
    done, history = (restored[0], restored[1]["history"]) if restored else (0, [])
    if done and replicas.chief:  # a run may be killed between its checkpoint and what follows it
        remove_before(output_dir / "checkpoints", done)
        write_csv(output_dir / "log.csv", history)
    if 0 < done < epochs and replicas.chief:
        print(f"continuing after epoch {done} of {epochs}", flush=True)
    for epoch in range(done, epochs):
        start = time.perf_counter()
        several, batches = replicas.count > 1, epoch_batches(epoch)
        metrics = replicas.fit(batches) if several else _fit(model, batches, epoch, callbacks)
        record: dict[str, Any] = {"epoch": epoch + 1} | metrics
        if validate is not None and replicas.chief:
            record |= {f"validation_{name}": value for name, value in validate(history).items()}
        record["learning_rate"] = float(model.optimizer.learning_rate)
        record["seconds"] = round(time.perf_counter() - start, 2)
        history.append(record)
        if replicas.chief:
            if log_scalars is not None:  # before the checkpoint: a run that is killed here logs them again
                log_scalars(epoch + 1, record)
            save_checkpoint(output_dir / "checkpoints", epoch + 1, model, {"history": history})
            write_csv(output_dir / "log.csv", history)
            print(", ".join(f"{name} {value:.6g}" for name, value in record.items()), flush=True)
        replicas.wait()  # a later stage of another worker begins with this checkpoint
    return history


def _fit(model: keras.Model, batches: Batches, epoch: int, callbacks: Callbacks) -> dict[str, Any]:
    """Trains for one epoch; returns its loss and metrics."""
    fitted = model.fit(
        batches,
        initial_epoch=epoch,
        epochs=epoch + 1,
        shuffle=False,  # the batches are shuffled already
        callbacks=list(callbacks),
        verbose=1 if sys.stdout.isatty() else 0,
    )
    return {name: values[-1] for name, values in fitted.history.items()}


def _tensorboard_writer(folder: Path) -> Callable[[int, dict[str, Any]], None]:
    """Returns a function that logs the scalars of one epoch."""
    if importlib.util.find_spec("tensorboard") is None:
        raise missing_extra("tensorboard", "tensorboard")
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError("tensorboard: TensorFlow writes these files, and is not installed; leave it away")
    import tensorflow as tf  # here, because all else trains on Keras's other backends as well

    writer = tf.summary.create_file_writer(str(folder))

    def log(epoch: int, record: dict[str, Any]) -> None:
        with writer.as_default(epoch):
            for name, value in record.items():
                tf.summary.scalar(name, value)
        writer.flush()

    return log
