"""Whether a model and its explanations can be trusted."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.evaluate.classification import Classification as Classification
    from tfxai3d.evaluate.classification import classify as classify
    from tfxai3d.evaluate.drop_modes import MIRRORED as MIRRORED
    from tfxai3d.evaluate.drop_modes import MODES as MODES
    from tfxai3d.evaluate.drop_modes import dropped_points as dropped_points
    from tfxai3d.evaluate.drop_modes import random_points as random_points
    from tfxai3d.evaluate.point_drop import DropRun as DropRun
    from tfxai3d.evaluate.point_drop import DropStep as DropStep
    from tfxai3d.evaluate.point_drop import drop_points as drop_points
    from tfxai3d.evaluate.rotations import RotationTest as RotationTest
    from tfxai3d.evaluate.rotations import random_rotations as random_rotations

__getattr__, __dir__ = lazy(
    __name__,
    {
        "classification": ("Classification", "classify"),
        "drop_modes": ("MIRRORED", "MODES", "dropped_points", "random_points"),
        "point_drop": ("DropRun", "DropStep", "drop_points"),
        "rotations": ("RotationTest", "random_rotations"),
    },
)
