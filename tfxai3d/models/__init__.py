"""The networks that are explained, their training, and their trained presets."""

from tfxai3d.models.pointnet import PointNet
from tfxai3d.models.presets import from_preset, model_card, presets, save_preset
from tfxai3d.models.training import History, compile_classifier, fit_resumable

__all__ = [
    "History",
    "PointNet",
    "compile_classifier",
    "fit_resumable",
    "from_preset",
    "model_card",
    "presets",
    "save_preset",
]
