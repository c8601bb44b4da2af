"""What is shown of a volume of real values, such as a scan: slices, and a map laid over them."""

import dataclasses
import itertools

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.results.explanation import Explanation
from tfxai3d.view.shown.colors import Colormap, color_range, colormap_for, point_colors
from tfxai3d.view.shown.marks import enclosed
from tfxai3d.view.shown.subject import caption, one_line

Window = tuple[float, float]
"""The values that are black and white."""

_QUANTILES = (0.005, 0.995)  # of the values: the window where none is given
# Voxels beyond the top of the colours: a lesion has fewer than the 2 % that are beyond it elsewhere.
_BEYOND = 20
OPAQUE = 0.5
"""The fraction of the top importance from which on the map is as opaque as it gets; at 0 it is clear."""
COVER = 0.85
"""How opaque it gets."""
# Axes of a plane: across, up, and the one that it cuts. Names where the orientation is known.
PLANES = ((0, 1, 2), (0, 2, 1), (1, 2, 0))
_NAMES = ("axial", "coronal", "sagittal")
_ENDS = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclasses.dataclass(frozen=True)
class SlicedVolume:
    """One example to draw, its axes to the right, front and head of the patient where they are known.

    Attributes:
        values: float32 (X,Y,Z,C).
        importance: float64 (X,Y,Z).
        channel: The channel to show first: the one with most of the importance.
        windows: The values that are black and white in each channel, (C,2).
        spacing: Size of a voxel along each axis, in millimetres where the affine is known, float64 (3,).
        axes: The axis of the inputs that each axis here is, and whether it runs the other way.
        affine: Of the inputs, see `Explanation.affine`; None if unknown.
        colormap: The colours of the map.
        limits: The importance at both ends of the colours.
        title: Which class was explained, and its score.
        method: The name of the method.
        details: The number of voxels, their size, and the number of channels.
    """

    values: np.ndarray
    importance: np.ndarray
    channel: int
    windows: np.ndarray
    spacing: np.ndarray
    axes: tuple[tuple[int, bool], ...]
    affine: np.ndarray | None
    colormap: Colormap
    limits: tuple[float, float]
    title: str
    method: str
    details: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The numbers of voxels along the axes."""
        return self.importance.shape

    @property
    def place(self) -> tuple[int, ...]:
        """The strongest place; of several that are equal the one in their middle."""
        sizes = np.abs(self.importance)
        equal = np.argwhere(sizes == sizes.max())
        return tuple(equal[((equal - equal.mean(axis=0)) ** 2).sum(axis=1).argmin()].tolist())

    @property
    def beyond(self) -> tuple[bool, bool]:
        """Whether there is importance below and above the limits."""
        return bool(self.importance.min() < self.limits[0]), bool(self.importance.max() > self.limits[1])

    @property
    def mirrored(self) -> bool:
        """Whether right, and front, are on the left of a picture, as a radiologist has them."""
        return self.affine is not None

    @property
    def planes(self) -> tuple[str, ...]:
        """What the planes are called."""
        return _NAMES if self.affine is not None else tuple("xyz"[a] + "xyz"[b] for a, b, _ in PLANES)

    def ends(self, axis: int) -> tuple[str, str]:
        """Returns what is written at the low and the high end of an axis."""
        return _ENDS[axis] if self.affine is not None else ("", "xyz"[axis])

    def number(self, axis: int) -> str:
        """Returns which slice of the inputs goes through the strongest place, such as k = 12."""
        own, turned = self.axes[axis]
        index = self.place[axis]
        return f"{'ijk'[own]} = {self.shape[axis] - 1 - index if turned else index}"

    def held(self) -> str:
        """Returns how much of the importance the three slices through the strongest place hold."""
        sizes = np.abs(self.importance)
        inside = np.zeros(self.shape, bool)
        for axis, index in enumerate(self.place):
            np.moveaxis(inside, axis, 0)[index] = True
        if not sizes.any():
            return "no importance anywhere"
        return f"the slices hold {sizes[inside].sum() / sizes.sum():.0%} of the importance"

    def slice(self, plane: int) -> np.ndarray:
        """Returns one plane through the strongest place in colours, float64 (across,up,3)."""
        cut = PLANES[plane][2]
        index = self.place[cut]
        grey = self.values[..., self.channel].take(index, axis=cut)
        return self._colors(grey, self.importance.take(index, axis=cut))

    def projection(self, plane: int) -> np.ndarray:
        """Returns the strongest importance along each line through a plane, over the brightest values."""
        cut = PLANES[plane][2]
        strongest = np.abs(self.importance).argmax(axis=cut)
        found = np.take_along_axis(self.importance, np.expand_dims(strongest, cut), axis=cut)
        return self._colors(self.values[..., self.channel].max(axis=cut), found.squeeze(cut))

    def _colors(self, grey: np.ndarray, importance: np.ndarray) -> np.ndarray:
        low, high = self.windows[self.channel]
        dark = np.clip((grey - low) / (high - low), 0, 1)[..., None]
        colors = point_colors(importance.ravel(), self.colormap, self.limits).reshape(*grey.shape, 3)
        fraction = np.abs(importance) / max(map(abs, self.limits))
        cover = COVER * np.minimum(fraction / OPAQUE, 1)[..., None]
        return np.asarray(dark * (1 - cover) + colors * cover)


def has_slices(explanation: Explanation) -> bool:
    """Whether slices tell more than cubes: of real values, and where most importance is inside of a solid."""
    if explanation.kind != "voxels" or explanation.channels.ndim != 5:
        return False
    return not explanation.is_occupancy or any(
        _within(grid.max(axis=-1) > 0, np.abs(importance))
        for grid, importance in zip(explanation.channels, explanation.importance, strict=True)
    )


def _within(occupied: np.ndarray, importance: np.ndarray) -> bool:
    if occupied.shape != importance.shape:  # an error elsewhere
        return False
    return bool(importance[enclosed(occupied)].sum() > 0.5 * importance.sum())


def sliced(
    explanation: Explanation,
    index: int,
    colormap: Colormap | None,
    title: str | None = None,
    window: Window | None = None,
) -> SlicedVolume:
    """Takes example `index` out of an explanation; a UserError if it is not finite, or not there.

    Args:
        explanation: Of voxels.
        index: Which.
        colormap: By default "coolwarm" where the importance has a sign, else "inferno".
        title: By default the class and its score.
        window: The values that are black and white in all channels; by default all but the lowest and highest
            half percent of each.
    """
    if not 0 <= index < len(explanation):
        raise UserError(f"example {index}: the explanation has examples 0 to {len(explanation) - 1}")
    values = np.asarray(explanation.channels[index], np.float32)
    importance = np.asarray(explanation.importance[index], np.float64)
    if values.ndim != 4 or values.shape[:3] != importance.shape or not values.size:
        raise UserError(f"example {index}: {values.shape} are no voxels of importance {importance.shape}")
    if not np.isfinite(values).all():
        raise UserError(f"example {index}: the voxels are NaN or infinite and cannot be drawn")
    affine = None if explanation.affine is None else np.asarray(explanation.affine[index], np.float64)
    axes = _axes(affine)
    spacing = np.ones(3) if affine is None else np.linalg.norm(affine[:3, :3], axis=0)
    channel = int(explanation.channel_shares[index].argmax())
    colormap = colormap_for(colormap, importance, plain="inferno")
    said = f"{'×'.join(map(str, importance.shape))} voxels"  # noqa: RUF001
    if affine is not None:
        said += f" of {'×'.join(f'{size:.3g}' for size in spacing)} mm"  # noqa: RUF001
    if values.shape[-1] > 1:
        said += f", {values.shape[-1]} channels"
    return SlicedVolume(
        values=_turned(values, axes),
        importance=_turned(importance, axes),
        channel=channel,
        windows=_windows(values, window),
        spacing=spacing[[own for own, _ in axes]],
        axes=axes,
        affine=affine,
        colormap=colormap,
        limits=color_range(importance.ravel(), colormap, max(0.98, 1 - _BEYOND / importance.size)),
        title=one_line(title if title is not None else caption(explanation, index)),
        method=one_line(explanation.title),
        details=said,
    )


def _windows(values: np.ndarray, window: Window | None) -> np.ndarray:
    if window is not None:
        if not window[0] < window[1]:
            raise UserError(f"window {window}: give the value that is black, then a higher one that is white")
        return np.tile(window, (values.shape[-1], 1))
    found = np.quantile(values, _QUANTILES, axis=(0, 1, 2)).T.astype(np.float64)
    ends = np.stack([values.min(axis=(0, 1, 2)), values.max(axis=(0, 1, 2))], axis=1).astype(np.float64)
    found = np.where(found[:, :1] < found[:, 1:], found, ends)
    return np.where(found[:, :1] < found[:, 1:], found, found[:, :1] + [0, 1])


def _axes(affine: np.ndarray | None) -> tuple[tuple[int, bool], ...]:
    """Returns which axis of a grid runs nearest to right, front and head, and whether against it."""
    if affine is None:
        return tuple((axis, False) for axis in range(3))
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    order = max(itertools.permutations(range(3)), key=lambda order: np.abs(cosines[range(3), order]).sum())
    return tuple((own, bool(cosines[axis, own] < 0)) for axis, own in enumerate(order))


def _turned(grid: np.ndarray, axes: tuple[tuple[int, bool], ...]) -> np.ndarray:
    turned = np.transpose(grid, [*(own for own, _ in axes), *range(3, grid.ndim)])
    return np.flip(turned, tuple(axis for axis, (_, against) in enumerate(axes) if against))
