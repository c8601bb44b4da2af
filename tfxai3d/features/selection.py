"""Which units of a network are meant: classes by name, or channels by number."""

from collections.abc import Sequence

from tfxai3d.errors import UserError

_FIRST = 8


def unit_numbers(units: Sequence[str] | None, class_names: Sequence[str] = ()) -> list[int]:
    """Returns the numbers of units that are given by name or by number.

    Args:
        units: Class names, or numbers from 0 as text; None for the first 8.
        class_names: Of the classes; empty where the units are channels.

    Raises:
        UserError: If there is no unit, or one is neither a class nor a number.
    """
    if units is None:
        return list(range(min(_FIRST, len(class_names) or _FIRST)))
    if not units:
        raise UserError("units names no unit; give classes or numbers")
    names = list(class_names)
    for unit in units:
        if unit not in names and not (unit.isascii() and unit.isdigit()):
            what = f"the classes {', '.join(names)}" if names else "numbers from 0, such as 0,1,2"
            raise UserError(f"units: {unit!r} is no unit; give {what}")
    return [names.index(unit) if unit in names else int(unit) for unit in units]
