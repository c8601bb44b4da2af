"""What is known of a network's channels: which are constant, which go together, which are needed."""

import dataclasses
import functools
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclasses.dataclass(frozen=True, eq=False)
class Channels:
    """The last axis of a tensor, at inference."""

    shape: tuple[int | None, ...]  # shape of the tensor, unknown sizes None
    dtype: str  # its name
    # The value that a channel has everywhere and for all inputs, NaN where it varies, (C,).
    constant: np.ndarray
    # Numbers of the units that the channels are (C,). Channels of one unit, such as a convolution's filter
    # after its activation, are kept or removed together.
    units: np.ndarray

    @property
    def varies(self) -> np.ndarray:
        """Which channels are not constant, bool (C,)."""
        return np.isnan(self.constant)

    @property
    def offset(self) -> np.ndarray:
        """The constants, 0 where a channel varies, (C,)."""
        return np.nan_to_num(self.constant)

    def example(self, *sizes: int) -> np.ndarray:
        """Returns a tensor of these constants, 0 for the others, `sizes` between batch and channels."""
        sizes = sizes or (1,) * (len(self.shape) - 2)
        return np.broadcast_to(self.offset, (1, *sizes, len(self.offset)))


@dataclasses.dataclass(frozen=True, eq=False)
class Product:
    """A layer that multiplies by a kernel."""

    x: Channels  # its input
    y: Channels  # its output
    variable: Any  # its kernel, a keras.Variable (...,C,K)
    kernel: np.ndarray  # its values (P,C,K): P is the number of positions that a convolution sums over
    # Whether the convolution sees zeros instead of the input at the border, so that a constant channel of the
    # input does not make a constant contribution.
    padded: bool

    @functools.cached_property
    def used(self) -> np.ndarray:
        """Which input channels take part in which output channels, bool (C,K)."""
        return (self.kernel != 0).any(axis=0)


class Anatomy:
    """The units of a network and how they depend on each other."""

    def __init__(self) -> None:
        self.products: list[Product] = []
        self._count = 0
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._needed: list[np.ndarray] = []

    def new(self, shape: Any, dtype: str, needed: bool = False) -> Channels:
        """Returns channels that vary, each a unit of its own; `needed` ones are never removed."""
        size = (shape[-1] or 0) if shape else 0
        units = np.arange(self._count, self._count + size)
        self._count += size
        channels = Channels(tuple(shape), dtype, np.full(size, np.nan), units)
        if needed:
            self.need(channels)
        return channels

    def need(self, channels: Channels) -> None:
        """Keeps these channels from being removed."""
        self._needed.append(channels.units)

    def tie(self, *tensors: Channels) -> None:
        """Makes the channels of tensors that are added together one unit each."""
        self._ties += [(tensors[0].units, other.units) for other in tensors[1:]]

    def kept(self, channels: Channels) -> np.ndarray:
        """Returns which channels stay, bool (C,); known after `solve`."""
        return self._alive[self._group[channels.units]]

    def connect(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the group of each unit (U,), numbers of units that are tied, and which are needed (G,)."""
        ends = [np.concatenate([tie[i] for tie in self._ties] or [np.zeros(0, int)]) for i in (0, 1)]
        ties = coo_array((np.ones(len(ends[0])), tuple(ends)), shape=(self._count, self._count))
        number, group = connected_components(ties, directed=False)
        needed = np.zeros(number, bool)
        for units in self._needed:
            needed[group[units]] = True
        return group, needed

    def solve(self) -> None:
        """Finds the units that are needed: those that vary and are read, and those that stand for others."""
        self._group, self._alive = self.connect()
        known = -1
        while known < np.count_nonzero(self._alive):  # until a round over all layers finds no more
            known = int(np.count_nonzero(self._alive))
            for product in reversed(self.products):
                self._alive[self._group[product.x.units[self._wanted(product)]]] = True
                if not self.kept(product.y).any():  # no layer can be of width 0
                    self._alive[self._group[product.y.units[0]]] = True

    def _wanted(self, product: Product) -> np.ndarray:
        """Returns which input channels a product needs for the output channels that are kept."""
        x = product.x
        read = product.used[:, self.kept(product.y)].any(axis=1)
        wanted = read & x.varies
        constants = read & (x.offset != 0)
        if product.padded and constants.any() and not (self.kept(x) & (x.offset != 0)).any():
            wanted[np.argmax(np.abs(x.offset) * constants)] = True  # one stands for all
        return wanted
