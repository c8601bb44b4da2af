import shutil
import sys

import numpy as np
import pytest


@pytest.fixture(scope="session", autouse=True)
def _seeded_session():
    """The fixtures' networks get the same weights in every run."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(autouse=True)
def _seeded_test():
    """And the tests' networks, whichever tests ran before."""
    import keras

    keras.utils.set_random_seed(1)


@pytest.fixture(scope="session")
def tiny_model():
    """A basic PointNet with 5 classes and random weights and statistics; tests leave it as it is."""
    from tests.reference.plain_pointnet import randomise  # here: most rooms' tests need no TensorFlow
    from tfxai3d.models import PointNet

    model = PointNet(5, "basic", class_names=("chair", "cup", "lamp", "sofa", "table"))
    randomise(model, seed=1)
    for variable in model.weights:
        if variable.path.endswith("gamma"):  # else the points would hardly matter beside the biases
            variable.assign(4 * variable)
    # And no class may be ahead of the others whatever the points.
    clouds = np.random.default_rng(9).uniform(-1, 1, (16, 50, 3)).astype("float32")
    bias = model.get_layer("logits").bias
    bias.assign(bias - np.mean(model(clouds), axis=0))
    return model


@pytest.fixture
def float64():
    """Makes what the test builds compute in float64, where rounding decides no tie, kink or arg-max."""
    from tests.reference.precision import precision

    with precision():
        yield


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Headless Chromium, started once."""
    if shutil.which("chromium") is None or sys.platform != "linux":
        pytest.skip("needs Chromium on Linux")
    from tests.reference.chromium import Browser  # needs pipes that other systems lack

    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()
