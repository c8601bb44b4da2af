"""Weights of the small networks whose relevance other libraries computed."""

import numpy as np

# Kernel shapes with the channels last; None is a BatchNorm of the channels before.
VOXELS_SHAPES = [(3, 3, 3, 1, 4), None, (1, 1, 1, 4, 4), (2, 2, 2, 4, 5), (5, 6), None, (6, 3)]
POINTS_SHAPES = [(3, 6), None, (6, 8), (8, 5), (5, 3)]


def draw(shapes):
    """Returns kernel and bias, or scale, shift, mean and variance, of each layer; scales of both signs."""
    rng = np.random.default_rng(0)
    drawn, channels = [], 0
    for shape in shapes:
        if shape is None:
            scale = rng.uniform(0.5, 1.5, channels) * rng.choice([-1, 1], channels)
            drawn.append((scale, *rng.normal(size=(2, channels)) / 3, rng.uniform(0.5, 1.5, channels)))
        else:
            channels = shape[-1]
            fan = np.prod(shape[:-1])
            drawn.append((rng.normal(size=shape) / np.sqrt(fan), rng.normal(size=channels) / 3))
    return drawn
