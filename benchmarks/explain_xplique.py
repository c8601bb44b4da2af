"""xplique's worker of explain.py, with our Keras model or, of points, the plain one of the same weights.

It needs an environment with xplique, in which tfxai3d can be imported.
"""

import os
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from xplique import attributions

from benchmarks.explain_worker import Method, NotSupported, Settings, serve
from tfxai3d import models


def build(settings: Settings) -> dict[str, Method]:
    """Returns the methods."""
    tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])
    model = models.from_preset(settings["network"])
    if settings["plain"]:
        model = _plain(model)
    arguments = {"batch_size": settings["batch_size"], "reducer": None}

    def made(explainer: Any) -> Method:
        def run(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
            one_hot = np.eye(model.output_shape[-1], dtype=np.float32)[targets]
            return np.asarray(explainer(x, one_hot))

        return run

    def missing(x: np.ndarray, targets: np.ndarray, rule: str) -> None:
        raise NotSupported("xplique finds only layers that are a keras.layers.ReLU or have it as activation")

    modified: dict[str, Method] = {"guided_backprop": missing, "deconvnet": missing}
    if settings["plain"]:
        modified = {
            "guided_backprop": made(attributions.GuidedBackprop(model, **arguments)),
            "deconvnet": made(attributions.DeconvNet(model, **arguments)),
        }
    return {
        "vanilla_gradient": made(_Gradient(model, **arguments)),
        "gradient_times_input": made(attributions.GradientInput(model, **arguments)),
        **modified,
        "integrated_gradients": made(
            attributions.IntegratedGradients(model, steps=settings["steps"], **arguments)
        ),
    }


class _Gradient(attributions.Saliency):
    """Saliency without the absolute value that it ends with, to compare the signs too."""

    def explain(self, inputs: Any, targets: Any) -> Any:
        """Returns the gradient."""
        return self.batch_gradient(self.model, inputs, targets, self.batch_size)


def _plain(model: Any) -> keras.Model:
    """Returns the same network layer by layer in plain Keras, as the tests have it."""
    from tests.reference.layered_pointnet2 import layered_pointnet2
    from tests.reference.plain_pointnet import copy_weights, plain_pointnet

    build = layered_pointnet2 if isinstance(model, models.PointNet2) else plain_pointnet
    plain: keras.Model = build(model.num_classes)
    copy_weights(model, plain)
    return plain


if __name__ == "__main__":
    serve(build)
