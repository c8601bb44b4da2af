import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.explainers.any_network import segments
from tests.reference.networks import POINTS, VOXELS, assert_close, foreign, function, pointnet, pointnet2, vrn
from tfxai3d.errors import UserError
from tfxai3d.features import Units, convolution_kernel


def test_classes_are_the_logits():
    model = pointnet()
    units = Units(model)
    assert_close(units(tf.constant(POINTS)), model(POINTS))
    assert units.names(np.array([2, 0])) == ("lamp", "chair")
    assert Units(foreign(), data_kind="points").names(np.array([3])) == ("class 3",)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_channels_are_pooled_over_all_places(pool):
    for make, layer, inputs in ((pointnet2, "sa1_max", POINTS), (vrn, "conv0", VOXELS)):
        model = make()
        output = keras.Model(model.input, model.get_layer(layer).output)(inputs[:2]).numpy()
        expected = getattr(output, pool)(axis=tuple(range(1, output.ndim - 1)))
        units = Units(model, layer, pool)
        assert_close(units(tf.constant(inputs[:2])), expected)
    assert units.names(np.array([5])) == ("conv0 5",)


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_classes_of_a_segmentation_are_pooled_as_well(pool):
    model = segments()
    units = Units(model, pool=pool, data_kind="points")
    assert_close(units(tf.constant(POINTS, "float32")), getattr(model(POINTS).numpy(), pool)(axis=1))
    assert units.count((12, 3)) == 3


def test_a_layer_without_places_and_one_of_a_nested_model():
    head = Units(pointnet(), "point_features")(tf.constant(POINTS))  # the max over the points already
    assert head.shape == (5, 1024)
    model = foreign()
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Sequential))
    rows = keras.Model(model.input, inner.output)(POINTS).numpy()
    assert_close(Units(model, "rows", "max", "points")(tf.constant(POINTS)), rows.max(axis=1))


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"no layers named 'conv1'; there are .*conv0"):
        Units(vrn(), "conv1")
    with pytest.raises(UserError, match="must be a Keras model, for the output of a layer"):
        Units(function, "conv0", data_kind="voxels")
    with pytest.raises(UserError, match="pool 'sum'"):
        Units(vrn(), pool="sum")
    with pytest.raises(UserError, match="is used 2 times"):
        Units(foreign(), "shared_relu", data_kind="points")(tf.constant(POINTS))
    units = Units(pointnet())
    with pytest.raises(UserError, match="has no unit 4: its units are 0 to 3"):
        units.checked([0, 4], 4)
    for wrong in ([], [0.5], 3):
        with pytest.raises(UserError, match="list of unit numbers"):
            units.checked(wrong, 4)


def test_the_kernel_of_a_convolution():
    model = vrn()
    name, kernel = convolution_kernel(model)
    assert (name, kernel.shape) == ("conv0", (3, 3, 3, 1, 4))
    inner = model.get_layer("block_0_0").branch.get_layer("block_0_0_b0")
    np.testing.assert_allclose(
        convolution_kernel(model, "block_0_0_b0")[1], np.asarray(inner.kernel), rtol=1e-6
    )
    with pytest.raises(UserError, match="no 3D convolution called 'logits'; it has conv0"):
        convolution_kernel(model, "logits")
    with pytest.raises(UserError, match="has no 3D convolution, whose"):
        convolution_kernel(pointnet())
