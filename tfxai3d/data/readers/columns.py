"""What the columns of a cloud are called, whoever wrote the file."""

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tfxai3d.errors import UserError

_ALIASES = {
    "x": "px pos_x position_x x_coord coord_x x_coordinate easting points:0 points_0",
    "y": "py pos_y position_y y_coord coord_y y_coordinate northing points:1 points_1",
    "z": "pz pos_z position_z z_coord coord_z z_coordinate elevation points:2 points_2",
    "nx": "normal_x normalx n_x normals:0 normals_0",
    "ny": "normal_y normaly n_y normals:1 normals_1",
    "nz": "normal_z normalz n_z normals:2 normals_2",
    "red": "r diffuse_red color_red colorred",
    "green": "g diffuse_green color_green colorgreen",
    "blue": "b diffuse_blue color_blue colorblue",
    "intensity": "scalar_intensity",
}
_NAMES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}


def column_name(written: str) -> str:
    """Returns the one name of a column: lower case, no unit, `nx ny nz`, `red green blue`, `intensity`."""
    name = re.sub(r"\(.*?\)|\[.*?\]", "", written).strip(" \t\"'/").lower().replace(" ", "_")
    return _NAMES.get(name, name)


def column_names(count: int, usual: Mapping[int, Sequence[str]] | None = None) -> list[str]:
    """Returns the names of columns without a title: x y z, and `column_4` and so on.

    Args:
        count: How many.
        usual: What a format usually calls so many columns after x y z.
    """
    extra = (usual or {}).get(count - 3) or [f"column_{number}" for number in range(4, count + 1)]
    return [*"xyz"[:count], *extra]


def coordinates(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Parts columns by name into coordinates (N,3) and the rest, under their usual names.

    Raises:
        UserError: If x, y or z is missing.
    """
    written = {name.strip().lower() for name in columns}
    by_name: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        own, usual = name.strip().lower(), column_name(name)
        key = own if usual in written else usual  # the very name goes before what is only called so elsewhere
        by_name[key if key not in by_name else f"{key}_2"] = values
    if missing := [axis for axis in "xyz" if axis not in by_name]:
        known = " ".join(columns) or "none"
        raise UserError(f"has no column {missing[0]}, only {known}; give a cloud with x, y and z")
    return np.stack([by_name.pop(axis) for axis in "xyz"], axis=1), by_name


def wanted(known: Collection[str], features: int | Sequence[str]) -> list[str]:
    """Returns the names of the columns that a network takes after x y z.

    Args:
        known: The columns that there are.
        features: Their names, or how many, if there are so many.

    Raises:
        UserError: If one is missing.
    """
    held = ", ".join(known) or "none"
    if isinstance(features, int):
        if features and features != len(known):
            raise UserError(f"has {len(known)} columns after x y z ({held}), not {features}; name them")
        return list(known)[:features]
    names = list(map(column_name, features))
    if missing := [name for name in names if name not in known]:
        raise UserError(f"has no column {missing[0]!r}; it has {held}")
    return names


def single_precision(name: str, values: np.ndarray) -> np.ndarray:
    """Returns a column in single precision, float32 (N,).

    Raises:
        UserError: If a value is NaN, infinite or too large for it.
    """
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise UserError(f"has values in the column {name} that are NaN, infinite or too large")
    return single
