"""The package's networks by name, as the apps and the presets call them."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from tfxai3d.errors import UserError

if TYPE_CHECKING:  # the names are needed for help, without Keras
    from tfxai3d.models.classifier import Classifier

_CLASSES = {
    "pointnet": "PointNet",
    "pointnet2": "PointNet2",
    "pointnetparts": "PointNetParts",
    "resnet3d": "ResNet3D",
    "vrn": "VRN",
}


SHIPPED = Path(__file__).parent / "shipped"
"""The folder of the presets that come with the package."""


def presets() -> list[str]:
    """Returns the names of the presets that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def architectures() -> list[str]:
    """Returns the names of all networks."""
    return sorted(_CLASSES)


def get(name: str) -> "type[Classifier]":
    """Returns the class of a network.

    Args:
        name: One of `architectures()`; presets write it as the class does, such as "PointNet2".

    Raises:
        UserError: If the name is unknown.
    """
    module = str(name).lower()
    if module not in _CLASSES:
        raise UserError(f"unknown network {name!r}; known are {', '.join(architectures())}")
    network: type[Classifier] = getattr(importlib.import_module(f"tfxai3d.models.{module}"), _CLASSES[module])
    return network
