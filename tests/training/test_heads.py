"""The loss that a model is trained with is the cross entropy of its own probabilities, whatever its head."""

import keras
import numpy as np
import pytest

from tfxai3d.training import compile_classifier

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(6, 4)).astype("float32"), np.array([0, 1, 1, 0, 1, 0])
COLUMNS = {"logits": 3, "probabilities": 3, "sigmoids": 3, "binary": 1}
ACTIVATIONS = {"logits": None, "probabilities": "softmax", "sigmoids": "sigmoid", "binary": "sigmoid"}


def expected(head, p, smoothing):
    """Returns the mean cross entropy with smoothed labels, from the formulas, and how many are right."""
    classes = 2 if head == "binary" else 3
    one_hot = np.eye(classes)[LABELS]
    right = np.mean((p[:, 0] > 0.5) == LABELS if head == "binary" else p.argmax(axis=1) == LABELS)
    if head in ("logits", "probabilities"):
        soft = one_hot * (1 - smoothing) + smoothing / classes
        return -np.mean(np.sum(soft * np.log(p), axis=1)), right
    soft = (one_hot[:, 1:] if head == "binary" else one_hot) * (1 - smoothing) + smoothing / 2
    return -np.mean(soft * np.log(p) + (1 - soft) * np.log(1 - p)), right


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("head", COLUMNS)
def test_loss_and_accuracy(head, from_logits):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,))
    z = keras.layers.Dense(COLUMNS[head])(inputs)
    activation = {"logits": "softmax"}.get(head, ACTIVATIONS[head])
    p = keras.layers.Activation(activation)(z)
    model = keras.Model(inputs, z if from_logits else p)
    compile_classifier(
        model, steps=10, warmup_steps=1, label_smoothing=0.1, from_logits=from_logits, head=head
    )
    one_hot = np.eye(2 if head == "binary" else 3, dtype="float32")[LABELS]
    found = model.evaluate(X, one_hot, verbose=0)
    np.testing.assert_allclose(found, expected(head, keras.Model(inputs, p)(X).numpy(), 0.1), rtol=1e-4)
