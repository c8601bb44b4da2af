"""Writes tests/files/zennit_lrp.npz: relevance by zennit 0.5.1 and captum 0.9.0, DeepLIFT by captum.

    pip install torch zennit captum && python -m tests.reference.zennit_lrp

The networks are those of tests/explain/test_lrp_peers.py, with weights of the same seed.
"""

import numpy as np
import torch
from captum import attr
from captum.attr._utils import lrp_rules
from torch import nn
from zennit import attribution, canonizers, composites, layer, rules, types

from tests.reference.lrp_weights import POINTS_SHAPES, VOXELS_SHAPES, draw

TARGET = 2
torch.set_default_dtype(torch.float64)


class Residual(nn.Module):
    """The sum of what goes in and what a layer makes of it."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.sum = inner, layer.Sum()

    def forward(self, x):
        return self.sum(torch.stack([x, self.inner(x)], dim=-1))


class Highest(nn.Module):
    def forward(self, x):
        return x.max(dim=2).values


def voxels(pool=nn.MaxPool3d):
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), pool(2),
        Residual(nn.Conv3d(4, 4, 1)), nn.ReLU(), nn.Conv3d(4, 5, 2), nn.ReLU(),
        nn.AvgPool3d(3), nn.Flatten(), nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3),
    )  # fmt: skip


def points():
    return nn.Sequential(
        nn.Conv1d(3, 6, 1), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, 8, 1), nn.ReLU(), Highest(),
        nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3),
    )  # fmt: skip


def without_norm():
    """The same points' network of layers that captum has rules for: no BatchNorm, no change of rank."""
    weights = draw([shape for shape in POINTS_SHAPES if shape])
    layers = []
    for kernel, bias in weights:
        one = nn.Conv1d(*kernel.shape, 1)
        one.weight.data, one.bias.data = torch.tensor(kernel.T[..., None].copy()), torch.tensor(bias)
        layers += [one, nn.ReLU()]
    return nn.Sequential(*layers[:4], nn.MaxPool1d(20), *layers[4:-1])


def filled(model, shapes):
    """Gives a model the drawn weights, layer by layer."""
    weights = draw(shapes)
    layers = [one for one in model.modules() if isinstance(one, types.Linear | types.BatchNorm)]
    for one, drawn in zip(layers, weights, strict=True):
        if isinstance(one, types.BatchNorm):
            one.eps = 1e-9  # what zennit merges divides by its root once more
            values = dict(zip(("weight", "bias", "running_mean", "running_var"), drawn, strict=True))
        else:
            kernel = np.moveaxis(drawn[0], (-1, -2), (0, 1)).reshape(one.weight.shape)
            values = {"weight": kernel, "bias": drawn[1]}
        for name, value in values.items():
            getattr(one, name).data = torch.tensor(np.ascontiguousarray(value))
    return model.eval()


def by_zennit(model, inputs, target, composite):
    with attribution.Gradient(model, composite) as attributor:
        hot = torch.eye(3)[[target] * len(inputs)]
        return attributor(inputs, lambda output: output * hot)[1].detach().numpy()


def composite(convolution, dense=None, first=None):
    """Sums and averages in proportion, activations pass, BatchNorm is merged."""
    given = [
        *composites.layer_map_base(1e-12), (types.Convolution, convolution),
        (nn.Linear, dense or rules.Epsilon(1e-6)),
    ]  # fmt: skip
    options = {"layer_map": given, "canonizers": [canonizers.SequentialMergeBatchNorm()]}
    if first is None:
        return composites.LayerMapComposite(**options)
    return composites.SpecialFirstLayerMapComposite(**options, first_map=[(types.Convolution, first)])


def by_captum(model, inputs, target, rule):
    for one in model.modules():
        if isinstance(one, types.Linear):
            one.rule = rule()
    return attr.LRP(model).attribute(inputs, target=(target, 0)).detach().numpy()


def main():
    found = {}
    rng = np.random.default_rng(1)
    for kind, build, shapes, shape in (
        ("voxels", voxels, VOXELS_SHAPES, (2, 1, 8, 8, 8)),
        ("points", points, POINTS_SHAPES, (2, 3, 20)),
    ):
        inputs = torch.tensor(rng.uniform(-1 if kind == "points" else 0, 1, shape), requires_grad=True)
        model = filled(build(), shapes)
        found[f"{kind}/inputs"] = inputs.detach().numpy()
        found[f"{kind}/scores"] = model(inputs).detach().numpy()
        zplus = rules.ZPlus()
        for name, chosen in {
            "epsilon": composite(rules.Epsilon(1e-6)),
            "epsilon_large": composite(rules.Epsilon(0.25), rules.Epsilon(0.25)),
            "epsilon_plus": composite(zplus),
            "epsilon_gamma": composite(rules.Gamma(0.25)),
            "epsilon_alpha_beta": composite(rules.AlphaBeta(2, 1)),
            "deep_taylor": composite(zplus, zplus),
            "bounds": composite(zplus, first=rules.ZBox(-1.0, 1.0)),
        }.items():
            found[f"{kind}/{name}"] = by_zennit(model, inputs, TARGET, chosen)
    # With a MaxPool3d captum's DeepLIFT does not add up to the difference of the scores: -0.0287 for -0.0111.
    inputs = torch.tensor(found["voxels/inputs"])
    differences = attr.DeepLift(filled(voxels(nn.AvgPool3d), VOXELS_SHAPES))
    found["voxels/deep_lift"] = differences.attribute(inputs[:1], inputs[1:] / 2, TARGET).detach().numpy()
    plain = without_norm()
    for name, rule in (
        ("epsilon", lambda: lrp_rules.EpsilonRule(1e-9)),
        ("large", lambda: lrp_rules.EpsilonRule(0.25)),
    ):
        found[f"captum/{name}"] = by_captum(plain, torch.tensor(found["points/inputs"]), TARGET, rule)
    np.savez_compressed("tests/files/zennit_lrp.npz", **found)


if __name__ == "__main__":
    main()
