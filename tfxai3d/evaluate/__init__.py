"""Whether a model and its explanations can be trusted."""

from tfxai3d.evaluate.classification import Classification, classify

__all__ = ["Classification", "classify"]
