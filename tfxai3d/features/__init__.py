"""What single units of a network look for: the inputs, surfaces and local patterns that excite them most.

Reading saved visualisations loads no TensorFlow; making them does.
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.features.activation_maximization import ActivationMaximization as ActivationMaximization
    from tfxai3d.features.kernels import compare_kernels as compare_kernels
    from tfxai3d.features.kernels import convolution_kernel as convolution_kernel
    from tfxai3d.features.mean_surface import mean_activating_surface as mean_activating_surface
    from tfxai3d.features.patterns import first_layer_patterns as first_layer_patterns
    from tfxai3d.features.units import Units as Units
    from tfxai3d.features.units import unit_numbers as unit_numbers
    from tfxai3d.results.visualization import Visualization as Visualization

__getattr__, __dir__ = lazy(__name__)
