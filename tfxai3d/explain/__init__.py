"""Why a network decided: one method a file, one contract for all.

`Method(model, **options)(inputs, target=None)` returns an `Explanation`. Reading explanations loads no
TensorFlow; the methods do.
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.explain.engine.network import Network as Network
    from tfxai3d.explain.engine.network import network as network
    from tfxai3d.explain.engine.region import Region as Region
    from tfxai3d.explain.engine.relevance.composites import COMPOSITES as COMPOSITES
    from tfxai3d.explain.engine.relevance.composites import Composite as Composite
    from tfxai3d.explain.engine.relevance.rules import AlphaBetaRule as AlphaBetaRule
    from tfxai3d.explain.engine.relevance.rules import EpsilonRule as EpsilonRule
    from tfxai3d.explain.engine.relevance.rules import GammaRule as GammaRule
    from tfxai3d.explain.engine.target import Contrast as Contrast
    from tfxai3d.explain.engine.target import class_number as class_number
    from tfxai3d.explain.engine.target import named_target as named_target
    from tfxai3d.explain.explainer import Explainer as Explainer
    from tfxai3d.explain.methods.critical_points import CriticalPoints as CriticalPoints
    from tfxai3d.explain.methods.deconvnet import Deconvnet as Deconvnet
    from tfxai3d.explain.methods.deep_lift import DeepLIFT as DeepLIFT
    from tfxai3d.explain.methods.expected_gradients import ExpectedGradients as ExpectedGradients
    from tfxai3d.explain.methods.feature_magnitude import FeatureMagnitude as FeatureMagnitude
    from tfxai3d.explain.methods.grad_cam import GradCAM as GradCAM
    from tfxai3d.explain.methods.gradient_times_input import GradientTimesInput as GradientTimesInput
    from tfxai3d.explain.methods.guided_backprop import GuidedBackprop as GuidedBackprop
    from tfxai3d.explain.methods.integrated_gradients import IntegratedGradients as IntegratedGradients
    from tfxai3d.explain.methods.kernel_shap import KernelSHAP as KernelSHAP
    from tfxai3d.explain.methods.leave_one_out import LeaveOneOut as LeaveOneOut
    from tfxai3d.explain.methods.lime import LIME as LIME
    from tfxai3d.explain.methods.lrp import LRP as LRP
    from tfxai3d.explain.methods.mean_field_shapley import MeanFieldShapley as MeanFieldShapley
    from tfxai3d.explain.methods.occlusion import Occlusion as Occlusion
    from tfxai3d.explain.methods.p_grad_cam import PGradCAM as PGradCAM
    from tfxai3d.explain.methods.point_saliency import PointSaliency as PointSaliency
    from tfxai3d.explain.methods.rise import RISE as RISE
    from tfxai3d.explain.methods.shapley_sampling import ShapleySampling as ShapleySampling
    from tfxai3d.explain.methods.smooth_grad import SmoothGrad as SmoothGrad
    from tfxai3d.explain.methods.vanilla_gradient import VanillaGradient as VanillaGradient
    from tfxai3d.explain.methods.var_grad import VarGrad as VarGrad
    from tfxai3d.explain.registry import check_methods as check_methods
    from tfxai3d.explain.registry import create as create
    from tfxai3d.explain.registry import get as get
    from tfxai3d.explain.registry import method_names as method_names
    from tfxai3d.explain.store import read_store as read_store
    from tfxai3d.explain.store import write_store as write_store
    from tfxai3d.explain.streaming import each as each
    from tfxai3d.explain.streaming import stream as stream
    from tfxai3d.results.explanation import Explanation as Explanation

__getattr__, __dir__ = lazy(__name__)
