"""What the pages take for granted: the files that their commands name, and variables, all small."""

import importlib.util
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import laspy
import nibabel
import numpy as np

from tests.docs.pages import ROOT
from tests.test_own_network import of_points, of_voxels
from tfxai3d import data, models
from tfxai3d.models import vrn

RANDOM = np.random.default_rng(0)


def make(folder: Path) -> None:
    """Writes models and objects by the names that the pages give them."""
    keras.utils.set_random_seed(3)
    of_points().save(folder / "my_pointnet.keras")
    of_voxels().save(folder / "my.keras")
    x = keras.layers.Dense(8, "relu")(street := keras.Input((None, 4)))
    head = keras.layers.Dense(2)(keras.layers.GlobalMaxPooling1D()(x))
    keras.Model(street, head).save(folder / "my_street.keras")
    blobs().save(folder / "blobs.keras")

    chair = data.shapes.make_shape("chair", 0)
    points, faces = chair.vertices, chair.faces
    lines = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
    lines += [*(f"property float {axis}" for axis in "xyz"), f"element face {len(faces)}"]
    lines += ["property list uchar int vertex_indices", "end_header"]
    lines += [" ".join(map(str, row)) for row in points] + ["3 " + " ".join(map(str, row)) for row in faces]
    for name in ("chair.ply", "bunny.ply"):
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    off = ["OFF", f"{len(points)} {len(faces)} 0", *lines[lines.index("end_header") + 1 :]]
    for name in ("plane.off", "my_meshes/train/chair/a.off", "my_meshes/train/cup/b.off"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(off) + "\n", encoding="utf-8")

    volume = RANDOM.normal(0, 100, (16, 16, 16)).astype(np.float32)
    for name in ("scan.nii.gz", "brain.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1.5, -1.5, 3, 1])), folder / name)
    scan = laspy.create(point_format=6, file_version="1.4")
    scan.x, scan.y, scan.z = RANDOM.uniform(0, 19, (3, 300))
    scan.intensity = RANDOM.integers(0, 1000, 300).astype(np.uint16)
    scan.write(folder / "scan.laz")


def names_of(page: str, folder: Path) -> dict[str, Any]:
    """Returns the variables that a page takes for granted."""
    model = keras.saving.load_model(folder / "my_pointnet.keras")
    own: dict[str, Any] = {"model": model, "points": RANDOM.uniform(-1, 1, (2, 64, 3)).astype("float32")}
    if page.endswith("backward_rules.md"):
        own["model"] = models.PointNet(3, "basic")
        with mock.patch.object(vrn, "KEEP", ((0.6,),)):  # one block in place of twelve
            own["vrn"] = models.VRN(10, 0.125)
        own["voxels"] = RANDOM.integers(0, 2, (1, 32, 32, 32, 1))
    if page.endswith("volumes.md"):
        own["model"] = blobs()
    if page.endswith("data.md"):
        own |= {"of_points": np.arange(300.0), "of_voxels": np.ones((32, 32, 32)), "explainer": _Constant()}
    return own


def small(name: str) -> models.PointNet:
    """Returns a small network in the place of a preset of points, which must be one."""
    assert name in models.presets()
    assert name.startswith("pointnet_")
    return models.PointNet(40, "basic", class_names=data.MODELNET40_CLASSES)


def blobs() -> keras.Model:
    """Returns the network of docs/guides/volumes.md."""
    spec = importlib.util.spec_from_file_location("volume_picture", ROOT / "docs" / "volume_picture.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.network()


class _Constant:
    """Stands for any explainer of points."""

    def __call__(self, points: np.ndarray) -> Any:
        self.importance = np.ones(points.shape[:2], np.float32)
        return self
