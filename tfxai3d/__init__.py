"""tfxai3d: why a 3D network decided what it did, and how much of that network can go.

Each room is imported on first use, so that `import tfxai3d` loads neither TensorFlow nor Open3D:
pictures are drawn by processes that must stay free of TensorFlow (docs/architecture.md says why).
"""

from tfxai3d._lazy import lazy

__version__ = "0.1.0"
__getattr__, __dir__ = lazy(
    __name__,
    {
        "cli": (),
        "data": (),
        "evaluate": (),
        "explain": (),
        "features": (),
        "models": (),
        "pruning": (),
        "results": (),
        "serve": (),
        "storage": (),
        "tensorboard": (),
        "training": (),
        "view": (),
    },
)
