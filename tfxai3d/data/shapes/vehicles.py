"""What moves people: airplane, car."""

import numpy as np

from tfxai3d.data.shapes.fittings import Rng, chance
from tfxai3d.data.shapes.solids import Floats, Parts, Solid, bezier, box, extrude, loft, post, revolve, shell

_SECTION = np.array([
    (0.5, 0), (0.3, 0.4), (0.0, 0.5), (-0.3, 0.3), (-0.5, 0), (-0.3, -0.3), (0.0, -0.5), (0.3, -0.4),
])  # fmt: skip


def _along_z(solid: Solid) -> Solid:
    """Lays a solid of revolution down: its top points along +z."""
    return solid.rotated("x", 90)


def airplane(rng: Rng) -> Parts:
    """Fuselage, swept or straight wings, tailplane, fin; jets at the wings or the tail, or a propeller."""
    radius, rear = rng.uniform(0.08, 0.13), -1.0
    nose = bezier([(0.6 * radius, 1.0), (radius, 0.95), (radius, 0.7)], 5)[::-1]
    tail = bezier([(0.15 * radius, rear), (radius, -0.55), (radius, -0.3)], 6)
    profile = np.concatenate([[(0, rear)], tail, nose, [(0, 1.0 + 0.5 * radius)]])
    parts: Parts = [("fuselage", _along_z(revolve(profile, segments=24)))]
    span, chord, sweep = rng.uniform(0.7, 1.1), rng.uniform(0.25, 0.42), rng.uniform(0.0, 0.55)
    level, at = radius * rng.uniform(-0.6, 0.7), rng.uniform(0.05, 0.25)
    rise = rng.uniform(0.0, 0.12) * span
    wing = _wing((0.5 * radius, level, at), (span, level + rise, at - sweep), chord, rng.uniform(0.3, 0.8))
    parts += [("wing", wing), ("wing", wing.mirrored())]
    parts += _tail(rng, radius, sweep)
    if sweep < 0.15 and chance(rng, 0.7):
        return parts + _propeller(rng, 1.0 + 0.5 * radius)
    return parts + _engines(rng, radius, span, level, rise, at, sweep)


def _wing(root: tuple[float, ...], tip: tuple[float, ...], chord: float, taper: float) -> Solid:
    """A right wing from root to tip (centres of the sections), `taper` the tip's share of the chord."""
    size = chord * np.array([1.0, taper])
    section = np.stack([np.zeros(8), 0.14 * _SECTION[:, 1], _SECTION[:, 0]], axis=-1)
    return loft(np.array([root, tip])[:, None] + size[:, None, None] * section[::-1])


def _tail(rng: Rng, radius: float, sweep: float) -> Parts:
    """Tailplane and fin, the tailplane on the fuselage or on top of the fin."""
    high, chord, back = rng.uniform(0.25, 0.4), rng.uniform(0.15, 0.22), 0.3 * sweep
    upright = _wing((0.0, 0.0, -0.85), (high, 0.0, -0.9 - back), 1.3 * chord, 0.6)
    parts: Parts = [("fin", upright.rotated("z", 90).moved(y=0.3 * radius))]
    level = 0.3 * radius + high if chance(rng, 0.3) else 0.2 * radius
    at = -0.88 - back if level > radius else -0.85
    plane = _wing((0.0, level, at), (rng.uniform(0.3, 0.45), level + 0.02, at - back), chord, 0.6)
    return [*parts, ("tailplane", plane), ("tailplane", plane.mirrored())]


def _propeller(rng: Rng, nose: float) -> Parts:
    """Two to four blades and a hub at the nose."""
    count, reach = int(rng.integers(2, 5)), rng.uniform(0.2, 0.3)
    blade = box((-0.02, 0.02), (0.02, reach), (nose - 0.01, nose + 0.01))
    hub = _along_z(revolve([(0.035, nose - 0.03), (0.03, nose + 0.03), (0, nose + 0.07)], segments=16))
    return [("propeller", hub), *[("propeller", blade.rotated("z", 360 / count * k)) for k in range(count)]]


def _engines(
    rng: Rng, radius: float, span: float, level: float, rise: float, at: float, sweep: float
) -> Parts:
    """Two or four jets below the wings, or two at the tail."""
    size, length = rng.uniform(0.045, 0.07), rng.uniform(0.2, 0.3)
    profile = np.array([(0.7 * size, 0.0), (size, 0.3 * length), (size, length)])
    jet = _along_z(revolve(shell(profile, 0.012), 16))
    if chance(rng, 0.3):
        pod = jet.moved(x=radius + size, y=0.4 * radius, z=-0.65)
        return [("engine", pod), ("engine", pod.mirrored())]
    parts: Parts = []
    for share in ((0.35,), (0.3, 0.6))[int(rng.integers(0, 2))]:
        y, z = level + share * rise - size - 0.02, at - share * sweep
        pod = jet.moved(x=share * span, y=y, z=z)
        parts += [("engine", pod), ("engine", pod.mirrored())]
    return parts


def car(rng: Rng) -> Parts:
    """Body, cabin and four wheels: hatchback, saloon, van or pick-up by the cabin's place and length."""
    half, length = rng.uniform(0.38, 0.45), rng.uniform(0.9, 1.15)
    wheel, hood = rng.uniform(0.15, 0.19), rng.uniform(0.28, 0.38)
    low, waist, roof = 0.6 * wheel, 0.6 * wheel + hood, rng.uniform(0.28, 0.4)
    nose = low + hood * rng.uniform(0.6, 0.9)
    parts: Parts = [("body", _body(half, length, low, nose, waist))]
    front = rng.uniform(0.25, 0.6) * length
    rear = -length * rng.choice([0.95, 0.6, rng.uniform(0.0, 0.2)], p=[0.4, 0.45, 0.15])
    parts.append(("cabin", _cabin(rng, half, (rear, front), waist, waist + roof)))
    axle, tread = rng.uniform(0.58, 0.68) * length, rng.uniform(0.1, 0.14)
    disc = post((0, 0, 0), (0, tread, 0), wheel, segments=24).rotated("z", 90)
    for z in (-axle, axle):
        parts += [("wheel", disc.moved(x, wheel, z)) for x in (half + 0.02, -half - 0.02 + tread)]
    return parts


def _body(half: float, length: float, low: float, nose: float, waist: float) -> Solid:
    """The side view up to the waist line, extruded over the width."""
    side: Floats = np.array([
        (-length, low), (length, low), (length, nose), (0.9 * length, nose + 0.04), (0.5 * length, waist),
        (-0.95 * length, waist), (-length, waist - 0.08),
    ])  # fmt: skip
    return extrude(side, -half, half).rotated("x", 90).rotated("y", -90)


def _cabin(rng: Rng, half: float, span: tuple[float, float], low: float, high: float) -> Solid:
    """A box that narrows upwards, its screens raked."""
    most = min(high - low, 0.6 * (span[1] - span[0]))
    rear, front = most * rng.uniform(0.1, 0.6), most * rng.uniform(0.4, 0.9)
    top = (span[0] + rear, span[1] - front)
    wide, narrow = 0.96 * half, 0.8 * half
    rows = [
        [(-w, y, z[1]), (w, y, z[1]), (w, y, z[0]), (-w, y, z[0])]
        for w, y, z in ((wide, low, span), (narrow, high, top))
    ]
    return loft(np.array(rows))
