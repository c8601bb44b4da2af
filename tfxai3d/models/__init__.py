"""The networks that are explained, and their trained presets."""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.models.classifier import Classifier as Classifier
    from tfxai3d.models.pointnet import PointNet as PointNet
    from tfxai3d.models.pointnet2 import PointNet2 as PointNet2
    from tfxai3d.models.pointnetparts import PointNetParts as PointNetParts
    from tfxai3d.models.preset import from_preset as from_preset
    from tfxai3d.models.preset import model_card as model_card
    from tfxai3d.models.preset import save_preset as save_preset
    from tfxai3d.models.registry import architectures as architectures
    from tfxai3d.models.registry import get as get
    from tfxai3d.models.registry import presets as presets
    from tfxai3d.models.resnet3d import ResNet3D as ResNet3D
    from tfxai3d.models.saved_model.loading import SavedModel as SavedModel
    from tfxai3d.models.saved_model.loading import load_saved_model as load_saved_model
    from tfxai3d.models.source import load as load
    from tfxai3d.models.source import load_classifier as load_classifier
    from tfxai3d.models.vrn import VRN as VRN

__getattr__, __dir__ = lazy(__name__)
