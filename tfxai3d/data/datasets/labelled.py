"""Test examples whose labels count the classes as a given model does."""

import os
from collections.abc import Sequence

import numpy as np

from tfxai3d.data import shapes
from tfxai3d.data.datasets.modelnet import MODELNET40_CLASSES, load_modelnet40
from tfxai3d.data.datasets.split import relabel
from tfxai3d.errors import UserError


def unseen_clouds(
    class_names: Sequence[str] | None,
    data_dir: str | os.PathLike[str] | None,
    num_points: int,
    num_shapes: int,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Loads clouds to try a trained model on; the shipped ones were trained on none of them.

    Args:
        class_names: The model's, None if it has no names.
        data_dir: Folder of the ModelNet40 HDF5 files, whose test split it is. None makes procedural shapes of
            the classes that the model knows.
        num_points: Points of a cloud.
        num_shapes: Number of procedural shapes.
        seed: Seed of theirs.

    Returns:
        Points, float32 (M,N,3), and labels, int (M,), as positions in `class_names`.

    Raises:
        UserError: If the model knows no procedural class, or not all of ModelNet40's.
    """
    if data_dir:
        points, labels = load_modelnet40(data_dir, "test", num_points)
        return points, relabel(labels, MODELNET40_CLASSES, class_names)
    known = tuple(name for name in shapes.SHAPE_CLASSES if name in (class_names or ()))
    if not known:
        raise UserError("the model knows none of the procedural classes; give --data_dir")
    # Odd seeds: training takes the even ones.
    made = shapes.make_dataset(num_shapes, num_points, 2 * seed + 1, known)
    return made.points, relabel(made.labels, known, class_names)
