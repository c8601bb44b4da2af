"""What the flags say of a training: its recipe and its data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from absl import flags

from tfxai3d import data
from tfxai3d.results.explanation import DataKind

Recipe = TypeVar("Recipe")


def from_flags(recipe: type[Recipe]) -> Recipe:
    """Returns a dataclass each of whose fields is the flag of its name."""
    fields: Sequence[dataclasses.Field[Any]] = dataclasses.fields(recipe)  # type: ignore[arg-type]
    return recipe(**{field.name: flags.FLAGS[field.name].value for field in fields})


def open_splits(
    kind: DataKind, num_points: int, class_names: tuple[str, ...] | None = None
) -> tuple[data.Split, data.Split]:
    """Opens both splits of --data_dir, or makes --num_train and --num_test procedural shapes."""
    args = flags.FLAGS
    options: dict[str, Any] = {"num_points": num_points, "class_names": class_names, "seed": args.seed}
    train, test = (None, None) if args.data_dir else (args.num_train, args.num_test)
    return (
        data.open_dataset(args.data_dir, kind, "train", num_examples=train, **options),
        data.open_dataset(args.data_dir, kind, "test", num_examples=test, **options),
    )
