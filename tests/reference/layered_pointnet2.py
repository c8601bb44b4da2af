"""PointNet++ layer by layer in plain Keras, with our searches of neighbours: a yardstick of speed."""

from typing import Any

import keras
from keras import ops

from tests.reference.plain_pointnet import dense_norm_relu
from tfxai3d.models import pointnet2
from tfxai3d.models.layers.neighbors import gather
from tfxai3d.models.layers.set_abstraction import BallQuery, Centroids, Group


class Gather(keras.layers.Layer):
    """Looks up the features (B,N,C) of neighbours (B,S,K)."""

    def call(self, features: Any, index: Any) -> Any:
        """Returns (B,S,K,C)."""
        return gather(features, index)


def layered_pointnet2(num_classes: int, variant: str = "ssg") -> keras.Model:
    """Returns the network; the names of its layers are those of PointNet2, its norms' end in `_norm`."""
    points = keras.Input((None, 3))
    places: Any = points
    features: Any = None
    for level, (count, scales) in enumerate(pointnet2._LEVELS[variant], start=1):
        centroids = Centroids(count)(places)
        outputs = []
        for i, scale in enumerate(scales):
            part = f"sa{level}_{i}" if len(scales) > 1 else f"sa{level}"
            index = BallQuery(scale.radius, scale.neighbors)(places, centroids)
            x = Group()(places, centroids, index)
            if features is not None:
                x = keras.layers.Concatenate()([x, Gather()(features, index)])
            for j, units in enumerate(scale.widths[:-1]):
                x = dense_norm_relu(x, units, f"{part}_{j}")
            outputs.append(ops.max(dense_norm_relu(x, scale.widths[-1], f"{part}_max"), axis=2))
        places, features = centroids, ops.concatenate(outputs, axis=-1)
    x = keras.layers.Concatenate()([places, features])
    for name, units in (("sa3_0", 256), ("sa3_1", 512), ("point_features", 1024)):
        x = dense_norm_relu(x, units, name)
    x = keras.layers.GlobalMaxPooling1D()(x)
    for i, units in enumerate((512, 256)):
        x = dense_norm_relu(x, units, f"head_{i}")
    return keras.Model(points, keras.layers.Dense(num_classes, name="logits")(x))
