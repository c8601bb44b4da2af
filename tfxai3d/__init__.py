"""tfxai3d: why a 3D network decided what it did, and how much of it can go.

Each room is imported on first use, so that `import tfxai3d` loads neither TensorFlow nor Open3D:
pictures are drawn by processes that must stay free of TensorFlow (docs/architecture.md says why).
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["data", "evaluate", "explain", "models", "view"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"tfxai3d.{name}")
    raise AttributeError(f"module 'tfxai3d' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
