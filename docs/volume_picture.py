"""Draws the picture of docs/guides/volumes.md: a synthetic scan with a lesion, by the network for it.

python docs/volume_picture.py

Writes pictures/volume.png, and scan.nii.gz and blobs.keras for the command there into the working directory.
"""

from pathlib import Path

import keras
import nibabel
import numpy as np
from PIL import Image

from tfxai3d import explain, view

PICTURE = Path(__file__).parent / "pictures" / "volume.png"
WIDTH = 800
SHAPE, LESION, SPACING = (80, 64, 40), (57, 38, 14), (1.5, 1.5, 3.0)


def main() -> None:
    """Makes scan and network, explains the answer and draws it."""
    affine = np.diag([-SPACING[0], *SPACING[1:], 1.0])  # the voxels run to the left, the front and the head
    values, model = scan(), network()
    nibabel.save(nibabel.Nifti1Image(values, affine), "scan.nii.gz")
    model.save("blobs.keras")
    net = explain.network(model, "voxels", class_names=["healthy", "lesion"])
    explanation = explain.GradCAM(net, layer="blobs")(values[None, ..., None])
    in_frame = explain.Explanation(**{**vars(explanation), "affine": affine[None]})
    view.render_png(PICTURE, in_frame, window=(-200, 300))
    with Image.open(PICTURE) as picture:
        small = picture.convert("RGB").resize((WIDTH, WIDTH * picture.height // picture.width))
    small.quantize(256).save(PICTURE, optimize=True)


def scan() -> np.ndarray:
    """Returns values like those of a CT in Hounsfield units, with a lesion brighter than its tissue."""
    x, y, z = (SPACING[axis] * grid for axis, grid in enumerate(np.indices(SHAPE)))
    values = np.where(((x - 60) / 54) ** 2 + ((y - 48) / 42) ** 2 < 1, 40.0, -1000.0)
    for middle in (38, 82):
        values[((x - middle) / 15) ** 2 + ((y - 52) / 24) ** 2 + ((z - 60) / 52) ** 2 < 1] = -850
    values[(x - 60) ** 2 + (y - 16) ** 2 < 64] = 500
    values += np.random.default_rng(0).normal(0, 15, SHAPE)
    apart = sum((grid - SPACING[axis] * LESION[axis]) ** 2 for axis, grid in enumerate((x, y, z)))
    values[apart < 6**2] = 160
    return values.astype(np.float32)


def network() -> keras.Model:
    """Returns a network that finds what is bright, not as bone is, and about a centimetre wide."""
    inputs = keras.Input((None, None, None, 1))
    bright = keras.layers.Conv3D(2, 1, activation="relu", name="bright")(inputs)  # above 90, and above 250
    blobs = keras.layers.Conv3D(1, 5, padding="same", activation="relu", name="blobs")(bright)
    found = keras.layers.GlobalMaxPooling3D()(blobs)
    model = keras.Model(inputs, keras.layers.Concatenate()([1 - found, found - 1]))
    model.get_layer("bright").set_weights([np.ones((1, 1, 1, 1, 2)), np.array([-90.0, -250.0])])
    kernel = np.tile(np.reshape([1.0, -8.0], (2, 1)) / 5**3 / 20, (5, 5, 5, 1, 1))
    model.get_layer("blobs").set_weights([kernel, np.zeros(1)])
    return model


if __name__ == "__main__":
    main()
