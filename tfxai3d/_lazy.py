"""Importing a package's names on first use, so that importing the package loads nothing heavy."""

import ast
import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any


def lazy(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns a package's `__getattr__` and `__dir__` (PEP 562), made from its `if TYPE_CHECKING:` block.

    The block holds an import of each public name, `from home import name as name`, so type checkers read the
    same lines that decide what is imported on first use; a public submodule comes from the package itself. A
    name that is a submodule's as well is a ValueError: once imported, the module would hide it.
    """
    homes = _homes(inspect.getsource(sys.modules[package]))
    submodules = {home.removeprefix(f"{package}.").split(".")[0] for home in homes.values()}
    if hidden := [name for name, home in homes.items() if name in submodules and home != package]:
        raise ValueError(f"{package}: a submodule hides its name {min(hidden)!r}")

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(homes[name]), name)

    def __dir__() -> list[str]:
        return sorted(homes)

    return __getattr__, __dir__


def _homes(source: str) -> dict[str, str]:
    """Returns the module that each name of the `if TYPE_CHECKING:` block is imported from."""
    ifs = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    blocks = [node.body for node in ifs if ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [line for block in blocks for line in block if isinstance(line, ast.ImportFrom)]
    return {alias.name: str(line.module) for line in imports for alias in line.names}
