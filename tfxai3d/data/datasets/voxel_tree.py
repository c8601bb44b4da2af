"""ModelNet's meshes as occupancy grids, in several poses."""

import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfxai3d.data.datasets.modelnet import SplitName, modelnet_files
from tfxai3d.data.geometry import Mesh
from tfxai3d.data.readers.reading import read
from tfxai3d.data.voxelization import poses, voxelize
from tfxai3d.errors import UserError


def voxelize_modelnet_tree(
    folder: str | os.PathLike[str], split: SplitName = "test", num_poses: int = 1
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Voxelises the meshes of a ModelNet tree, `<class>/{train,test}/*.off`, solid, as `voxelize` does.

    Args:
        folder: The root of the tree.
        split: "train" or "test".
        num_poses: Copies of each mesh, turned about the up axis by equal angles; see `poses`.

    Returns:
        Grids uint8 (num_poses,M,32,32,32,1) of 0 and 1, labels int64 (M,) and the class names they count.

    Raises:
        UserError: If the folder is no such tree, or holds a file without a mesh.
    """
    paths, labels, names = modelnet_files(folder, split)
    grids = [
        [voxelize(turned) for turned in poses(_mesh(path), num_poses)] for path in tqdm(paths, disable=None)
    ]
    return np.stack(grids, axis=1)[..., None], labels, names


def _mesh(path: Path) -> Mesh:
    geometry = read(path)
    if not isinstance(geometry, Mesh):
        raise UserError(f"{path}: has no faces; export it as a mesh")
    return geometry
