"""The embedded data set: everyday objects, generated, with part and edge labels from their exact geometry."""

from tfxai3d.data.shapes.catalogue import (
    PART_NAMES,
    SHAPE_CLASSES,
    ShapesDataset,
    draw_cloud,
    draw_labels,
    draw_shape,
    make_dataset,
    make_shape,
)
from tfxai3d.data.shapes.mesh import CREASE_DEGREES, ShapeMesh
from tfxai3d.data.shapes.sampling import (
    CORNER,
    EDGE,
    FEATURE_NAMES,
    FEATURE_TOLERANCE,
    FLAT,
    LabelledCloud,
    sample_shape,
)

__all__ = [
    "CORNER",
    "CREASE_DEGREES",
    "EDGE",
    "FEATURE_NAMES",
    "FEATURE_TOLERANCE",
    "FLAT",
    "PART_NAMES",
    "SHAPE_CLASSES",
    "LabelledCloud",
    "ShapeMesh",
    "ShapesDataset",
    "draw_cloud",
    "draw_labels",
    "draw_shape",
    "make_dataset",
    "make_shape",
    "sample_shape",
]
