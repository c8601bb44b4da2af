"""What comes in: files, ModelNet, procedural shapes, transforms."""

from tfxai3d.data.modelnet import MODELNET40_CLASSES, load_modelnet40
from tfxai3d.data.transforms import augmentation, training_batches

__all__ = ["MODELNET40_CLASSES", "augmentation", "load_modelnet40", "training_batches"]
