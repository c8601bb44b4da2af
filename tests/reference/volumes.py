"""A body like a CT's with a lesion, and a network that sees nothing else."""

import numpy as np

from tfxai3d.results.explanation import Explanation

SHAPE, LESION, RADIUS = (40, 32, 24), (29, 18, 8), 3
#: Voxels run to the left, the front and the head; they are 0.9 x 0.9 x 2.5 mm, a little oblique.
AFFINE = np.array([[-0.9, 0, 0.05, 20], [0, 0.9, 0, -30], [0.03, 0, 2.5, 100], [0, 0, 0, 1]])


def inside(shape=SHAPE, lesion=LESION, radius=RADIUS):
    """Returns which voxels are in the lesion."""
    return sum((axis - at) ** 2 for axis, at in zip(np.indices(shape), lesion, strict=True)) < radius**2


def body():
    """Returns the values in Hounsfield units, float32 (40,32,24): a body with lung, spine and lesion."""
    x, y, z = (axis / size for axis, size in zip(np.indices(SHAPE), SHAPE, strict=True))
    values = np.where((x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.17, 40.0, -1000.0)
    values[(x - 0.3) ** 2 / 2 + (y - 0.5) ** 2 + (z - 0.5) ** 2 / 4 < 0.02] = -800
    values[(x - 0.5) ** 2 + (y - 0.2) ** 2 < 0.004] = 400
    values += np.random.default_rng(0).normal(0, 10, SHAPE)
    values[inside()] = 900
    return values.astype(np.float32)


def blob_detector(channels=1):
    """Returns a network that answers with the sum of what is above 600 in the first channel."""
    import keras

    inputs = keras.Input((None, None, None, channels))
    above = keras.layers.Conv3D(1, 3, padding="same", activation="relu", name="above")
    pooled = keras.layers.GlobalAveragePooling3D()(above(inputs))
    kernel = np.zeros((3, 3, 3, channels, 1))
    kernel[..., 0, 0] = 1 / 27
    above.set_weights([kernel, np.array([-600.0])])
    return keras.Model(inputs, keras.layers.Concatenate()([-pooled, pooled]))


def explained(importance=None, values=None, affine=AFFINE, **changes):
    """Returns an explanation of a volume whose importance is in the lesion alone, or as given."""
    values = body()[..., None] if values is None else values
    importance = (inside() * 1.0 if importance is None else importance).astype(np.float32)
    arrays = {
        "inputs": values[None],
        "attributions": np.repeat(importance[None, ..., None], values.shape[-1], -1) / values.shape[-1],
        "importance": importance[None],
        "target": np.array([1]),
        "scores": np.array([[-3.0, 3.0]], np.float32),
        "affine": None if affine is None else affine[None],
    }
    texts = {"method": "vanilla_gradient", "options": {}, "kind": "voxels", "class_names": ("healthy", "ill")}
    return Explanation(**arrays | texts | changes)
