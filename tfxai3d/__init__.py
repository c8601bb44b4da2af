"""tfxai3d: why a 3D network decided what it did, and how much of that network can go.

Each room is imported on first use, so that `import tfxai3d` loads neither TensorFlow nor Open3D:
pictures are drawn by processes that must stay free of TensorFlow (docs/architecture.md says why).
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d import cli as cli
    from tfxai3d import data as data
    from tfxai3d import evaluate as evaluate
    from tfxai3d import explain as explain
    from tfxai3d import explorer as explorer
    from tfxai3d import features as features
    from tfxai3d import models as models
    from tfxai3d import papers as papers
    from tfxai3d import pruning as pruning
    from tfxai3d import results as results
    from tfxai3d import serve as serve
    from tfxai3d import storage as storage
    from tfxai3d import tensorboard as tensorboard
    from tfxai3d import training as training
    from tfxai3d import view as view

__version__ = "0.2.0"
__getattr__, __dir__ = lazy(__name__)
