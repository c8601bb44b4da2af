"""Objects of which is known, point by point or voxel by voxel, what lies near an edge."""

import dataclasses
from collections.abc import Iterable, Iterator

import keras
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from tfxai3d import data
from tfxai3d.data.geometry import MIN_POINTS, Mesh
from tfxai3d.data.orientation import z_up_to_y_up
from tfxai3d.data.shapes import ShapeMesh
from tfxai3d.errors import UserError
from tfxai3d.evaluate.classification import classify
from tfxai3d.explain.engine.network import network
from tfxai3d.storage import AnyPath

_SHAPES_SEED = 1  # that of the test set of pointnet_shapes; no shipped network was trained on it
_POOL = 3  # so many procedural objects are drawn for each that is wanted
_SIZE, _EXTENT, _NEAR = 32, 24, 1.0  # of grids, in voxels


@dataclasses.dataclass(frozen=True)
class Marked:
    """Objects that a network classifies right, with what is near an edge and what is not.

    Objects of which fewer than `MIN_POINTS` places are the one, or the other, are left out.

    Attributes:
        inputs: Points (B,N,3) or occupancy (B,D,H,W,1), float32.
        labels: True classes, int (B,).
        edges: What lies near a crease or corner, bool (B,N) or (B,D,H,W).
        flat: What lies on the surface and not there; the inside of a solid is neither.
        total: How many objects the network was asked about.
    """

    inputs: np.ndarray
    labels: np.ndarray
    edges: np.ndarray
    flat: np.ndarray
    total: int

    @property
    def distance(self) -> np.ndarray:
        """How far from the centre each place is, the farthest of the object 1; (B,N) or (B,D,H,W)."""
        if self.inputs.ndim == 3:
            found = np.linalg.norm(self.inputs, axis=-1)
        else:
            shape = self.inputs.shape[1:4]
            grid = np.moveaxis(np.indices(shape), 0, -1) - (np.array(shape) - 1) / 2
            found = np.linalg.norm(grid, axis=-1) * (self.inputs[..., 0] > 0)
        return found / found.max(axis=tuple(range(1, found.ndim)), keepdims=True)


def marked_shapes(model: keras.Model, num_examples: int, num_points: int = 1024) -> Marked:
    """Draws procedural objects, of which all creases and corners are known exactly.

    Args:
        model: Its `class_names` tell which objects it knows; those that it classifies right are taken.
        num_examples: The most objects.
        num_points: Points of a cloud.

    Raises:
        UserError: If the model knows no procedural class, or classifies no object right.
    """
    known = data.known_shapes(model.class_names)
    drawn = data.shapes.draw_labels(_POOL * num_examples, len(known), _SHAPES_SEED)
    shapes = (data.shapes.draw_shape(known[label], _SHAPES_SEED, i) for i, label in enumerate(drawn))
    labels = data.relabel(drawn, known, model.class_names)
    return _marked(model, shapes, labels, num_examples, num_points)


def marked_meshes(model: keras.Model, folder: AnyPath, num_examples: int, num_points: int = 1024) -> Marked:
    """Reads CAD models, whose edges are found by the angles between their faces; see `shapes.cad_shape`.

    Args:
        model: Knows the classes of the folder; those that it classifies right are taken.
        folder: The test split of a data set of meshes, z up; see `data.open_dataset`.
        num_examples: The most objects.
        num_points: Points of a cloud.

    Raises:
        UserError: As `open_dataset`, if a file holds no mesh, or if the model classifies no object right.
    """
    split = data.open_dataset(folder, "points", class_names=model.class_names)
    return _marked(model, _cad_shapes([place.get("file") for place in split.where]), split.labels,
                   num_examples, num_points)  # fmt: skip


def _cad_shapes(paths: Iterable[str | None]) -> Iterator[ShapeMesh]:
    for path in paths:
        mesh = None if path is None else data.read(path)
        if not isinstance(mesh, Mesh):
            raise UserError(f"{path or 'the data set'}: holds no mesh; edges are known of meshes alone")
        yield data.shapes.cad_shape(mesh)


def _marked(
    model: keras.Model, shapes: Iterable[ShapeMesh], labels: np.ndarray, num_examples: int, num_points: int
) -> Marked:
    """Returns the first objects that a model classifies right, in the form that it takes."""
    voxels = network(model).kind == "voxels"
    bar = tqdm(shapes, total=len(labels), desc="edges", unit="object", disable=None)
    rows = [_voxels(shape) if voxels else _points(shape, num_points, i) for i, shape in enumerate(bar)]
    inputs, edges, flat = (np.stack(parts) for parts in zip(*rows, strict=True))
    fewest = np.minimum(*(mask.reshape(len(mask), -1).sum(axis=1) for mask in (edges, flat)))
    right = classify(model, inputs, labels).predicted == labels
    chosen = np.flatnonzero(right & (fewest >= MIN_POINTS))[:num_examples]
    if not len(chosen):
        raise UserError(f"none of {len(labels)} objects is classified right and has edges and planes")
    return Marked(inputs[chosen], labels[chosen], edges[chosen], flat[chosen], len(labels))


def _points(shape: ShapeMesh, num_points: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    cloud = data.shapes.sample_shape(shape, num_points, seed)
    flat = cloud.features == data.shapes.FLAT
    return cloud.points, ~flat, flat


def _voxels(shape: ShapeMesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns occupancy (D,H,W,1), the surface near creases and the rest of the surface, (D,H,W)."""
    mesh = shape.z_up()
    grid = data.voxelize(mesh, extent=_EXTENT, size=_SIZE).astype(bool)
    surface = grid & ~ndimage.binary_erosion(grid)
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    creases = (z_up_to_y_up(shape.edges) - (low + high) / 2) * (_EXTENT / (high - low).max()) + _SIZE / 2
    near = np.zeros_like(grid)
    near[surface] = data.shapes.segment_distance(np.argwhere(surface) + 0.5, creases) < _NEAR
    return grid[..., None].astype(np.float32), near, surface & ~near
