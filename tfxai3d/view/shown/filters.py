"""The kernels of a 3D convolution as blocks of cubes: figure 6 of the paper."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.view.shown.gallery import Cell, Gallery
from tfxai3d.view.shown.marks import Marks, joined, scaled_marks
from tfxai3d.view.shown.subject import one_line

POSITIVE, NEGATIVE = (0.84, 0.37, 0.0), (0.0, 0.45, 0.7)  # told apart by everybody (Okabe and Ito 2008)
_CORNER = (0.62, 0.64, 0.68)
_SPACE = 1.5  # between two blocks, in the unit of an element


def filter_gallery(
    kernels: Mapping[str, np.ndarray],
    layer: str,
    max_filters: int = 64,
    channels: Sequence[int] | None = None,
) -> Gallery:
    """Lays out the filters of one layer, a column for each model.

    A filter is a block with a cube for each weight: the cube's side is |weight|, relative to the largest of
    all that are shown, its colour the sign; a weight of 0 has no cube. The same filter stands at the same
    place in each column. A filter has a block for each input channel; those of one are neighbours.

    Args:
        kernels: The kernels (kd,kh,kw,C,K) of the same layer in different models, by the models' names.
        layer: The layer's name, for the title.
        max_filters: How many blocks a column shows at most; these are the first ones.
        channels: The numbers of the filters to show, 0 to K - 1; all of them by default.

    Returns:
        For `render_gallery`, `write_gallery` and `open_gallery`.

    Raises:
        UserError: If the kernels are not 3D, not of one shape or not finite, all weights are 0, or a
            filter does not exist.
    """
    if not kernels:
        raise UserError("no kernels to draw: give one model or more")
    shapes = {name: np.shape(kernel) for name, kernel in kernels.items()}
    first = next(iter(shapes.values()))
    for name, shape in shapes.items():
        if len(shape) != 5 or 0 in shape:
            raise UserError(f"{name}: layer {layer!r} has a kernel {shape}, not a 3D one (kd,kh,kw,C,K)")
        if shape != first:
            raise UserError(f"{name}: layer {layer!r} has a kernel {shape}, the first model's is {first}")
        if not np.isfinite(kernels[name]).all():
            raise UserError(f"{name}: layer {layer!r} has NaN or infinite weights")
    if max_filters < 1:
        raise UserError(f"max_filters must be at least 1, it is {max_filters}")
    numbers = np.arange(first[-1]) if channels is None else np.asarray(channels, int)
    if not numbers.size or numbers.min() < 0 or numbers.max() >= first[-1]:
        raise UserError(f"layer {layer!r} has filters 0 to {first[-1] - 1}, not {list(numbers)}")
    chosen = {name: np.asarray(kernel)[..., numbers] for name, kernel in kernels.items()}
    blocks = {name: _blocks(kernel)[:max_filters] for name, kernel in chosen.items()}
    which = np.stack([np.tile(np.arange(first[3]), len(numbers)), np.repeat(numbers, first[3])], axis=1)
    tops = np.max([np.abs(some).max(axis=(1, 2, 3)) for some in blocks.values()], axis=0)
    if not tops.any():
        raise UserError(f"layer {layer!r}: all weights that would be shown are 0")
    shown, total = len(next(iter(blocks.values()))), len(numbers) * first[3]
    size = "×".join(map(str, first[:3]))  # noqa: RUF001
    said = "all" if shown == total else f"{shown:,} of {total:,}"
    return Gallery(
        title=one_line(f"Filters of {layer}"),
        note=f"{said} {size} blocks; side of a cube: |weight|, as a fraction of its block's largest",
        legend=(("positive", POSITIVE), ("negative", NEGATIVE)),
        cells=[_cell(name, blocks[name], np.asarray(kernels[name]), tops, which) for name in kernels],
        columns=min(len(kernels), 3),
        unit="weight",
        value="is",
    )


def _blocks(kernel: np.ndarray) -> np.ndarray:
    """Returns the blocks (F,kd,kh,kw) of a kernel (kd,kh,kw,C,K), those of one filter in a row."""
    ordered = np.moveaxis(kernel.astype(np.float64), (4, 3), (0, 1))
    return ordered.reshape(-1, *kernel.shape[:3])


def _cell(name: str, blocks: np.ndarray, kernel: np.ndarray, tops: np.ndarray, which: np.ndarray) -> Cell:
    """Returns the blocks (F,kd,kh,kw) of a model on a wall, row by row from the upper left.

    The places of the cubes are their indices in the kernel (kd,kh,kw,C,K), with c and k of a block from
    `which` (F,2).
    """
    per_row = int(np.ceil(np.sqrt(len(blocks))))
    width, height = blocks.shape[1] + _SPACE, blocks.shape[3] + _SPACE  # z of the grid is up
    parts, colors = [], []
    for number, (block, top) in enumerate(zip(blocks, tops, strict=True)):
        weights, corners = scaled_marks(block, top or 1.0), _corners(block.shape)
        row, column = divmod(number, per_row)
        for marks in (weights, corners):
            moved = marks.centres + np.array([column * width, -row * height, 0.0])
            places = np.insert(marks.places, [3, 3], which[number], axis=1)
            parts.append(dataclasses.replace(marks, centres=moved, places=places))
        colors.append(np.where(weights.importance[:, None] > 0, POSITIVE, NEGATIVE))
        colors.append(np.tile(_CORNER, (8, 1)))
    left = np.count_nonzero(kernel)
    said = f"{left:,} of {kernel.size:,} weights left ({left / kernel.size:.1%})"
    return Cell(one_line(name), said, joined(parts), np.concatenate(colors))


def _corners(shape: tuple[int, ...]) -> Marks:
    """Returns small cubes at the corners of a block (D,H,W), so that one sees where it ends."""
    places = np.stack(np.meshgrid(*((0, size) for size in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    x, y, z = places.T.astype(float)
    centres = np.stack([-x, z, y], axis=1)
    return Marks("cube", centres, np.full(8, 0.07), np.zeros(8), np.full_like(places, -1))
