"""captum's worker of explain.py: the networks of torch_models.py with the weights of ours.

It needs an environment with PyTorch and captum, and nothing else.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from captum import attr
from torch import nn

from benchmarks import torch_models
from benchmarks.explain_worker import Method, NotSupported, Settings, serve

_RULES = {"gauss_legendre": "gausslegendre", "trapezoid": "riemann_trapezoid"}


def build(settings: Settings) -> dict[str, Method]:
    """Returns the methods."""
    torch.set_num_threads(settings["threads"])
    network = settings["network"]
    kind = next(name for name in _NAMES if network.startswith(name))
    model = torch_models.build(_NAMES[kind][0])
    with np.load(Path(settings["folder"]) / "weights.npz") as weights:
        _load(model, dict(weights), _NAMES[kind][1]())
    model.eval()
    size, steps = settings["batch_size"], settings["steps"]

    def saliency(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
        return _attributed(attr.Saliency(model), x, targets, abs=False)

    def times_input(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
        return _attributed(attr.InputXGradient(model), x, targets)

    def modified(method: Any) -> Method:
        def run(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
            if kind == "vrn":
                raise NotSupported("captum's rules are for nn.ReLU and leave VRN's ELUs as they are")
            return _attributed(method, x, targets)

        return run

    def integrated(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
        # captum takes no batch smaller than the number of examples.
        arguments = {"n_steps": steps, "method": _RULES[rule], "internal_batch_size": max(size, len(x))}
        explainer = attr.IntegratedGradients(model)
        result = explainer.attribute(
            torch.tensor(x), target=targets.tolist(), return_convergence_delta=True, **arguments
        )
        return result[0].detach().numpy()

    def perturbing(method: Any, **arguments: Any) -> Method:
        """The units of the folder are taken away as captum does it: their coordinates become 0."""

        def run(x: np.ndarray, targets: np.ndarray, rule: str) -> np.ndarray:
            units = np.load(Path(settings["folder"]) / "units.npy")[: len(x), :, None]
            mask = torch.tensor(np.broadcast_to(units, x.shape).astype(np.int64))
            rows = [
                method.attribute(torch.tensor(one[None]), target=int(to), feature_mask=own[None], **arguments)
                for one, to, own in zip(x, targets, mask, strict=True)
            ]
            return torch.cat(rows).detach().numpy()

        return run

    queries = settings.get("queries", 128)
    return {
        "lime": perturbing(attr.Lime(model), n_samples=queries),
        "kernel_shap": perturbing(attr.KernelShap(model), n_samples=queries),
        "feature_ablation": perturbing(attr.FeatureAblation(model)),
        "vanilla_gradient": saliency,
        "gradient_times_input": times_input,
        "guided_backprop": modified(attr.GuidedBackprop(model)),
        "deconvnet": modified(attr.Deconvolution(model)),
        "integrated_gradients": integrated,
    }


def _attributed(method: Any, x: np.ndarray, targets: np.ndarray, **arguments: Any) -> np.ndarray:
    inputs = torch.tensor(x, requires_grad=True)
    return method.attribute(inputs, target=targets.tolist(), **arguments).detach().numpy()


def _load(model: nn.Module, weights: dict[str, np.ndarray], names: Iterator[tuple[str, str]]) -> None:
    """Fills the model's layers, in the order of its modules, each with the weights of ours of that name."""
    kinds = nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear | nn.modules.batchnorm._BatchNorm
    layers = [module for module in model.modules() if isinstance(module, kinds)]
    for layer, (dense, norm) in zip(layers, names, strict=True):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eps = 1e-3
            roles = {"weight": "gamma", "bias": "beta"}
            roles |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
            for theirs, ours in roles.items():
                getattr(layer, theirs).data = torch.tensor(weights[f"{norm}/{ours}"])
            continue
        kernel = weights[f"{dense}/kernel"]
        kernel = np.moveaxis(kernel, (-1, -2), (0, 1))  # outputs and inputs first
        shape = (*kernel.shape[:2], *layer.weight.shape[2:])
        layer.weight.data = torch.tensor(np.ascontiguousarray(kernel).reshape(shape))
        if layer.bias is not None:
            layer.bias.data = torch.tensor(weights[f"{dense}/bias"])


def _shared(*names: str) -> Iterator[tuple[str, str]]:
    """Layers that hold kernel and statistics under one name: a convolution, then its norm."""
    for name in names:
        yield from ((name, ""), ("", name))


def _dense(*names: str) -> Iterator[tuple[str, str]]:
    for name in names:
        yield from ((name, ""), ("", f"{name}_norm"))


def _pointnet() -> Iterator[tuple[str, str]]:
    for name in ("input_transform", "feature_transform"):
        yield from _shared(f"{name}_mlp_0", f"{name}_mlp_1", f"{name}_max")
        yield from _dense(f"{name}_dense_0", f"{name}_dense_1")
        yield (f"{name}_offset", "")
    yield from _shared("mlp1_0", "mlp1_1", "mlp2_0", "mlp2_1", "point_features")
    yield from _dense("head_0", "head_1")
    yield ("logits", "")


def _pointnet2() -> Iterator[tuple[str, str]]:
    yield from _shared(*(f"sa{level}_{part}" for level in (1, 2) for part in ("0", "1", "max")))
    yield from _shared("sa3_0", "sa3_1", "point_features")
    yield from _dense("head_0", "head_1")
    yield ("logits", "")


def _vrn() -> Iterator[tuple[str, str]]:
    yield ("conv0", "")
    for stage in range(4):
        for block in (f"block_{stage}_{i}" for i in range(3)):
            yield ("", f"{block}_norm")
            yield from _dense(f"{block}_a0", f"{block}_a1")
            yield (f"{block}_a2", "")
            yield from _dense(f"{block}_b0")
            yield (f"{block}_b1", "")
        name = f"halving_{stage}"
        yield ("", f"{name}_norm")
        yield from ((f"{name}_{branch}", "") for branch in ("conv3", "conv1", "max", "average"))
        if stage != 2:
            yield ("", f"{name}_out_norm")
    yield from _dense("conv17")
    yield ("", "pool_norm")
    yield from _dense("head")
    yield ("logits", "")


_NAMES = {
    "pointnet2": ("PointNet++", _pointnet2),
    "pointnet": ("PointNet", _pointnet),
    "vrn": ("VRN 0.5", _vrn),
}


if __name__ == "__main__":
    serve(build)
