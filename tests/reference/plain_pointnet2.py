"""PointNet++ in NumPy, loop by loop: what `tfxai3d.models.PointNet2` and its neighbours must equal."""

import numpy as np

SSG = [
    (512, [(0.2, 32, "sa1", 3)]),
    (128, [(0.4, 64, "sa2", 3)]),
]
MSG = [
    (512, [(0.1, 16, "sa1_0", 3), (0.2, 32, "sa1_1", 3), (0.4, 128, "sa1_2", 3)]),
    (128, [(0.2, 32, "sa2_0", 3), (0.4, 64, "sa2_1", 3), (0.8, 128, "sa2_2", 3)]),
]


def squared_distance(points, centroid):
    x, y, z = np.square(points - centroid).T
    return x + y + z


def farthest_points(points, count):
    """Returns the indices chosen in one cloud (N,3)."""
    chosen, distance = [0], squared_distance(points, points[0])
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, squared_distance(points, points[chosen[-1]]))
    return chosen[:count]


def ball_query(points, centroids, radius, count):
    """Returns the neighbours (S,count) in one cloud."""
    rows = []
    for centroid in centroids:
        near = squared_distance(points, centroid) < np.asarray(radius * radius, points.dtype)
        found = [int(i) for i in np.flatnonzero(near)[:count]] or [0]
        rows.append(found + found[:1] * (count - len(found)))
    return np.array(rows)


def interpolate(points, centroids, values, count=3):
    """Returns the values at the points (N,C) of one cloud."""
    rows = []
    for point in points:
        distance = squared_distance(centroids, point)
        nearest = np.argsort(distance, kind="stable")[:count]
        weight = 1 / np.maximum(distance[nearest], 1e-10)
        rows.append(weight @ values[nearest] / weight.sum())
    return np.array(rows)


def logits(model, points):
    """Returns the logits (B,classes) of a PointNet2 at inference, in float64."""
    weights = {tuple(v.path.split("/")[-2:]): np.asarray(v, np.float64) for v in model.weights}
    return np.stack([_one(weights, SSG if model.variant == "ssg" else MSG, cloud) for cloud in points])


def _one(weights, levels, points):
    features = np.zeros((len(points), 0))
    for count, scales in levels:
        centroids = points[farthest_points(points, count)]
        outputs = []
        for radius, neighbors, name, depth in scales:
            index = ball_query(points, centroids, radius, neighbors)
            x = np.concatenate([points[index] - centroids[:, None], features[index]], axis=-1)
            for layer in [*range(depth - 1), "max"]:
                x = _layer(weights, f"{name}_{layer}", x)
            outputs.append(x.max(axis=1))
        points, features = centroids, np.concatenate(outputs, axis=-1)
    x = np.concatenate([points, features], axis=-1)
    for name in ("sa3_0", "sa3_1", "point_features"):
        x = _layer(weights, name, x)
    x = x.max(axis=0)
    for name in ("head_0", "head_1"):
        x = _layer(weights, name, x, f"{name}_norm")
    return x @ weights["logits", "kernel"] + weights["logits", "bias"]


def _layer(weights, name, x, norm=None):
    """Dense, BatchNorm at inference, ReLU."""
    gamma, beta, mean, variance = (
        weights[norm or name, role] for role in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    return np.maximum((x @ weights[name, "kernel"] - mean) / np.sqrt(variance + 1e-3) * gamma + beta, 0)
