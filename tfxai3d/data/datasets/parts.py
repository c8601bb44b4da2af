"""Procedural shapes with the part that each point lies on."""

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from tfxai3d.data import shapes
from tfxai3d.data.datasets.listing import SplitName
from tfxai3d.data.datasets.split import Split, Stored
from tfxai3d.data.orientation import rotated_points
from tfxai3d.errors import UserError


def seed_of(split: SplitName, seed: int) -> int:
    """Returns the seed of the shapes of a split: training takes the even ones and tests the odd ones.

    Raises:
        UserError: If it is neither.
    """
    if split == "val":
        raise UserError("procedural shapes have no split val; take another seed of train")
    return 2 * seed + (split == "test")


def open_parts(
    split: SplitName, num_points: int, num_examples: int, class_names: Sequence[str] | None, seed: int
) -> Split:
    """Makes procedural shapes whose labels (M,N) are the parts of the points, see `shapes.draw_parts`.

    Args:
        split: Which.
        num_points: Points of a cloud.
        num_examples: How many shapes.
        class_names: The parts that a model knows, such as "chair/leg": the shapes are of the classes all of
            whose parts it knows. By default all parts of all classes.
        seed: Seed of the shapes, 0 or more.

    Raises:
        UserError: If the model knows no class, or the split is another one.
    """
    names = tuple(class_names or shapes.SHAPE_PARTS)
    classes = [name for name in shapes.SHAPE_CLASSES if set(shapes.parts_of(name)) <= set(names)]
    if not classes:
        raise UserError("the model knows the parts of no procedural class; give another model")
    seed = seed_of(split, seed)
    order = shapes.draw_labels(num_examples, len(classes), seed)
    progress = enumerate(tqdm(order, unit="cloud", disable=None, delay=2))
    drawn = [shapes.draw_parts(classes[label], num_points, seed, number) for number, label in progress]
    points, parts = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    numbers = np.array([names.index(name) if name in names else -1 for name in shapes.SHAPE_PARTS])
    where = [{"index": i, "dataset": f"shapes, seed {seed}"} for i in range(num_examples)]
    return Split(numbers[parts], names, where, Stored(points, rotated_points))
