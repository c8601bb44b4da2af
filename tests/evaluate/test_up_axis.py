import numpy as np

from tfxai3d import data, evaluate

CLOUD = np.random.default_rng(0).uniform(-1, 1, (40, 3)).astype("float32") * [1, 3, 1]


def standing(points, training=False):
    """Logits of a network that is the surer of class 1 the longer a cloud is along z."""
    length = np.ptp(np.asarray(points)[..., 2], axis=-1)
    return np.stack([np.zeros_like(length), length], axis=-1)


def test_a_network_that_is_surer_with_the_other_axis_up():
    found = evaluate.surer_with_other_axis_up(standing, CLOUD, standing(CLOUD[None])[0])
    after = standing(data.z_up_to_y_up(CLOUD)[None])[0]
    assert found.label == 1
    np.testing.assert_allclose(found.probability, 1 / (1 + np.exp(-after[1])), rtol=1e-6)
    assert found.before < found.probability


def test_an_object_that_stands_upright_already():
    upright = data.z_up_to_y_up(CLOUD)
    assert evaluate.surer_with_other_axis_up(standing, upright, standing(upright[None])[0]) is None


def test_normals_are_turned_as_well():
    normals = CLOUD / np.linalg.norm(CLOUD, axis=1, keepdims=True)
    cloud, seen = np.hstack([CLOUD, normals]), []

    def watched(points):
        seen.append(np.asarray(points))
        return standing(points)

    assert evaluate.surer_with_other_axis_up(watched, cloud, standing(cloud[None])[0]).label == 1
    expected = np.hstack([data.z_up_to_y_up(CLOUD), data.z_up_to_y_up(normals)])
    np.testing.assert_allclose(seen[-1][0], expected, atol=1e-6)
