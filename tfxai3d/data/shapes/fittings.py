"""Pieces that several shapes share: legs, pedestals, slats, drawers."""

import numpy as np

from tfxai3d.data.shapes.solids import Interval, Parts, Solid, box, post, revolve

Rng = np.random.Generator
SIDES = (-1, 1)


def chance(rng: Rng, probability: float) -> bool:
    """Returns True with this probability."""
    return bool(rng.random() < probability)


def slats(span: Interval, count: int, fill: float) -> list[Interval]:
    """Cuts a span into `count` equal cells and returns the middle `fill` of each."""
    cell = (span[1] - span[0]) / count
    gap = cell * (1 - fill) / 2
    return [(span[0] + k * cell + gap, span[0] + (k + 1) * cell - gap) for k in range(count)]


def round_top(radius: float, low: float, thick: float) -> Solid:
    """Returns a disc that stands at height `low`."""
    return revolve([(radius, low), (radius, low + thick)])


def four_legs(rng: Rng, half: float, depth: float, height: float, splay: float | None = None) -> Parts:
    """Four legs from the floor to `height`, square or round, tapered, maybe splayed and joined by rails.

    What they carry is of half the width `half` and half the depth `depth`; the feet stand `splay` times as
    far out as the heads, at random by default. Parts "leg" and "rail".
    """
    splay = rng.uniform(1.0, 1.2) if splay is None else splay
    segments, radius = (4, rng.uniform(0.03, 0.05)) if chance(rng, 0.6) else (16, rng.uniform(0.02, 0.04))
    foot = radius * rng.uniform(0.6, 1.0)
    x, z = half - radius, depth - radius
    parts: Parts = [
        ("leg", post((sx * x * splay, 0, sz * z * splay), (sx * x, height, sz * z), foot, radius, segments))
        for sx in SIDES
        for sz in SIDES
    ]
    if chance(rng, 0.3):
        share, thin = rng.uniform(0.3, 0.7), 0.5 * foot
        y, out = share * height, splay + (1 - splay) * share
        for side in SIDES:
            at = side * x * out
            parts.append(("rail", box((at - thin, at + thin), (y - thin, y + thin), (-z * out, z * out))))
    return parts


def feet(half: float, depth: float, height: float, radius: float = 0.04) -> Parts:
    """Four short square legs under the corners. Parts "leg"."""
    return [
        ("leg", post((x, 0, z), (x, height, z), radius, segments=4))
        for x in (-half, half)
        for z in (-depth, depth)
    ]


def ends(half: float, width: float) -> tuple[Interval, Interval]:
    """Returns the two intervals of a width that begin and end the interval from -half to half."""
    return (-half, width - half), (half - width, half)


def pedestal(rng: Rng, height: float, radius: float) -> Parts:
    """A column on a disc or on a star of four or five feet. Parts "column" and "foot"."""
    thick, width = rng.uniform(0.02, 0.04), rng.uniform(0.03, 0.05)
    column = post((0, thick, 0), (0, height, 0), width)
    if chance(rng, 0.5):
        return [("column", column), ("foot", round_top(radius, 0, thick))]
    arms, reach = int(rng.integers(4, 6)), radius * rng.uniform(1.0, 1.3)
    foot = box((0.5 * width, reach), (0, thick), (-0.5 * width, 0.5 * width))
    return [("column", column), *[("foot", foot.rotated("y", 360 / arms * k)) for k in range(arms)]]


def drawers(rng: Rng, x: Interval, y: Interval, front: float, rows: int, columns: int) -> Parts:
    """A grid of drawer fronts with a bar or a knob each, on the `front` of a carcass, within x and y.

    Parts "drawer" and "handle".
    """
    thick, grip, bar = 0.02, rng.uniform(0.025, 0.04), chance(rng, 0.6)
    parts: Parts = []
    for left, right in slats(x, columns, 0.92):
        for low, high in slats(y, rows, 0.88):
            parts.append(("drawer", box((left, right), (low, high), (front, front + thick))))
            middle, level = (left + right) / 2, (low + high) / 2
            reach = 0.2 * (right - left) if bar else 0.02
            size = (middle - reach, middle + reach), (level - 0.015, level + 0.015)
            parts.append(("handle", box(*size, (front + thick, front + thick + grip))))
    return parts
