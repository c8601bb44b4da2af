"""The table of the models' conformance suite: a new network is one more line."""

import dataclasses
from typing import Any

import numpy as np

from tests.reference.plain_pointnet import randomise
from tests.reference.precision import precision
from tfxai3d import models

NAMES = ("chair", "cup", "lamp", "sofa")
_RNG = np.random.default_rng(0)
POINTS = _RNG.uniform(-0.5, 0.5, (4, 40, 3))
# Not binary: with equal values in its windows a max pool has no derivative.
VOXELS = _RNG.random((4, 16, 16, 16, 1))


@dataclasses.dataclass(frozen=True)
class Case:
    """A network, the options of a small one, examples, and whether their points may come in any order."""

    network: str
    options: dict[str, Any]
    inputs: np.ndarray
    any_order: bool = False

    @property
    def places(self):
        """The places of the examples that get scores: the examples themselves, or their points."""
        return self.inputs.shape[: 2 if models.get(self.network).segments else 1]

    @property
    def labels(self):
        """A class for each of them."""
        return np.broadcast_to(np.arange(4).reshape(4, *[1] * (len(self.places) - 1)), self.places)

    def build(self, dtype="float32", **changes):
        """Returns the network in a dtype, with the same random weights and statistics every time."""
        with precision(dtype):
            model = models.get(self.network)(4, class_names=NAMES, **self.options | changes)
        randomise(model)
        return model


CASES = {
    "pointnet": Case("pointnet", {}, POINTS, any_order=True),
    "pointnet_basic": Case("pointnet", {"variant": "basic"}, POINTS, any_order=True),
    "pointnet2_ssg": Case("pointnet2", {"density": 0.06}, POINTS),
    "pointnet2_msg": Case("pointnet2", {"variant": "msg", "density": 0.06}, POINTS),
    "pointnetparts": Case("pointnetparts", {"width": 0.25}, POINTS, any_order=True),
    "resnet3d": Case("resnet3d", {"width": 0.125, "mean": [0.5], "std": [0.3]}, VOXELS),
    "vrn": Case("vrn", {"width": 0.125, "size": 16}, VOXELS),
}
