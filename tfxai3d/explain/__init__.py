"""Why a network decided: one method a file, one contract for all.

`Method(model, **options)(inputs, target=None)` returns an `Explanation`. Reading explanations loads no
TensorFlow; the methods do.
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.explain.critical_points import CriticalPoints as CriticalPoints
    from tfxai3d.explain.deconvnet import Deconvnet as Deconvnet
    from tfxai3d.explain.expected_gradients import ExpectedGradients as ExpectedGradients
    from tfxai3d.explain.explainer import Explainer as Explainer
    from tfxai3d.explain.explanation import Explanation as Explanation
    from tfxai3d.explain.feature_magnitude import FeatureMagnitude as FeatureMagnitude
    from tfxai3d.explain.grad_cam import GradCAM as GradCAM
    from tfxai3d.explain.gradient_times_input import GradientTimesInput as GradientTimesInput
    from tfxai3d.explain.guided_backprop import GuidedBackprop as GuidedBackprop
    from tfxai3d.explain.integrated_gradients import IntegratedGradients as IntegratedGradients
    from tfxai3d.explain.p_grad_cam import PGradCAM as PGradCAM
    from tfxai3d.explain.point_saliency import PointSaliency as PointSaliency
    from tfxai3d.explain.registry import get as get
    from tfxai3d.explain.registry import methods as methods
    from tfxai3d.explain.smooth_grad import SmoothGrad as SmoothGrad
    from tfxai3d.explain.store import read_store as read_store
    from tfxai3d.explain.store import write_store as write_store
    from tfxai3d.explain.streaming import stream as stream
    from tfxai3d.explain.target import Contrast as Contrast
    from tfxai3d.explain.vanilla_gradient import VanillaGradient as VanillaGradient
    from tfxai3d.explain.var_grad import VarGrad as VarGrad

__getattr__, __dir__ = lazy(
    __name__,
    {
        "critical_points": ("CriticalPoints",),
        "deconvnet": ("Deconvnet",),
        "expected_gradients": ("ExpectedGradients",),
        "explainer": ("Explainer",),
        "explanation": ("Explanation",),
        "feature_magnitude": ("FeatureMagnitude",),
        "grad_cam": ("GradCAM",),
        "gradient_times_input": ("GradientTimesInput",),
        "guided_backprop": ("GuidedBackprop",),
        "integrated_gradients": ("IntegratedGradients",),
        "p_grad_cam": ("PGradCAM",),
        "point_saliency": ("PointSaliency",),
        "registry": ("get", "methods"),
        "smooth_grad": ("SmoothGrad",),
        "store": ("read_store", "write_store"),
        "streaming": ("stream",),
        "target": ("Contrast",),
        "vanilla_gradient": ("VanillaGradient",),
        "var_grad": ("VarGrad",),
    },
)
