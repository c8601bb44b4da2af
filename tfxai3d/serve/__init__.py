"""Where explainers run: in SavedModels, without this package, and beside a training."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.serve.drop_board import write_drop_curves as write_drop_curves
    from tfxai3d.serve.loaded_model import LoadedModel as LoadedModel
    from tfxai3d.serve.loaded_model import load as load
    from tfxai3d.serve.saved_model import export as export
    from tfxai3d.serve.tensorboard import MeshWriter as MeshWriter
    from tfxai3d.serve.training_callback import ExplainEveryEpochs as ExplainEveryEpochs

__getattr__, __dir__ = lazy(
    __name__,
    {
        "beam": (),
        "drop_board": ("write_drop_curves",),
        "loaded_model": ("LoadedModel", "load"),
        "saved_model": ("export",),
        "tensorboard": ("MeshWriter",),
        "training_callback": ("ExplainEveryEpochs",),
    },
)
