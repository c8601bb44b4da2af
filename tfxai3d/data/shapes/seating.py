"""What people sit and lie on: chair, stool, bench, sofa, bed.

Rules that tell them apart: a chair has one seat about as wide as deep and a back; a stool has no back; a
bench is at least twice as wide as deep; a sofa has a solid base, thick arms and cushions; a bed is low,
long and has a headboard.
"""

import numpy as np

from tfxai3d.data.shapes import fittings
from tfxai3d.data.shapes.fittings import Rng, chance, ends, four_legs, pedestal, round_top, slats
from tfxai3d.data.shapes.solids import Parts, Solid, box, post, tube


def chair(rng: Rng) -> Parts:
    """A seat with a back, on four legs, a pedestal or a star foot, with or without arms."""
    half, depth = rng.uniform(0.2, 0.28), rng.uniform(0.2, 0.27)
    low, thick = rng.uniform(0.36, 0.48), rng.uniform(0.03, 0.09)
    top, slope = low + thick, rng.uniform(0, 0.25)
    parts: Parts = [("seat", box((-half, half), (low, top), (-depth, depth)))]
    parts += pedestal(rng, low, 0.8 * half) if chance(rng, 0.25) else four_legs(rng, half, depth, low)
    parts += [(name, part.leaned(slope, top)) for name, part in _chair_back(rng, half, depth, top)]
    if chance(rng, 0.4):
        parts += _chair_arms(rng, half, depth, top)
    return parts


def _chair_back(rng: Rng, half: float, depth: float, top: float) -> Parts:
    """A panel, or two posts with rails or slats between, standing upright on the rear of the seat."""
    high, thick = top + rng.uniform(0.38, 0.62), rng.uniform(0.03, 0.06)
    z = (-depth, -depth + thick)
    if chance(rng, 0.4):
        return [("back", box((-half, half), (top, high), z))]
    width, inner = rng.uniform(0.03, 0.05), rng.uniform(0.2, 0.4)
    parts: Parts = [("back", box((x - width, x), (top, high), z)) for x in (width - half, half)]
    x, rail = (width - half, half - width), rng.uniform(0.06, 0.1)
    parts.append(("back", box(x, (high - rail, high), z)))
    if chance(rng, 0.5):
        count = int(rng.integers(2, 6))
        parts += [("slat", box(s, (top, high - rail), z)) for s in slats(x, count, 1 - inner)]
    else:
        count = int(rng.integers(1, 4))
        levels = slats((top + 0.1, high - rail), count, inner + 0.2)
        parts += [("slat", box(x, y, z)) for y in levels]
    return parts


def _chair_arms(rng: Rng, half: float, depth: float, top: float) -> Parts:
    """Two arm rests outside the seat's rim, each on a front post."""
    width, thick, up = rng.uniform(0.04, 0.07), rng.uniform(0.03, 0.05), top + rng.uniform(0.17, 0.25)
    front = rng.uniform(0.5, 1.0) * depth
    parts: Parts = []
    for x in ends(half, width):
        parts.append(("arm", box(x, (up, up + thick), (-depth, front))))
        parts.append(("arm", box(x, (top, up), (front - width, front))))
    return parts


def stool(rng: Rng) -> Parts:
    """A seat without a back, round or square, on three or four splayed legs or a pedestal."""
    half, thick = rng.uniform(0.15, 0.2), rng.uniform(0.03, 0.08)
    low = half * rng.uniform(2.2, 4.0)
    square = box((-half, half), (low, low + thick), (-half, half))
    parts: Parts = [("seat", round_top(half, low, thick) if chance(rng, 0.65) else square)]
    if chance(rng, 0.25):
        return parts + pedestal(rng, low, half)
    count, radius, splay = int(rng.integers(3, 5)), rng.uniform(0.015, 0.025), rng.uniform(0.85, 1.3)
    turns = 2 * np.pi * (np.arange(count) + 0.5) / count
    heads = 0.75 * half * np.stack([np.cos(turns), 0 * turns, np.sin(turns)], axis=-1)
    segments = 4 if chance(rng, 0.3) else 16
    parts += [
        ("leg", post(splay * h, h + np.array([0, low, 0]), radius, 1.2 * radius, segments)) for h in heads
    ]
    if chance(rng, 0.6):
        share = rng.uniform(0.25, 0.5)
        joints = heads * (splay + (1 - splay) * share) + (0, share * low, 0)
        parts += [
            ("rail", tube([a, b], 0.7 * radius)) for a, b in zip(joints, np.roll(joints, 1, 0), strict=True)
        ]
    return parts


def bench(rng: Rng) -> Parts:
    """A long seat of one board or several, on legs or end panels, with or without back and arms."""
    half, depth = rng.uniform(0.6, 1.0), rng.uniform(0.17, 0.24)
    low, thick = rng.uniform(0.38, 0.46), rng.uniform(0.03, 0.06)
    top, boards = low + thick, int(rng.choice([1, 3, 4]))
    strips = slats((-depth, depth), boards, 0.8) if boards > 1 else [(-depth, depth)]
    parts: Parts = [("seat", box((-half, half), (low, top), z)) for z in strips]
    if chance(rng, 0.5):
        parts += four_legs(rng, half, depth, low, splay=1.0)
    else:
        inset, width = rng.uniform(0.6, 0.95) * half, rng.uniform(0.04, 0.08)
        panels = ends(inset, width)[::-1]
        parts += [("leg", box(x, (0, low), (-0.95 * depth, 0.95 * depth))) for x in panels]
    if chance(rng, 0.5):
        parts += _bench_back(rng, half, depth, top)
    return parts


def _bench_back(rng: Rng, half: float, depth: float, top: float) -> Parts:
    """Horizontal boards on two posts; sometimes arms at the ends."""
    high, slope = top + rng.uniform(0.3, 0.45), rng.uniform(0, 0.2)
    z = (-depth, 0.03 - depth)
    levels = slats((top + 0.06, high), int(rng.integers(1, 4)), 0.75)
    parts: Parts = [("back", box((-half, half), y, (z[1], z[1] + 0.025))) for y in levels]
    parts += [("back", box((x, x + 0.05), (top, high), z)) for x in (-0.85 * half, 0.85 * half - 0.05)]
    parts = [(name, solid.leaned(slope, top)) for name, solid in parts]
    if chance(rng, 0.5):
        arm = top + rng.uniform(0.15, 0.22)
        for x in ends(half, 0.05):
            parts.append(("arm", box(x, (arm, arm + 0.04), (-depth, depth))))
            parts.append(("arm", box(x, (top, arm), (depth - 0.05, depth))))
    return parts


def sofa(rng: Rng) -> Parts:
    """A base with two to four cushions, arms, a back, low feet; sometimes a chaise at one end."""
    seats, seat, depth = int(rng.integers(2, 5)), rng.uniform(0.5, 0.65), rng.uniform(0.38, 0.48)
    arm, back = rng.uniform(0.1, 0.22), rng.uniform(0.15, 0.25)
    feet, low, cushion = rng.uniform(0.03, 0.12), rng.uniform(0.25, 0.33), rng.uniform(0.1, 0.16)
    inner, high = seats * seat / 2, rng.uniform(0.72, 0.95)
    half, armrest = inner + arm, low + cushion + rng.uniform(0.08, 0.2)
    parts: Parts = [
        ("base", box((-inner, inner), (feet, low), (-depth, depth))),
        ("back", box((-inner, inner), (low, high), (-depth, back - depth)).leaned(rng.uniform(0, 0.2), low)),
    ]
    parts += [("arm", box(x, (feet, armrest), (-depth, depth))) for x in ((-half, -inner), (inner, half))]
    for k in range(seats):
        x = (k * seat - inner + 0.01, (k + 1) * seat - inner - 0.01)
        parts.append(("cushion", box(x, (low, low + cushion), (back - depth, depth + 0.02))))
    if chance(rng, 0.2):
        x, front = (inner - seat, inner), depth + rng.uniform(0.4, 0.6)
        parts.append(("base", box(x, (feet, low), (depth, front))))
        parts.append(("cushion", box(x, (low, low + cushion), (depth + 0.02, front))))
    parts += fittings.feet(half - 0.05, depth - 0.05, feet)
    return [(name, solid.mirrored()) for name, solid in parts] if chance(rng, 0.5) else parts


def bed(rng: Rng) -> Parts:
    """A frame with mattress and headboard; footboard, pillows, blanket and canopy by chance."""
    half, depth = rng.uniform(0.45, 0.95), rng.uniform(0.95, 1.08)
    feet, frame, mattress = rng.uniform(0.08, 0.2), rng.uniform(0.12, 0.2), rng.uniform(0.15, 0.25)
    low, board = feet + frame, rng.uniform(0.04, 0.08)
    top = low + mattress
    head = top + rng.uniform(0.25, 0.6)
    parts: Parts = [
        ("frame", box((-half, half), (feet, low), (-depth, depth))),
        ("mattress", box((0.03 - half, half - 0.03), (low, top), (-depth, depth - 0.02))),
        ("headboard", box((-half, half), (0, head), (-depth - board, -depth))),
    ]
    if chance(rng, 0.5):
        foot = low + rng.uniform(0.3, 1.2) * mattress
        parts.append(("footboard", box((-half, half), (0, foot), (depth, depth + board))))
    parts += [("pillow", pillow) for pillow in _pillows(rng, half, top, -depth)]
    parts += fittings.feet(half - 0.05, depth - 0.05, feet)
    if chance(rng, 0.15):
        parts += _canopy(half, depth, low, rng.uniform(1.8, 2.1))
    return parts


def _pillows(rng: Rng, half: float, top: float, rear: float) -> list[Solid]:
    """One pillow on a narrow bed, two on a wide one."""
    count = 1 if half < 0.65 else 2
    high, long = top + rng.uniform(0.08, 0.14), rng.uniform(0.3, 0.4)
    return [box(x, (top, high), (rear + 0.05, rear + 0.05 + long)) for x in slats((-half, half), count, 0.8)]


def _canopy(half: float, depth: float, low: float, high: float) -> Parts:
    """Four posts and a frame over the bed."""
    width, solids = 0.06, []
    for x in ends(half, width):
        solids += [box(x, (low, high), z) for z in ends(depth, width)]
        solids.append(box(x, (high, high + width), (-depth, depth)))
    inner = (width - half, half - width)
    solids += [box(inner, (high, high + width), z) for z in ends(depth, width)]
    return [("canopy", solid) for solid in solids]
