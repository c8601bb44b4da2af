"""The classes by name, and data sets drawn from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfxai3d.data.shapes import seating, storage, things, vehicles, vessels
from tfxai3d.data.shapes.fittings import Rng
from tfxai3d.data.shapes.mesh import ShapeMesh, assemble, rotated
from tfxai3d.data.shapes.sampling import (
    LabelledCloud,
    random_generator,
    sample_shape,
    surface_points,
    unit_sphere,
)
from tfxai3d.data.shapes.solids import Parts
from tfxai3d.data.shapes.touching import touched_parts
from tfxai3d.errors import UserError

# fmt: off
_BUILDERS: dict[str, Callable[[Rng], Parts]] = {build.__name__: build for build in (
    seating.bed, seating.bench, seating.chair, seating.sofa, seating.stool,
    storage.bookshelf, storage.desk, storage.dresser, storage.night_stand, storage.table,
    things.cone, things.guitar, things.lamp, things.laptop, things.monitor, things.stairs, things.tent,
    vehicles.airplane, vehicles.car,
    vessels.bathtub, vessels.bottle, vessels.bowl, vessels.cup, vessels.toilet, vessels.vase,
)}
# fmt: on

# The builders' fronts look along +z; ModelNet40's HDF5 files rotate some classes differently. The
# quarter turns are those at which a network trained on ModelNet40 recognises the class.
_QUARTERS = {"bathtub": 1, "bed": 2, "chair": 2, "desk": 1, "monitor": 1, "sofa": 1, "stairs": 1, "toilet": 2}

SHAPE_CLASSES: tuple[str, ...] = tuple(sorted(_BUILDERS))
"""The classes the generator knows, in ModelNet40's spelling."""

_PARTS = {
    "airplane": "engine fin fuselage propeller tailplane wing",
    "bathtub": "body faucet leg",
    "bed": "canopy footboard frame headboard leg mattress pillow",
    "bench": "arm back leg rail seat",
    "bookshelf": "back books divider shelf side",
    "bottle": "body cap neck",
    "bowl": "body foot",
    "car": "body cabin wheel",
    "chair": "arm back column foot leg rail seat slat",
    "cone": "base cone",
    "cup": "body handle saucer",
    "desk": "cabinet drawer handle leg panel shelf top",
    "dresser": "base cabinet drawer handle leg mirror top",
    "guitar": "body bridge head neck peg",
    "lamp": "foot pole shade",
    "laptop": "base keyboard screen touchpad",
    "monitor": "back foot neck screen",
    "night_stand": "base cabinet drawer handle leg shelf top",
    "sofa": "arm back base cushion leg",
    "stairs": "post rail riser step stringer",
    "stool": "column foot leg rail seat",
    "table": "apron column foot leg rail top",
    "tent": "pole porch roof valance wall",
    "toilet": "base bowl lid seat tank",
    "vase": "body foot handle",
}


def parts_of(name: str) -> tuple[str, ...]:
    """Returns all parts that shapes of a class can have, such as "chair/leg"."""
    return tuple(f"{name}/{part}" for part in _PARTS[name].split())


SHAPE_PARTS: tuple[str, ...] = tuple(part for name in SHAPE_CLASSES for part in parts_of(name))
"""Every part of every class, such as "chair/leg"."""

PART_NAMES: tuple[str, ...] = tuple(sorted({name.partition("/")[2] for name in SHAPE_PARTS}))
"""Every part name of every class."""


@dataclass(frozen=True)
class ShapesDataset:
    """Labelled clouds, stacked."""

    points: npt.NDArray[np.float32]  # float32 (M, N, 3), each cloud centred and scaled to the unit sphere
    labels: npt.NDArray[np.int64]  # int64 (M,), index into `classes`
    parts: npt.NDArray[np.int64]  # int64 (M, N), index into `PART_NAMES`
    features: npt.NDArray[np.int8]  # int8 (M, N): FLAT, EDGE or CORNER
    classes: tuple[str, ...]  # the names of the labels


def make_shape(name: str, seed: int) -> ShapeMesh:
    """Builds a random shape of a class, rotated as the class is in ModelNet40's HDF5 files.

    Args:
        name: One of `SHAPE_CLASSES`.
        seed: Seed of its proportions and structure, 0 or more; equal seeds make equal shapes.

    Raises:
        UserError: If the class is unknown or the seed negative.
    """
    _check_classes([name])
    mesh = assemble(_BUILDERS[name](random_generator(seed)))
    return rotated(mesh, _QUARTERS.get(name, 0))


def make_dataset(
    num_examples: int, num_points: int = 1024, seed: int = 0, classes: Sequence[str] = SHAPE_CLASSES
) -> ShapesDataset:
    """Draws labelled clouds, the classes balanced and shuffled.

    Example i depends on `seed`, i, `num_points` and `classes` only, never on `num_examples`. Use
    different seeds for training and test sets.

    Args:
        num_examples: How many clouds.
        num_points: Points of each, at least 2.
        seed: Seed of the set, 0 or more.
        classes: The classes to draw from; labels index into them.

    Raises:
        UserError: If there is an unknown class or none, no example, too few points, or a negative seed.
    """
    _check_classes(classes)
    if num_examples < 1:
        raise UserError(f"num_examples is {num_examples}: it must be at least 1")
    order = draw_labels(num_examples, len(classes), seed)
    clouds = [draw_cloud(classes[label], num_points, seed, i) for i, label in enumerate(order)]
    return ShapesDataset(
        points=np.stack([cloud.points for cloud in clouds]),
        labels=order,
        parts=np.stack([_global_parts(cloud) for cloud in clouds]),
        features=np.stack([cloud.features for cloud in clouds]),
        classes=tuple(classes),
    )


def _check_classes(names: Sequence[str]) -> None:
    unknown = sorted(set(names) - set(SHAPE_CLASSES))
    if unknown or not names:
        wrong = f"unknown shape {', '.join(map(repr, unknown))}" if unknown else "no shape class"
        raise UserError(f"{wrong}: choose from {', '.join(SHAPE_CLASSES)}")


def draw_labels(num_examples: int, num_classes: int, seed: int) -> npt.NDArray[np.int64]:
    """Draws the labels (M,) of a set: each block of `num_classes` has every class once, in random order."""
    random_generator(seed)  # a negative seed is the user's error
    blocks = range(-(-num_examples // num_classes))
    rows = [np.random.default_rng([seed, block, 1]).permutation(num_classes) for block in blocks]
    return np.concatenate(rows)[:num_examples]


def draw_shape(name: str, seed: int, number: int) -> ShapeMesh:
    """Builds the shape of example `number` of the set of a seed, if it is of this class."""
    return make_shape(name, _seeds(seed, number)[0])


def draw_cloud(name: str, num_points: int, seed: int, number: int) -> LabelledCloud:
    """Samples the shape of example `number` of the set of a seed, if it is of this class."""
    return sample_shape(draw_shape(name, seed, number), num_points, _seeds(seed, number)[1])


def draw_parts(
    name: str, num_points: int, seed: int, number: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Returns the points of `draw_cloud` and the part of each, without what else it tells.

    A point where parts touch is on all of them, and which of them it was drawn from cannot be seen. Here it
    is of the first by name, so that the place of a point decides its part.

    Returns:
        Points, float32 (N,3), and their parts, int64 (N,), index into `SHAPE_PARTS`.
    """
    mesh = draw_shape(name, seed, number)
    points, faces = surface_points(mesh, num_points, random_generator(_seeds(seed, number)[1]))
    centre, radius = unit_sphere(points)
    numbers = np.array([SHAPE_PARTS.index(f"{name}/{part}") for part in mesh.part_names])
    parts = np.where(touched_parts(mesh, points, faces), numbers, len(SHAPE_PARTS)).min(axis=1)
    return ((points - centre) / radius).astype(np.float32), parts


def _seeds(seed: int, number: int) -> tuple[int, int]:
    """Returns the seeds of an example's shape and of its points."""
    shape_seed, point_seed = np.random.SeedSequence([seed, number]).generate_state(2, np.uint64)
    return int(shape_seed), int(point_seed)


def _global_parts(cloud: LabelledCloud) -> npt.NDArray[np.int64]:
    return np.array([PART_NAMES.index(name) for name in cloud.part_names])[cloud.parts]
