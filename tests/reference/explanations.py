"""The CAM family written straight from its formulas, with loops, on the plain network."""

import keras
import numpy as np
import tensorflow as tf

from tests.reference.plain_pointnet import copy_weights, plain_pointnet
from tests.reference.split import split


class Reference:
    """What a PointNet's explanations must be; `plain_features` and `head` are its halves layer by layer."""

    def __init__(self, model):
        plain = plain_pointnet(model.num_classes, model.variant)
        copy_weights(model, plain)
        pooling = [layer for layer in plain.layers if isinstance(layer, keras.layers.GlobalMaxPooling1D)][-1]
        self.plain_features = keras.Model(plain.input, pooling.input)
        self.head = keras.Model(pooling.output, plain.output)
        # The model's own: rounding decides who wins a channel that two points nearly share.
        self.features = split(model).features

    def gradient(self, points, target):
        """Returns A and G, both (N,K), and the logits (C,) of one cloud."""
        features = tf.constant(self.features(points[None]))
        with tf.GradientTape() as tape:
            tape.watch(features)
            logits = self.head(tf.reduce_max(features, axis=1))
            score = logits[0, target]
        a, g = features[0].numpy(), tape.gradient(score, features)[0].numpy()
        g[:, a.max(axis=0) == 0] = 0  # the documented convention: no point made these channels
        return a, g, logits[0].numpy()

    def p_grad_cam(self, points, target, pooling):
        """Returns h_i = relu(pool_k G_ik * sum_k A_ik)."""
        a, g, _ = self.gradient(points, target)
        heat = []
        for i in range(len(points)):
            weight = max(g[i].tolist()) if pooling == "max" else sum(g[i].tolist()) / len(g[i])
            heat.append(max(0.0, weight * sum(a[i].tolist())))
        return np.array(heat)

    def grad_cam(self, points, target):
        """Returns h_i = relu(sum_k alpha_k A_ik), alpha_k = mean_i G_ik."""
        a, g, _ = self.gradient(points, target)
        alpha = [sum(column) / len(points) for column in g.T.tolist()]
        return np.array([max(0.0, sum(x * y for x, y in zip(alpha, row, strict=True))) for row in a.tolist()])
