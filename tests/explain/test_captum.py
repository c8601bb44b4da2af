"""Agreement with captum on the same weights; runs where PyTorch and captum are installed."""

import numpy as np
import pytest

from tests.reference import networks
from tests.reference.networks import POINTS, assert_close
from tests.reference.plain_pointnet import key
from tfxai3d import explain

torch = pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr")


class TorchPointNet(torch.nn.Module):
    """The basic PointNet in PyTorch, with the weights of ours."""

    def __init__(self, model):
        super().__init__()
        weights = {key(variable): np.asarray(variable) for variable in model.weights}
        names = [f"mlp1_{i}" for i in range(2)] + [f"mlp2_{i}" for i in range(2)]
        self.points = torch.nn.Sequential(*(part for name in names for part in _layer(weights, name)))
        # The max comes before its ReLU, with which it commutes: so a channel without any active point has a
        # winner in both libraries.
        self.top, self.top_norm, self.top_relu = _layer(weights, "point_features")
        head = [part for i in range(2) for part in _layer(weights, f"head_{i}")]
        self.head = torch.nn.Sequential(*head, _linear(weights["logits/kernel"], weights["logits/bias"]))

    def forward(self, points):
        features = self.top_norm(self.top(self.points(points)))
        return self.head(self.top_relu(features.max(dim=1).values))


class Affine(torch.nn.Module):
    """BatchNorm at inference."""

    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = torch.tensor(scale), torch.tensor(shift)

    def forward(self, x):
        return x * self.scale + self.shift


def _layer(weights, name):
    gamma, beta, mean, variance = (
        weights[f"{name}/{role}"] for role in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    scale = gamma / np.sqrt(variance + 1e-3)
    return _linear(weights[f"{name}/kernel"]), Affine(scale, beta - mean * scale), torch.nn.ReLU()


def _linear(kernel, bias=None):
    layer = torch.nn.Linear(*kernel.shape, bias=bias is not None, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(kernel.T.copy()))
        if bias is not None:
            layer.bias.copy_(torch.tensor(bias))
    return layer


@pytest.fixture(scope="module")
def theirs():
    return TorchPointNet(networks.pointnet()).eval()


@pytest.mark.parametrize(
    ("name", "captum", "options", "arguments"),
    [
        ("vanilla_gradient", "Saliency", {}, {"abs": False}),
        ("gradient_times_input", "InputXGradient", {}, {}),
        ("guided_backprop", "GuidedBackprop", {}, {}),
        ("deconvnet", "Deconvolution", {}, {}),
        (
            "integrated_gradients",
            "IntegratedGradients",
            {"rule": "gauss_legendre"},
            {"method": "gausslegendre", "n_steps": 50},
        ),
        (
            "integrated_gradients",
            "IntegratedGradients",
            {"rule": "riemann_middle"},
            {"method": "riemann_middle", "n_steps": 50},
        ),
    ],
)
def test_equals_captum(theirs, name, captum, options, arguments):
    targets = [0, 3, 1]
    ours = explain.get(name)(networks.pointnet(), **options)(POINTS[:3], targets)
    inputs = torch.tensor(POINTS[:3], requires_grad=True)
    assert_close(ours.scores, theirs(inputs).detach())
    expected = getattr(attr, captum)(theirs).attribute(inputs, target=targets, **arguments)
    assert_close(ours.attributions, expected.detach())
