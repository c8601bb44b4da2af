"""Why a network decided: one method a file, one contract for all.

`Method(model, **options)(inputs, target=None)` returns an `Explanation`. Reading explanations loads no
TensorFlow; the methods do.
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.explain.explainer import Explainer as Explainer
    from tfxai3d.explain.explanation import Explanation as Explanation
    from tfxai3d.explain.grad_cam import GradCAM as GradCAM
    from tfxai3d.explain.p_grad_cam import PGradCAM as PGradCAM
    from tfxai3d.explain.registry import get as get
    from tfxai3d.explain.registry import methods as methods

__getattr__, __dir__ = lazy(
    __name__,
    {
        "explainer": ("Explainer",),
        "explanation": ("Explanation",),
        "grad_cam": ("GradCAM",),
        "p_grad_cam": ("PGradCAM",),
        "registry": ("get", "methods"),
    },
)
