"""PointNet, PointNet++ and VRN as they are commonly written in PyTorch: the peers that models.py times.

Run as a program it is the other half of models.py: it reads requests from its standard input, one a line,
and answers each with the seconds that it took. It needs PyTorch alone.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

CLASSES = 40
KEEP = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25)


def conv_norm_relu(kind: int, widths: tuple[int, ...]) -> nn.Sequential:
    """A shared MLP as convolutions of size 1 over points (kind 1) or over neighbours (kind 2)."""
    convolution, norm = ((nn.Conv1d, nn.BatchNorm1d), (nn.Conv2d, nn.BatchNorm2d))[kind - 1]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [convolution(inputs, outputs, 1, bias=False), norm(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def dense_norm_relu(widths: tuple[int, ...], dropout: float = 0.0) -> nn.Sequential:
    """Hidden dense layers."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers)


class Transform(nn.Module):
    """T-Net: a matrix for each cloud."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.shared = conv_norm_relu(1, (size, 64, 128, 1024))
        self.dense = dense_norm_relu((1024, 512, 256))
        self.offset = nn.Linear(256, size * size)

    def forward(self, x: Any) -> Any:
        """Maps features (B,size,N) to matrices (B,size,size)."""
        offset = self.offset(self.dense(self.shared(x).amax(2))).view(-1, self.size, self.size)
        return offset + torch.eye(self.size)


class PointNet(nn.Module):
    """Qi et al. 2017, both transforms."""

    def __init__(self) -> None:
        super().__init__()
        self.input_transform, self.feature_transform = Transform(3), Transform(64)
        self.first = conv_norm_relu(1, (3, 64, 64))
        self.second = conv_norm_relu(1, (64, 64, 128, 1024))
        self.head = nn.Sequential(dense_norm_relu((1024, 512, 256), 0.3), nn.Linear(256, CLASSES))
        self.penalty: Any = 0.0

    def forward(self, points: Any) -> Any:
        """Maps points (B,N,3) to logits; leaves the loss of the second transform in `penalty`."""
        x = points.transpose(1, 2)
        x = self.first(torch.bmm(self.input_transform(x).transpose(1, 2), x))
        matrix = self.feature_transform(x)
        defect = torch.eye(64) - torch.bmm(matrix, matrix.transpose(1, 2))
        self.penalty = 1e-3 * defect.square().sum((1, 2)).mean() / 2
        return self.head(self.second(torch.bmm(matrix.transpose(1, 2), x)).amax(2))


class SetAbstraction(nn.Module):
    """Sampling, grouping, shared MLP, max."""

    def __init__(self, centroids: int, radius: float, neighbors: int, widths: tuple[int, ...]):
        super().__init__()
        self.centroids, self.radius, self.neighbors = centroids, radius, neighbors
        self.shared = conv_norm_relu(2, widths)

    def forward(self, points: Any, features: Any) -> tuple[Any, Any]:
        """Maps points (B,N,3) and features (B,N,F) or None to centroids and theirs."""
        with torch.no_grad():
            chosen = farthest_points(points, self.centroids)
        centroids = rows(points, chosen)
        with torch.no_grad():
            index = ball_query(points, centroids, self.radius, self.neighbors)
        x = rows(points, index) - centroids[:, :, None]
        x = x if features is None else torch.cat([x, rows(features, index)], -1)
        return centroids, self.shared(x.permute(0, 3, 2, 1)).amax(2).transpose(1, 2)


class PointNet2(nn.Module):
    """Qi et al. 2017, single scale."""

    penalty = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.first = SetAbstraction(512, 0.2, 32, (3, 64, 64, 128))
        self.second = SetAbstraction(128, 0.4, 64, (131, 128, 128, 256))
        self.third = conv_norm_relu(1, (259, 256, 512, 1024))
        self.head = nn.Sequential(dense_norm_relu((1024, 512, 256), 0.5), nn.Linear(256, CLASSES))

    def forward(self, points: Any) -> Any:
        """Maps points (B,N,3) to logits."""
        points, features = self.second(*self.first(points, None))
        return self.head(self.third(torch.cat([points, features], -1).transpose(1, 2)).amax(2))


def farthest_points(points: Any, count: int) -> Any:
    """Indices (B,count), one by one."""
    clouds, last = torch.arange(len(points)), torch.zeros(len(points), dtype=torch.long)
    chosen = torch.zeros(len(points), count, dtype=torch.long)
    distance = torch.full(points.shape[:2], 1e10)
    for i in range(count):
        chosen[:, i] = last
        distance = torch.minimum(distance, (points - points[clouds, last][:, None]).square().sum(-1))
        last = distance.argmax(-1)
    return chosen


def ball_query(points: Any, centroids: Any, radius: float, count: int) -> Any:
    """Indices (B,S,count) of the first within the radius; a partial sort, faster than the usual whole one."""
    distance = centroids.square().sum(-1)[:, :, None] + points.square().sum(-1)[:, None]
    distance -= 2 * centroids @ points.transpose(1, 2)
    index = torch.arange(points.shape[1]).repeat(*centroids.shape[:2], 1)
    index[distance > radius**2] = points.shape[1]
    index = index.topk(count, -1, largest=False, sorted=True)[0]
    return torch.where(index == points.shape[1], index[..., :1], index)


def rows(values: Any, index: Any) -> Any:
    """Looks up rows (B,...,C) of (B,N,C)."""
    batch = torch.arange(len(values)).view(-1, *[1] * (index.ndim - 1))
    return values[batch, index]


class NormElu(nn.Sequential):
    """BatchNorm and ELU."""

    def __init__(self, channels: int):
        super().__init__(nn.BatchNorm3d(channels), nn.ELU())


def conv3(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv3d:
    """A convolution that pads every side."""
    return nn.Conv3d(inputs, outputs, size, stride, size // 2, bias=False)


class Block(nn.Module):
    """VRN's residual block of two paths, kept with some probability in training."""

    def __init__(self, channels: int, keep: float):
        super().__init__()
        quarter, half, self.keep = channels // 4, channels // 2, keep
        self.norm = NormElu(channels)
        self.a = nn.Sequential(
            conv3(channels, quarter, 1), NormElu(quarter), conv3(quarter, quarter), NormElu(quarter),
            conv3(quarter, half, 1),
        )  # fmt: skip
        self.b = nn.Sequential(conv3(channels, quarter), NormElu(quarter), conv3(quarter, half))

    def forward(self, x: Any) -> Any:
        """Maps features (B,C,D,H,W) to the same shape."""
        if self.training and torch.rand(()) >= self.keep:
            return x
        u = self.norm(x)
        return x + (1.0 if self.training else self.keep) * torch.cat([self.a(u), self.b(u)], 1)


class Halving(nn.Module):
    """VRN's downsampling in four branches."""

    def __init__(self, channels: int, normed: bool, last: bool):
        super().__init__()
        half = channels // 2
        self.norm = NormElu(channels)
        self.branches = nn.ModuleList(
            [
                conv3(channels, half, 3, 2),
                conv3(channels, half, 1, 2),
                nn.Sequential(conv3(channels, half), nn.MaxPool3d(3, 2, 1)),
                nn.Sequential(conv3(channels, half), nn.AvgPool3d(3, 2, 1)),
            ]
        )
        self.out = nn.BatchNorm3d(2 * channels) if normed else nn.Identity()
        self.end = nn.ELU() if last else nn.Identity()

    def forward(self, x: Any) -> Any:
        """Maps features (B,C,D,H,W) to (B,2C,D/2,H/2,W/2)."""
        u = self.norm(x)
        return self.end(self.out(torch.cat([branch(u) for branch in self.branches], 1)))


class VRN(nn.Module):
    """Brock et al. 2016; voxels (B,32,32,32,1) to logits."""

    penalty = 0.0

    def __init__(self, width: float, keep_all: bool):
        super().__init__()
        channels = first = round(32 * width)
        layers: list[nn.Module] = [conv3(1, channels)]
        for stage in range(4):
            layers += [Block(channels, 1.0 if keep_all else KEEP[3 * stage + i]) for i in range(3)]
            layers += [Halving(channels, stage != 2, stage == 3)]
            channels *= 2
        self.body = nn.Sequential(*layers)
        self.last = nn.Sequential(conv3(channels, channels), nn.BatchNorm3d(channels))
        self.keep = 1.0 if keep_all else 0.5
        self.head = nn.Sequential(
            nn.BatchNorm1d(channels), nn.Linear(channels, 16 * first, bias=False), nn.BatchNorm1d(16 * first),
            nn.ELU(), nn.Linear(16 * first, CLASSES),
        )  # fmt: skip

    def forward(self, voxels: Any) -> Any:
        """Maps occupancy to logits."""
        x = self.body(voxels.movedim(-1, 1) * 6 - 1)
        if not self.training or torch.rand(()) < self.keep:
            x = x + (1.0 if self.training else self.keep) * self.last(x)
        return self.head(functional.elu(x).mean((2, 3, 4)))


def build(name: str, keep_all: bool = False) -> nn.Module:
    """Returns a network by the name that models.py uses."""
    if name.startswith("VRN"):
        return VRN(float(name.split()[1]), keep_all)
    return {"PointNet": PointNet, "PointNet++": PointNet2}[name]()


def runs(name: str, shape: list[int]) -> dict[str, Callable[[], Any]]:
    """Returns the three tasks of a network on random inputs of a shape."""
    torch.manual_seed(0)
    x = (torch.rand(shape) < 0.1).float() if name.startswith("VRN") else _sphere(shape)
    labels = torch.arange(len(x)) % CLASSES
    still, moving = build(name).eval(), build(name, keep_all=True).train()
    optimizer = torch.optim.AdamW(moving.parameters(), 1e-4)

    def forward() -> float:
        with torch.inference_mode():
            return still(x).sum().item()

    def input_gradient() -> float:
        inputs = x.clone().requires_grad_()
        score = still(inputs).gather(1, labels[:, None]).sum()
        return torch.autograd.grad(score, inputs)[0].sum().item()

    def train() -> None:
        optimizer.zero_grad()
        loss = functional.cross_entropy(moving(x), labels, label_smoothing=0.2) + moving.penalty
        loss.backward()
        nn.utils.clip_grad_norm_(moving.parameters(), 5.0)
        optimizer.step()

    return {"forward": forward, "forward and input gradient": input_gradient, "training step": train}


def _sphere(shape: list[int]) -> Any:
    points = torch.randn(shape)
    return points / points.norm(dim=-1, keepdim=True)


def _requests() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def main() -> None:
    """Answers requests for a run until the input ends."""
    known: dict[str, dict[str, Callable[[], Any]]] = {}
    for request in _requests():
        torch.set_num_threads(request["threads"])
        name = request["name"]
        if name not in known:
            known[name] = runs(name, request["shape"])
        clock = time.perf_counter if request["clock"] == "wall" else time.process_time
        start = clock()
        known[name][request["task"]]()
        print(json.dumps(clock() - start), flush=True)


if __name__ == "__main__":
    main()
