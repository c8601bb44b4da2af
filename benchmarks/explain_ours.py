"""tfxai3d's worker of explain.py; it also writes the preset's weights for the others."""

import os
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from benchmarks.explain_worker import Method, Settings, serve
from tfxai3d import explain, models
from tfxai3d.explain.engine.gradients import input_gradient

_SIMPLE = ("vanilla_gradient", "gradient_times_input", "guided_backprop", "deconvnet")


def build(settings: Settings) -> dict[str, Method]:
    """Returns the methods, and what integrated gradients consists of."""
    tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])
    model = models.from_preset(settings["network"])
    values = {"/".join(weight.path.split("/")[-2:]): np.asarray(weight) for weight in model.weights}
    with (Path(settings["folder"]) / "weights.npz").open("wb") as file:
        np.savez(file, **values)  # type: ignore[arg-type]
    size, steps = settings["batch_size"], settings["steps"]
    explainers = {name: explain.get(name)(model, batch_size=size) for name in _SIMPLE}
    by_rule = {  # PointNet++ searches its neighbours anew on the whole path, as the other libraries let it
        rule: explain.IntegratedGradients(model, steps, rule, batch_size=size, freeze_neighbors=False)
        for rule in ("gauss_legendre", "trapezoid")
    }
    network = by_rule["trapezoid"].network
    shape = (None, *model.input_shape[1:])
    signature = [tf.TensorSpec(shape, network.dtype), tf.TensorSpec((None,), tf.int32)]

    @tf.function(input_signature=signature, autograph=False)
    def one_pass(x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return input_gradient(network, x, target)[0]

    @tf.function(input_signature=signature[:1], autograph=False)
    def forward(x: tf.Tensor) -> tf.Tensor:
        return network(x)

    def bare(inputs: np.ndarray, targets: np.ndarray, rule: str) -> None:
        """As many passes forward and back as the integral takes, in batches of the same sizes."""
        total = steps * len(inputs)
        for start in range(0, total, size):
            index = np.arange(start, min(start + size, total)) % len(inputs)
            one_pass(tf.constant(inputs[index]), tf.constant(targets[index], tf.int32)).numpy()

    def ends(inputs: np.ndarray, targets: np.ndarray, rule: str) -> None:
        """The two ends of the paths, whose scores the completeness delta needs."""
        for start in range(0, len(inputs), size):
            forward(tf.constant(inputs[start : start + size])).numpy()
            forward(tf.zeros((1, *inputs.shape[1:]))).numpy()

    def simple(explainer: explain.Explainer) -> Method:
        return lambda inputs, targets, rule: explainer(inputs, targets).attributions

    return {
        **{name: simple(explainer) for name, explainer in explainers.items()},
        "integrated_gradients": lambda x, targets, rule: by_rule[rule](x, targets).attributions,
        "bare": bare,
        "ends": ends,
    }


if __name__ == "__main__":
    serve(build)
