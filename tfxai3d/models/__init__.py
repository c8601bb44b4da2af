"""The networks that are explained, their training, and their trained presets."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.models.distillation import soften_labels as soften_labels
    from tfxai3d.models.distribution import Replicas as Replicas
    from tfxai3d.models.endpoint import Split as Split
    from tfxai3d.models.endpoint import split as split
    from tfxai3d.models.pointnet import PointNet as PointNet
    from tfxai3d.models.pointnet2 import PointNet2 as PointNet2
    from tfxai3d.models.preset import from_preset as from_preset
    from tfxai3d.models.preset import model_card as model_card
    from tfxai3d.models.preset import presets as presets
    from tfxai3d.models.preset import save_preset as save_preset
    from tfxai3d.models.training import History as History
    from tfxai3d.models.training import compile_classifier as compile_classifier
    from tfxai3d.models.training import fit_resumable as fit_resumable
    from tfxai3d.models.vrn import VRN as VRN
    from tfxai3d.models.widen import widened as widened

__getattr__, __dir__ = lazy(
    __name__,
    {
        "distillation": ("soften_labels",),
        "distribution": ("Replicas",),
        "endpoint": ("Split", "split"),
        "pointnet": ("PointNet",),
        "pointnet2": ("PointNet2",),
        "preset": ("from_preset", "model_card", "presets", "save_preset"),
        "training": ("History", "compile_classifier", "fit_resumable"),
        "vrn": ("VRN",),
        "widen": ("widened",),
    },
)
