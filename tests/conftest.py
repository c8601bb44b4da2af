import pytest


@pytest.fixture(scope="session")
def tiny_model():
    """A basic PointNet with 5 classes and random weights and statistics; tests leave it as it is."""
    from tests.models.plain_pointnet import randomise  # here: most rooms' tests need no TensorFlow
    from tfxai3d.models import PointNet

    model = PointNet(5, "basic", class_names=("chair", "cup", "lamp", "sofa", "table"))
    randomise(model, seed=1)
    return model
