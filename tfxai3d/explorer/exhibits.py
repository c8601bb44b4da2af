"""What is looked at, and what a page asks about it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import UpAxis

if TYPE_CHECKING:
    from tfxai3d.explain import Network


NO_QUESTION = "this is no question that the page asks; load the page again"


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """One object.

    Attributes:
        name: What it is called.
        inputs: float32, as the network takes it, without the axis of the batch.
        affine: Where its voxels are, see `Explanation.affine`; None if unknown.
        scan: Whether it is a volume that one looks at in slices, if not asked otherwise.
    """

    name: str
    inputs: np.ndarray
    affine: np.ndarray | None = None
    scan: bool = False


class Exhibits(Protocol):
    """Where objects come from."""

    def labels(self, network: Network) -> list[str]:
        """Returns the classes of which there are embedded objects that a network knows."""

    def embedded(self, label: str, number: int, network: Network | None) -> Exhibit:
        """Returns an embedded object; without a network as a cloud."""

    def of_file(self, path: Path, network: Network, up: UpAxis) -> Exhibit:
        """Returns the object of a file, whose meshes and clouds have this up axis."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked about which object.

    Attributes:
        network: The name of the network.
        label: The class of an embedded object.
        number: Which one of it.
        file: What an uploaded file is kept as; empty for an embedded object.
        up: The up axis of the file.
        target: The class to explain, or two as desk-table; empty for the predicted one.
    """

    network: str
    label: str = ""
    number: int = 0
    file: str = ""
    up: UpAxis = "y"
    target: str = ""

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> Question:
        """Reads what came over the wire.

        Raises:
            UserError: If it is no question.
        """
        found = {name: asked[name] for name in cls.__dataclass_fields__ if name in asked}
        question = cls(**{"network": "", **found})
        texts = (question.network, question.label, question.file, question.target)
        if not all(isinstance(text, str) for text in texts) or question.up not in ("y", "z"):
            raise UserError(NO_QUESTION)
        if type(question.number) is not int or question.number < 0:
            raise UserError("the number of an object is a whole number from 0")
        return question
