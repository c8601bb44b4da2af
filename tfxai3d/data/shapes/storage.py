"""What people put things on and into: table, desk, dresser, night stand, bookshelf.

Rules that tell them apart: a table is open below its top and at least half as deep as wide; a desk has a
block of drawers under its top; a dresser is a chest at least 1.2 times as wide as tall with several columns
of drawers; a night stand has one column and is about as wide as tall; a bookshelf is tall, shallow and open
at the front.
"""

from tfxai3d.data.shapes import fittings
from tfxai3d.data.shapes.fittings import Rng, chance, drawers, ends, four_legs, pedestal, round_top
from tfxai3d.data.shapes.solids import Interval, Parts, box, post


def table(rng: Rng) -> Parts:
    """A round or rectangular top on four legs, a pedestal or two end panels."""
    half, high, thick = rng.uniform(0.5, 0.95), rng.uniform(0.66, 0.74), rng.uniform(0.03, 0.07)
    if chance(rng, 0.35):
        radius = rng.uniform(0.45, 0.65)
        parts: Parts = [("top", round_top(radius, high, thick))]
        if chance(rng, 0.6):
            return parts + pedestal(rng, high, 0.6 * radius)
        return parts + four_legs(rng, 0.65 * radius, 0.65 * radius, high)
    depth = max(0.35, half * rng.uniform(0.55, 0.95))
    parts = [("top", box((-half, half), (high, high + thick), (-depth, depth)))]
    if chance(rng, 0.25):
        return parts + _trestle(rng, half, depth, high)
    inset = rng.uniform(0.85, 1.0)
    if chance(rng, 0.5):
        parts += _apron(inset * half, inset * depth, high, rng.uniform(0.06, 0.1))
    return parts + four_legs(rng, inset * half, inset * depth, high)


def _trestle(rng: Rng, half: float, depth: float, high: float) -> Parts:
    """Two end panels and a board between them."""
    inset, width = rng.uniform(0.65, 0.9) * half, rng.uniform(0.04, 0.08)
    reach, level = rng.uniform(0.6, 0.9) * depth, rng.uniform(0.15, 0.4) * high
    board = box((width - inset, inset - width), (level, level + 0.12), (-0.02, 0.02))
    return [("rail", board), *[("leg", box(x, (0, high), (-reach, reach))) for x in ends(inset, width)]]


def _apron(half: float, depth: float, high: float, drop: float) -> Parts:
    """Four boards under the top, between the legs."""
    x, z, thick = half - 0.03, depth - 0.03, 0.025
    parts: Parts = [("apron", box((-x, x), (high - drop, high), (s, s + thick))) for s in (-z, z - thick)]
    side = (thick - z, z - thick)
    return parts + [("apron", box((s, s + thick), (high - drop, high), side)) for s in (-x, x - thick)]


def desk(rng: Rng) -> Parts:
    """A top over one or two blocks of drawers, with legs or a panel at an open end, and a modesty panel."""
    half, depth = rng.uniform(0.6, 0.9), rng.uniform(0.28, 0.4)
    high, thick, block = rng.uniform(0.66, 0.74), rng.uniform(0.03, 0.05), rng.uniform(0.32, 0.45)
    feet = rng.uniform(0.0, 0.1) if chance(rng, 0.7) else rng.uniform(0.2, 0.3)
    inner, rows = depth - 0.04, int(rng.integers(2, 5))
    parts: Parts = [("top", box((-half, half), (high, high + thick), (-depth, depth)))]
    left, right = (0.02 - half, 0.02 - half + block), (half - 0.02 - block, half - 0.02)
    used = (left, right) if chance(rng, 0.4) else (left,)
    for x in used:
        parts.append(("cabinet", box(x, (feet, high), (-inner, inner))))
        parts += drawers(rng, x, (feet, high), inner, rows, 1)
        if feet > 0.02:
            places = [(c, z) for c in (x[0] + 0.03, x[1] - 0.03) for z in (0.03 - inner, inner - 0.03)]
            parts += [("leg", post((c, 0, z), (c, feet, z), 0.03, segments=4)) for c, z in places]
    if len(used) == 1:
        parts += _open_end(rng, right[1], inner, high)
    if chance(rng, 0.8):
        low = rng.uniform(0.2, 0.6) * high
        end = right[0] if len(used) == 2 else half - 0.07
        parts.append(("panel", box((left[1], end), (low, high), (-inner, 0.025 - inner))))
    if chance(rng, 0.2):
        parts += _hutch(rng, half, depth, high + thick)
    return [(name, solid.mirrored()) for name, solid in parts] if chance(rng, 0.5) else parts


def _open_end(rng: Rng, edge: float, depth: float, high: float) -> Parts:
    """The end without drawers: a panel or two legs."""
    if chance(rng, 0.5):
        return [("panel", box((edge - 0.05, edge), (0, high), (-depth, depth)))]
    return [("leg", box((edge - 0.05, edge), (0, high), (z, z + 0.05))) for z in (-depth, depth - 0.05)]


def _hutch(rng: Rng, half: float, depth: float, top: float) -> Parts:
    """A shelf on two ends standing on the rear of the desk."""
    up, front, thick = top + rng.uniform(0.25, 0.45), rng.uniform(-0.4, 0.0) * depth, 0.03
    parts: Parts = [("shelf", box(x, (top, up), (-depth, front))) for x in ends(half, thick)]
    return [*parts, ("shelf", box((-half, half), (up, up + thick), (-depth, front)))]


def dresser(rng: Rng) -> Parts:
    """A wide chest with two or three columns of drawers, on feet or a plinth; sometimes with a mirror."""
    high = rng.uniform(0.7, 0.95)
    half, depth = high * rng.uniform(1.2, 1.9) / 2, rng.uniform(0.2, 0.27)
    feet = rng.uniform(0.05, 0.15)
    parts = _chest(rng, half, depth, high, feet)
    rows, columns = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    parts += drawers(rng, (-half, half), (feet, high), depth, rows, columns)
    if chance(rng, 0.25):
        wide, up = rng.uniform(0.5, 0.8) * half, high + rng.uniform(0.4, 0.7)
        parts.append(("mirror", box((-wide, wide), (high + 0.03, up), (0.02 - depth, 0.06 - depth))))
    return parts


def night_stand(rng: Rng) -> Parts:
    """A small chest with one column of drawers, or one drawer over an open shelf."""
    high = rng.uniform(0.45, 0.6)
    half, depth = high * rng.uniform(0.75, 1.05) / 2, rng.uniform(0.17, 0.23)
    feet = rng.uniform(0.05, 0.2)
    if chance(rng, 0.6):
        rows, chest = int(rng.integers(1, 4)), _chest(rng, half, depth, high, feet)
        return chest + drawers(rng, (-half, half), (feet, high), depth, rows, 1)
    middle, thick = high - rng.uniform(0.3, 0.45) * (high - feet), 0.025
    parts = _chest(rng, half, depth, high, middle, plinth=False)
    parts += drawers(rng, (-half, half), (middle, high), depth, 1, 1)
    shelf = rng.uniform(0.5, 1.0) * feet
    return [*parts, ("shelf", box((-half, half), (shelf, shelf + thick), (-depth, depth)))]


def _chest(rng: Rng, half: float, depth: float, high: float, feet: float, plinth: bool = True) -> Parts:
    """A carcass with an overhanging top, on a plinth or four square feet."""
    lip = rng.uniform(0.0, 0.03)
    parts: Parts = [
        ("cabinet", box((-half, half), (feet, high), (-depth, depth))),
        ("top", box((-half - lip, half + lip), (high, high + 0.03), (-depth, depth + lip + 0.02))),
    ]
    if plinth and chance(rng, 0.4):
        return [*parts, ("base", box((0.03 - half, half - 0.03), (0, feet), (0.03 - depth, depth - 0.03)))]
    return parts + fittings.feet(half - 0.025, depth - 0.025, feet, 0.035)


def bookshelf(rng: Rng) -> Parts:
    """Two sides, four to seven shelves, books; back panel and dividers by chance."""
    half, high, depth, thick = rng.uniform(0.35, 0.6), rng.uniform(1.4, 2.0), rng.uniform(0.13, 0.2), 0.035
    count = int(rng.integers(4, 8))
    inner = (thick - half, half - thick)
    parts: Parts = [("side", box(x, (0, high), (-depth, depth))) for x in ends(half, thick)]
    step = (high - thick) / (count - 1)
    levels = [k * step for k in range(count)]
    parts += [("shelf", box(inner, (y, y + thick), (-depth, depth))) for y in levels]
    if chance(rng, 0.6):
        parts.append(("back", box(inner, (thick, high - thick), (-depth - 0.015, -depth))))
    if chance(rng, 0.3):
        for y in levels[:-1]:
            parts.append(("divider", box((-thick / 2, thick / 2), (y + thick, y + step), (-depth, depth))))
    if chance(rng, 0.6):
        for y in levels[:-1]:
            parts += _books(rng, inner, y + thick, step - thick, depth)
    return parts


def _books(rng: Rng, x: Interval, floor: float, room: float, depth: float) -> Parts:
    """A row of books from the left, or none."""
    if chance(rng, 0.35):
        return []
    end = x[0] + (x[1] - x[0]) * rng.uniform(0.15, 0.45)
    high, front = floor + room * rng.uniform(0.6, 0.9), depth * rng.uniform(0.3, 0.9)
    return [("books", box((x[0], end), (floor, high), (-depth, front)))]
