"""On what the experiments are done: which data, how many objects, which networks."""

import dataclasses
import functools
from pathlib import Path

import numpy as np

from tfxai3d import data, models
from tfxai3d.errors import UserError


@dataclasses.dataclass(frozen=True)
class Size:
    """How much of everything.

    Attributes:
        examples: Objects that a network is evaluated on; None for all.
        maps: Objects whose maps are measured.
        dropped: Objects of each class that lose points.
        classes: Classes that lose points; None for all.
        rotations: Rotated copies that test a decision.
        points: Points of a cloud that loses points.
        steps: Of integrated gradients.
    """

    examples: int | None
    maps: int
    dropped: int
    classes: int | None
    rotations: int
    points: int
    steps: int


QUICK = Size(examples=60, maps=6, dropped=1, classes=4, rotations=10, points=512, steps=20)
FULL = Size(examples=None, maps=100, dropped=1, classes=None, rotations=500, points=2048, steps=50)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all experiments share.

    Attributes:
        size: How much of everything.
        modelnet40: Folder of ModelNet40 for points; None for procedural objects.
        modelnet10: Folder of ModelNet10's voxels; None for procedural objects.
        seed: Of what is drawn.
    """

    size: Size
    modelnet40: Path | None = None
    modelnet10: Path | None = None
    seed: int = 0

    @functools.cache  # noqa: B019 - a setting lives as long as the program
    def network(self, preset: str) -> models.Classifier:
        """Returns a shipped network, loaded once."""
        return models.from_preset(preset)

    def objects(self, preset: str, count: int | None, num_points: int = 1024) -> data.Split:
        """Returns test objects of the classes that a shipped network knows, none of them empty."""
        model = self.network(preset)
        voxels = model.data_kind == "voxels"
        source = self.modelnet10 if voxels else self.modelnet40
        wanted = count if source is None else None
        split = data.open_dataset(
            source,
            model.data_kind,
            num_points=num_points,
            num_examples=wanted,
            class_names=model.class_names,
            seed=self.seed,
        )
        if voxels:
            split = split[np.flatnonzero(~data.find_empty(split.inputs))]
        return split if count is None else split.spread(count)

    def named(self, preset: str, names: tuple[str, ...], num_points: int = 1024) -> data.Split:
        """Returns the first test object of each of some classes, in this order.

        Raises:
            UserError: If there is none of a class.
        """
        split = self.objects(preset, None if self.source(preset) else 400, num_points)
        chosen = []
        for name in names:
            found = np.flatnonzero(split.labels == split.class_names.index(name))
            if not len(found):
                raise UserError(f"{self.source(preset)}: holds no test object of {name!r}")
            chosen.append(int(found[0]))
        return split[chosen]

    def source(self, preset: str) -> Path | None:
        """Returns the folder of the network's data, None for procedural objects."""
        return self.modelnet10 if self.network(preset).data_kind == "voxels" else self.modelnet40

    def words(self, preset: str) -> str:
        """Returns in words what a network's objects are."""
        source = self.source(preset)
        return f"test objects of {source.name}" if source else "procedural objects"
