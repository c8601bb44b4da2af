"""Importing a package's names on first use, so that importing the package loads nothing heavy."""

import importlib
from collections.abc import Callable
from typing import Any


def lazy(
    package: str, homes: dict[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns a module's `__getattr__` and `__dir__` (PEP 562).

    Args:
        package: The package's `__name__`.
        homes: Public names by the submodule that defines them, or by the full name of another room's module;
            a submodule without names is public itself.

    Raises:
        ValueError: If a public name is a submodule's as well: once imported, the module would hide it.
    """
    module_of = {name: module for module, names in homes.items() for name in names}
    if hidden := module_of.keys() & homes.keys():
        raise ValueError(f"{package}: a submodule hides its name {min(hidden)!r}")
    modules = {module for module, names in homes.items() if not names}

    def __getattr__(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        if name in module_of:
            home = module_of[name]
            home = home if home.startswith("tfxai3d.") else f"{package}.{home}"
            return getattr(importlib.import_module(home), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*module_of, *modules})

    return __getattr__, __dir__
