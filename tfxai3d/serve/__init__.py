"""Where explainers run: in SavedModels, without this package, and in bulk."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.serve import bulk as bulk
    from tfxai3d.serve.loaded_model import LoadedModel as LoadedModel
    from tfxai3d.serve.loaded_model import load as load
    from tfxai3d.serve.saved_model import export as export
    from tfxai3d.serve.sparse import compile_sparse as compile_sparse

__getattr__, __dir__ = lazy(__name__)
