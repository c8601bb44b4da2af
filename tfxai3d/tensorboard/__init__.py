"""What TensorBoard shows: explanations, dropping and pruning."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.tensorboard.drop_curves import write_drop_curves as write_drop_curves
    from tfxai3d.tensorboard.explain_epochs import ExplainEveryEpochs as ExplainEveryEpochs
    from tfxai3d.tensorboard.meshes import MeshWriter as MeshWriter
    from tfxai3d.tensorboard.pruning_logger import PruningLogger as PruningLogger

__getattr__, __dir__ = lazy(__name__)
