import numpy as np
import pytest

from tfxai3d import data
from tfxai3d.explorer import Exhibit


class Shelf:
    """Objects without flags: clouds at random, whose files are NPY, and a box of voxels in a grid of 8."""

    def labels(self, network):
        return ["cloud", "plane"] if network.kind == "points" else ["box"]

    def embedded(self, label, number, network):
        rng = np.random.default_rng(number)
        if network is None or network.kind == "points":
            points = rng.normal(size=(60, 3)) * [1, label == "cloud", 1]
            return Exhibit(f"{label} {number}", points.astype(np.float32))
        grid = np.zeros((8, 8, 8, 1), np.float32)
        grid[2:6, 1:7, 3:6] = 1
        return Exhibit(f"{label} {number}", grid, scan=number > 0)

    def of_file(self, path, network, up):
        return Exhibit(path.name, data.load_points(path, 60, up=up))


def voxel_model():
    """Scores of grids of 8 that hang on each of their voxels."""
    import keras

    inputs = keras.Input((8, 8, 8, 1))
    hidden = keras.layers.Dense(8, "relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(hidden))


@pytest.fixture(scope="module")
def workbench(tiny_model):
    """Networks of points and of voxels, and one whose file is not there."""
    pytest.importorskip("starlette")
    from tfxai3d import explain, models
    from tfxai3d.explorer import Workbench

    networks = {
        "points": lambda: explain.network(tiny_model),
        "voxels": lambda: explain.network(voxel_model(), "voxels", class_names=["a", "b", "c"]),
        "missing": lambda: explain.network(models.load("nowhere.keras")),
    }
    return Workbench(networks, Shelf(), lambda method, network: explain.create(method, network))


@pytest.fixture
def start():
    """How the page starts."""
    from tfxai3d.explorer import Start

    return Start(
        networks=["points", "voxels", "missing"],
        label="cloud",
        exhibit=Shelf().embedded("cloud", 0, None),
        methods=["vanilla_gradient", "deconvnet"],
    )
