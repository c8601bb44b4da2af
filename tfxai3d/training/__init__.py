"""How a network is made, and made again: recipes, fitting that survives a kill, teachers, wider copies."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.training.distillation import soften_labels as soften_labels
    from tfxai3d.training.distribution import Replicas as Replicas
    from tfxai3d.training.fit import History as History
    from tfxai3d.training.fit import compile_classifier as compile_classifier
    from tfxai3d.training.fit import fit_resumable as fit_resumable
    from tfxai3d.training.net2net import widened as widened
    from tfxai3d.training.pruned import PruningRecipe as PruningRecipe
    from tfxai3d.training.pruned import prune as prune
    from tfxai3d.training.staged import TrainingRecipe as TrainingRecipe
    from tfxai3d.training.staged import train as train

__getattr__, __dir__ = lazy(__name__)
