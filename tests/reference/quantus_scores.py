"""Writes tests/files/quantus.npz: what Quantus 0.6.0 measures on images.

    pip install quantus tensorflow && python -m tests.reference.quantus_scores

For tests/evaluate/faithfulness/test_quantus.py. An image is a volume of depth 1, and a pixel that is set to 0
an emptied voxel.
"""

from pathlib import Path

import keras
import numpy as np
import quantus
import tensorflow as tf

SIZE, COUNT, STEP, DRAWS = 6, 4, 3, 4
SUBSETS = ((4, 16), (11, 16), (18, 16))  # pixels that go, and how often
SCALES = (1e-12, 1.0, 2.0)  # of the map: the first tells nothing, but Quantus refuses zeros
PLAIN = {"disable_warnings": True, "display_progressbar": False, "normalise": False}
RNG = np.random.default_rng(7)


def network():
    """Returns a network of two classes with drawn weights."""
    image = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, padding="same", activation="softplus")(image))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.set_weights([RNG.normal(0, 0.4, weight.shape) for weight in model.weights])
    return model


def gradient_times_input(model, inputs, targets, **_):
    """Returns the maps of images, channels first as Quantus takes them."""
    images = tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        score = tf.gather(model(images), targets, batch_dims=1)
    return np.moveaxis((tape.gradient(score, images) * images).numpy(), -1, 1)


class Recording:
    """Sets pixels to 0 as Quantus does, and keeps which are 0 after each call."""

    def __init__(self):
        self.gone = []

    def __call__(self, arr, indices, **_):
        changed = arr.copy()
        if isinstance(indices, tuple):  # a block of rows and columns
            changed.reshape(-1, 1, SIZE, SIZE)[(slice(None), *indices[-3:])] = 0
        else:
            np.put_along_axis(changed, indices, 0, axis=1)
        self.gone.append(changed == 0)
        return changed


def main():
    """Measures and writes."""
    model = network()
    images = RNG.uniform(0.2, 1, (COUNT, SIZE, SIZE, 1)).astype(np.float32)
    labels = np.arange(COUNT) % 2
    maps = gradient_times_input(model, images, labels)
    truth = np.zeros(maps.shape, bool)
    truth[..., 1:4, 2:5] = True
    found = {f"weight_{i}": weight for i, weight in enumerate(model.get_weights())}
    found |= {"images": images, "labels": labels, "maps": maps, "truth": truth}

    def score(metric, attributions=maps, **options):
        # Quantus changes arrays that it is given.
        return np.array(
            metric(model, images.copy(), labels.copy(), attributions.copy(), channel_first=False, **options)
        )

    found["gini"] = score(quantus.Sparseness(abs=True, **PLAIN))
    found["entropy"] = score(quantus.Complexity(abs=True, **PLAIN))
    flipping = quantus.PixelFlipping(features_in_step=STEP, abs=False, perturb_baseline=0.0, **PLAIN)
    found["flipping"] = score(flipping, softmax=True)

    np.random.seed(0)  # noqa: NPY002 - Quantus draws by it
    gone, correlations = [], []
    for size, runs in SUBSETS:
        record = Recording()
        metric = quantus.FaithfulnessCorrelation(
            nr_runs=runs, subset_size=size, abs=False, perturb_func=record, return_aggregate=False, **PLAIN
        )
        correlations.append(score(metric, softmax=False))
        gone += record.gone
    found["correlation"] = np.mean(correlations, axis=0)
    found["correlation_gone"] = np.stack(gone, axis=1)

    record = Recording()
    infidelity = quantus.Infidelity(
        perturb_patch_sizes=[2], n_perturb_samples=1, abs=False, perturb_func=record, **PLAIN
    )
    weights = maps / np.moveaxis(images, -1, 1)  # Quantus multiplies them by what is taken away
    values = []
    for scale in SCALES:
        record.gone.clear()
        values.append(score(infidelity, scale * weights, softmax=False))
    found["scales"], found["infidelity"] = np.array(SCALES), np.stack(values, axis=1)
    found["infidelity_gone"] = np.stack(record.gone, axis=1)

    noise = np.random.default_rng((0, 2)).normal(0, 0.01, (DRAWS, *images.shape))  # as a subject draws it
    moved = iter((images + noise.astype(np.float32)).reshape(DRAWS, COUNT, -1))
    robust = quantus.MaxSensitivity(
        nr_samples=DRAWS, perturb_func=lambda arr, indices, **_: next(moved), abs=False,
        return_nan_when_prediction_changes=False, **PLAIN,
    )  # fmt: skip
    found["max_sensitivity"] = score(robust, explain_func=gradient_times_input)
    logit = quantus.RandomLogit(
        num_classes=2, similarity_func=quantus.similarity_func.correlation_spearman, abs=False, **PLAIN
    )
    found["other_class"] = score(logit, explain_func=gradient_times_input)
    mass = quantus.RelevanceMassAccuracy(abs=False, **PLAIN)
    found["mass"] = score(mass, np.maximum(maps, 0), s_batch=truth)
    found["ranking"] = score(quantus.AUC(abs=False, **PLAIN), s_batch=truth)
    np.savez_compressed(Path(__file__).parents[1] / "files" / "quantus.npz", **found)
    for name, values in found.items():
        print(name, values.shape, values.dtype, values.ravel()[:4])


if __name__ == "__main__":
    main()
