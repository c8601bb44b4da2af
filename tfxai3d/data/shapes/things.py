"""Single things: cone, guitar, lamp, laptop, monitor, stairs, tent."""

import numpy as np

from tfxai3d.data.shapes.fittings import SIDES, Rng, chance, ends, round_top
from tfxai3d.data.shapes.solids import Parts, Solid, box, extrude, loft, post, revolve, shell, slab, tube


def cone(rng: Rng) -> Parts:
    """A pointed or blunted cone, plain or on a square or round base (a traffic cone)."""
    tall, wide = 1.0, rng.uniform(0.25, 0.5)
    tip = 0.0 if chance(rng, 0.4) else wide * rng.uniform(0.08, 0.25)
    parts: Parts = [("cone", revolve([(wide, 0), (tip, tall)]))]
    if chance(rng, 0.6):
        thick, reach = rng.uniform(0.04, 0.08), wide * rng.uniform(1.15, 1.4)
        square = box((-reach, reach), (-thick, 0), (-reach, reach))
        parts.append(("base", square if chance(rng, 0.6) else round_top(reach, -thick, thick)))
    return parts


def guitar(rng: Rng) -> Parts:
    """Body with a waist, neck, head and bridge, standing upright; acoustic (deep) or electric (thin)."""
    acoustic = chance(rng, 0.6)
    thick = rng.uniform(0.09, 0.12) if acoustic else rng.uniform(0.04, 0.06)
    half, tall = rng.uniform(0.2, 0.25), rng.uniform(0.2, 0.25)
    t = 2 * np.pi * np.arange(64) / 64
    waist, upper = rng.uniform(0.2, 0.38), rng.uniform(0.0, 0.12)
    narrower = waist * np.exp(-(((np.cos(t) - 0.2) / 0.35) ** 2))
    width = half * np.sin(t) * (1 - upper * (1 - np.cos(t)) - narrower)
    outline = np.stack([width, tall * np.cos(t)], axis=-1)[::-1]
    body = extrude(outline, -thick / 2, thick / 2).rotated("x", 90)
    front, start, end = thick / 2, 0.35 * tall, tall + rng.uniform(0.27, 0.36)
    head = end + rng.uniform(0.12, 0.17)
    parts: Parts = [
        ("body", body),
        ("neck", box((-0.03, 0.03), (start, end), (front, front + 0.02))),
        ("head", box((-0.045, 0.045), (end, head), (front - 0.01, front + 0.02))),
        ("bridge", box((-0.08, 0.08), (-0.5 * tall, -0.38 * tall), (front, front + 0.02))),
    ]
    for level in np.linspace(end + 0.02, head - 0.03, 3):
        for side in SIDES:
            x = sorted((side * 0.045, side * 0.075))
            parts.append(("peg", box((x[0], x[1]), (level, level + 0.012), (front, front + 0.012))))
    if not acoustic:
        y = rng.uniform(-0.15, 0.0) * tall
        parts += [("bridge", box((-0.05, 0.05), (y, y + 0.03), (front, front + 0.012)))]
    return parts


def lamp(rng: Rng) -> Parts:
    """A floor or table lamp: foot, pole and shade; or a desk lamp with two arms and a tilted shade."""
    foot, thick = rng.uniform(0.13, 0.2), rng.uniform(0.02, 0.05)
    parts: Parts = [("foot", round_top(foot, 0, thick))]
    if chance(rng, 0.3):
        return parts + _desk_lamp(rng, thick)
    high = rng.uniform(0.5, 1.4)
    low, top, tall = rng.uniform(0.16, 0.28), rng.uniform(0.08, 0.18), rng.uniform(0.18, 0.3)
    parts.append(("pole", post((0, thick, 0), (0, high + 0.5 * tall, 0), rng.uniform(0.012, 0.03))))
    if high < 0.8 and chance(rng, 0.5):
        belly = rng.uniform(0.07, 0.12)
        angle = np.linspace(0, np.pi, 10)[1:-1]
        ball = np.stack([belly * np.sin(angle), thick + belly * 1.5 * (1 - np.cos(angle))], axis=-1)
        parts.append(("pole", revolve([(0, thick), *ball, (0, thick + 3 * belly)], segments=20)))
    parts.append(("shade", _shade(low, min(top, low), high, tall)))
    return parts


def _shade(low: float, top: float, floor: float, tall: float, wall: float = 0.012) -> Solid:
    """A frustum open at both ends."""
    loop = [(low - wall, floor), (low, floor), (top, floor + tall), (top - wall, floor + tall)]
    return revolve(loop, closed=True)


def _desk_lamp(rng: Rng, floor: float) -> Parts:
    """Two arms in the plane z = 0 and a bell that looks down and outwards."""
    elbow = np.array([-rng.uniform(0.05, 0.2), rng.uniform(0.3, 0.4), 0.0])
    wrist = np.array([rng.uniform(0.15, 0.3), rng.uniform(0.5, 0.65), 0.0])
    thin, size = rng.uniform(0.012, 0.02), rng.uniform(0.09, 0.13)
    bell = revolve(shell(np.array([(0.3 * size, 0), (0.5 * size, 0.4 * size), (size, 1.4 * size)]), 0.01), 24)
    return [
        ("pole", tube([(0, floor, 0), elbow], thin)),
        ("pole", tube([elbow, wrist], thin)),
        ("shade", bell.rotated("z", 180 + rng.uniform(10, 50)).moved(*wrist)),
    ]


def laptop(rng: Rng) -> Parts:
    """A flat base with keyboard and touchpad, and a thin screen hinged at its rear."""
    half, depth, thick = rng.uniform(0.16, 0.2), rng.uniform(0.1, 0.14), rng.uniform(0.012, 0.02)
    tall, opening = 2 * depth * rng.uniform(0.9, 1.05), rng.uniform(0, 35)
    screen = box((-half, half), (thick, thick + tall), (-depth, 0.01 - depth))
    keyboard = box((-0.85 * half, 0.85 * half), (thick, thick + 0.005), (-0.75 * depth, 0.1 * depth))
    touchpad = box((-0.25 * half, 0.25 * half), (thick, thick + 0.003), (0.25 * depth, 0.8 * depth))
    base, hinge = box((-half, half), (0, thick), (-depth, depth)), (0, thick, 0.01 - depth)
    screen = screen.rotated("x", -opening, hinge)
    return [("base", base), ("screen", screen), ("keyboard", keyboard), ("touchpad", touchpad)]


def monitor(rng: Rng) -> Parts:
    """A screen on a neck and a foot; flat, or deep as a picture tube."""
    half = rng.uniform(0.22, 0.32)
    tall, thick, low = 2 * half * rng.uniform(0.55, 0.8), rng.uniform(0.03, 0.05), rng.uniform(0.08, 0.16)
    parts: Parts = [("screen", box((-half, half), (low, low + tall), (-thick, 0)))]
    if chance(rng, 0.3):
        parts.append(("back", _tube_back(half, (low, low + tall), -thick, rng.uniform(0.2, 0.35))))
    slope, width = rng.uniform(0, 0.15), rng.uniform(0.03, 0.06)
    parts = [(name, solid.leaned(slope, low)) for name, solid in parts]
    base, wide = 0.015, rng.uniform(0.1, 0.17)
    square = box((-wide, wide), (0, base), (-0.7 * wide, 0.7 * wide))
    foot = round_top(wide, 0, base) if chance(rng, 0.5) else square
    reach = low + rng.uniform(0.0, 0.4) * tall
    neck = box((-width, width), (base, reach), (-thick - 0.03, -thick)).leaned(slope, low)
    return [*parts, ("neck", neck), ("foot", foot.moved(z=-thick - 0.015))]


def _tube_back(half: float, y: tuple[float, float], front: float, deep: float) -> Solid:
    """The case behind a picture tube, narrowing to the rear."""
    middle, room = (y[0] + y[1]) / 2, (y[1] - y[0]) / 2
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    rows = [
        [(i * s * half, middle + j * s * room, z) for i, j in corners]
        for s, z in ((0.5, front - deep), (0.95, front))
    ]
    return loft(np.array(rows))


def stairs(rng: Rng) -> Parts:
    """A straight flight with treads, maybe risers, two strings and maybe hand rails."""
    count, half = int(rng.integers(5, 13)), rng.uniform(0.4, 0.7)
    going, rise, thick = rng.uniform(0.24, 0.3), rng.uniform(0.15, 0.2), 0.04
    closed = chance(rng, 0.6)
    parts: Parts = []
    for k in range(count):
        front, top = -k * going, (k + 1) * rise
        parts.append(("step", box((-half, half), (top - thick, top), (front - going, front))))
        if closed:
            parts.append(("riser", box((-half, half), (top - rise, top - thick), (front - 0.03, front))))
    end = -count * going
    for side in SIDES:
        x = side * (half + 0.02)
        rear = [((count - 1) * rise - 0.05, end), (count * rise, end)]
        outline = [(x, y, z) for y, z in ((0, 0.02), (0, -going), *rear, (rise, 0.02))]
        parts.append(("stringer", slab(outline, (side * 0.04, 0, 0))))
        if chance(rng, 0.5):
            parts += _rail(x, (0, count * going), rise / going, rise, rng.uniform(0.75, 0.95))
    return parts


def _rail(x: float, run: tuple[float, float], slope: float, start: float, high: float) -> Parts:
    """Posts on the string and a hand rail parallel to it."""
    parts: Parts = []
    for s in np.linspace(run[0] + 0.05, run[1] - 0.05, 5):
        y = start + slope * s
        parts.append(("post", box((x - 0.025, x + 0.025), (y, y + high), (-s - 0.025, -s + 0.025))))
    rows = [(x - 0.03, start + slope * s + high, -s) for s in run]
    above = [(x, y + 0.06, z) for x, y, z in rows[::-1]]
    return [*parts, ("rail", slab([*rows, *above], (0.06, 0, 0)))]


def tent(rng: Rng) -> Parts:
    """A ridge tent, a dome tent, or a pavilion on posts."""
    return [_ridge, _dome, _pavilion][int(rng.choice(3, p=[0.5, 0.25, 0.25]))](rng)


def _ridge(rng: Rng) -> Parts:
    """Two sloping sheets, closed at the rear and maybe at the front, maybe over low walls."""
    half, deep, tall, thick = rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.4), rng.uniform(0.9, 1.3), 0.03
    wall = rng.uniform(0.2, 0.5) if chance(rng, 0.35) else 0.0
    top = wall + tall
    parts: Parts = []
    for side, x in zip(SIDES, ends(half, thick), strict=True):
        sheet = [(side * half, wall, -deep), (side * half, wall, deep), (0, top, deep), (0, top, -deep)]
        parts.append(("roof", slab(sheet, (0, thick, 0))))
        if wall:
            parts.append(("wall", box(x, (0, wall), (-deep, deep))))
    gable = [(-half, wall, -deep), (half, wall, -deep), (0, top, -deep)]
    if wall:
        gable = [(-half, 0, -deep), (half, 0, -deep), *gable[1:], gable[0]]
    parts.append(("wall", slab(gable, (0, 0, thick))))
    if chance(rng, 0.4):
        for side in SIDES:  # the door stands open: a flap at either side
            outer, inner = side * half, side * 0.35 * half
            flap = [(outer, 0, deep), (inner, 0, deep), (inner, wall + 0.65 * tall, deep)]
            if wall:
                flap.append((outer, wall, deep))
            parts.append(("wall", slab(flap, (0, 0, -thick))))
    elif chance(rng, 0.5):
        parts.append(("pole", post((0, 0, deep - 0.05), (0, top - 0.05, deep - 0.05), 0.03)))
    return parts


def _dome(rng: Rng) -> Parts:
    """Half an ellipsoid, its foot slightly drawn in, with a porch in front."""
    half, deep, tall = rng.uniform(0.8, 1.0), rng.uniform(0.8, 1.3), rng.uniform(0.6, 0.8)
    angle = np.linspace(0, np.pi / 2, 12)[:-1]
    profile = np.stack([np.cos(angle), tall * np.sin(angle)], axis=-1)
    parts: Parts = [("roof", revolve([*profile, (0, tall)]).scaled(half, 1, deep))]
    if chance(rng, 0.6):
        reach, low = deep + rng.uniform(0.2, 0.4), 0.6 * tall
        for side in SIDES:
            x = side * 0.5 * half
            sheet = [(x, 0, reach), (x, 0, 0.6 * deep), (0, low, 0.7 * deep), (0, low, reach)]
            parts.append(("porch", slab(sheet, (0.03 * side, 0.02, 0))))
    return parts


def _pavilion(rng: Rng) -> Parts:
    """A four-sided roof on posts with a valance."""
    half, deep = rng.uniform(0.8, 1.1), rng.uniform(0.8, 1.1)
    wall, tall, drop = rng.uniform(0.7, 1.0), rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.2)
    rim = [(-half, wall, deep), (half, wall, deep), (half, wall, -deep), (-half, wall, -deep)]
    roof = loft(np.array([rim, [(0.03 * x, y + tall, 0.03 * z) for x, y, z in rim]]))
    parts: Parts = [("roof", roof)]
    for side, x, z in zip(SIDES, ends(half, 0.03), ends(deep, 0.03), strict=True):
        parts.append(("valance", box((-half, half), (wall - drop, wall), z)))
        parts.append(("valance", box(x, (wall - drop, wall), (0.03 - deep, deep - 0.03))))
        at = side * (half - 0.06)
        parts += [("pole", post((at, 0, b), (at, wall, b), 0.03)) for b in (0.06 - deep, deep - 0.06)]
    return parts
