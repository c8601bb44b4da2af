"""What holds liquids: bottle, bowl, cup, vase, bathtub, toilet.

Rules that tell them apart: a bottle is closed, with a narrow neck; a vase is open, at least as tall as its
body is wide, and has two handles or none; a cup is about as tall as wide and has one; a bowl is at most 0.7
times as tall as wide and has none.
"""

import numpy as np

from tfxai3d.data.shapes import solids
from tfxai3d.data.shapes.fittings import Rng, chance
from tfxai3d.data.shapes.solids import Floats, Parts, Solid, bezier, box, loft, post, revolve, shell, tube


def bottle(rng: Rng) -> Parts:
    """A round or square body, a shoulder, a narrow neck and a cap."""
    wide, tall = rng.uniform(0.28, 0.42), rng.uniform(0.9, 1.5)
    neck, rise, length = wide * rng.uniform(0.3, 0.45), rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.5)
    shoulder, waist = tall + rise, rng.uniform(0.85, 1.0)
    side = bezier([(wide, 0.05), (waist * wide, tall / 2), (wide, tall)], 5)
    slope = bezier([(wide, tall), (wide, tall + 0.6 * rise), (neck, tall + 0.5 * rise), (neck, shoulder)], 14)
    profile = np.concatenate([[(0.93 * wide, 0.0)], side, slope[1:]])
    body = _square(profile, 0.3) if chance(rng, 0.25) else revolve(profile)
    top = shoulder + length
    tip = post((0, shoulder, 0), (0, top, 0), neck, 0.9 * neck, segments=24)
    parts: Parts = [("body", body), ("neck", tip)]
    if chance(rng, 0.7):
        cap = rng.uniform(0.08, 0.2)
        parts.append(("cap", post((0, top, 0), (0, top + cap, 0), 1.15 * neck, segments=24)))
    return parts


def _square(profile: Floats, rounding: float) -> Solid:
    """The profile lofted over rounded squares instead of circles."""
    return loft(np.stack([solids.ring(solids.rounded_rectangle(r, r, rounding * r), y) for r, y in profile]))


def bowl(rng: Rng) -> Parts:
    """A wide open shell, on a foot ring or not."""
    wide, tall, wall = 1.0, rng.uniform(0.5, 1.1), rng.uniform(0.04, 0.08)
    base = rng.uniform(0.25, 0.5)
    out, up = rng.uniform(0.75, 1.0), rng.uniform(0.3, 0.8) * tall
    outer = bezier([(base, 0), (out, 0), (wide, up), (wide, tall)], 12)
    if chance(rng, 0.3):
        outer = np.linspace((base, 0), (wide, tall), 4)
    parts: Parts = [("body", revolve(shell(outer, wall)))]
    if chance(rng, 0.5):
        foot, wider = rng.uniform(0.06, 0.15), base * rng.uniform(0.8, 1.2)
        parts.append(("foot", post((0, -foot, 0), (0, 0, 0), wider, 0.9 * base, segments=32)))
    return parts


def cup(rng: Rng) -> Parts:
    """An open body about as tall as wide, with a handle; sometimes on a saucer."""
    wide, tall, wall = rng.uniform(0.4, 0.55), rng.uniform(0.8, 1.15), rng.uniform(0.03, 0.05)
    base = wide * rng.uniform(0.55, 1.0)
    if chance(rng, 0.5):
        outer = np.linspace((base, 0), (wide, tall), 5)
    else:
        outer = bezier([(base, 0), (1.1 * wide, 0.1 * tall), (wide, 0.6 * tall), (wide, tall)], 12)
    parts: Parts = [("body", revolve(shell(outer, wall))), ("handle", _handle(rng, outer, wall))]
    if chance(rng, 0.2):
        disc = np.array([(0.5 * wide, -0.1), (wide, -0.06), (1.7 * wide, 0.06)])
        parts.append(("saucer", revolve(shell(disc, 0.04)).moved(y=0.06 - wall)))
    return parts


def _handle(rng: Rng, outer: Floats, wall: float, low: float = 0.2, high: float = 0.8) -> Solid:
    """A bow whose two ends sit inside the wall of a profile, at these shares of its height."""
    ends = rng.uniform(low, low + 0.1) * outer[-1, 1], rng.uniform(high - 0.1, high) * outer[-1, 1]
    radii = np.interp(ends, outer[:, 1], outer[:, 0]) - wall / 2
    reach = rng.uniform(0.9, 1.2) * (ends[1] - ends[0])
    bow = [(radii[0], ends[0]), (radii[0] + reach, ends[0]), (radii[1] + reach, ends[1]), (radii[1], ends[1])]
    return tube(np.pad(bezier(bow, 14), ((0, 0), (0, 1))), rng.uniform(0.04, 0.07))


def vase(rng: Rng) -> Parts:
    """A tall open shell with a belly and a neck; sometimes two handles, sometimes a foot."""
    tall, wall = rng.uniform(1.4, 2.0), 0.03
    base, belly, neck, lip, bend = (
        rng.uniform(*span) for span in ((0.2, 0.35), (0.4, 0.85), (0.1, 0.4), (0.2, 0.45), (0.4, 0.8))
    )
    knots = [(base, 0), (belly, 0.25 * tall), (belly, bend * tall), (neck, 0.8 * tall), (lip, tall)]
    if chance(rng, 0.25):
        knots = [(base, 0), (base, 0.5 * tall), (rng.uniform(0.3, 0.5), tall)]
    outer = bezier(knots, 18)
    parts: Parts = [("body", revolve(shell(outer, wall)))]
    if chance(rng, 0.3):
        handle = _handle(rng, outer, wall, 0.45, 0.9)
        parts += [("handle", handle), ("handle", handle.rotated("y", 180))]
    if chance(rng, 0.3):
        parts.append(("foot", post((0, -0.1, 0), (0, 0, 0), 1.2 * base, base, segments=32)))
    return parts


def bathtub(rng: Rng) -> Parts:
    """A long open tub with rounded or round ends, on the floor or on feet, with a faucet or without."""
    half, depth, tall = rng.uniform(0.75, 0.95), rng.uniform(0.34, 0.45), rng.uniform(0.4, 0.6)
    wall, taper = rng.uniform(0.04, 0.09), rng.uniform(0.75, 1.0)
    rounding = depth * rng.uniform(0.2, 1.0)
    outside = [(taper, taper, 0.0, 0.0), (1.0, 1.0, 0.0, tall)]
    inside = [(1.0, 1.0, wall, tall), (0.9 * taper, taper, wall, 0.1)]
    rings = []
    for a, b, w, y in (*outside, *inside):
        outline = solids.rounded_rectangle(a * half - w, b * depth - w, b * (rounding - w), per_corner=7)
        rings.append(solids.ring(outline, y))
    parts: Parts = [("body", loft(np.stack(rings)))]
    if chance(rng, 0.4):
        x, z = 0.6 * taper * half, 0.6 * taper * depth
        parts += [("leg", post((a, -0.12, b), (a, 0, b), 0.03, 0.06)) for a in (-x, x) for b in (-z, z)]
    if chance(rng, 0.6):
        x, up = wall / 2 - half, tall + rng.uniform(0.1, 0.2)
        spout = [(x, tall, 0.0), (x, up, 0.0), (x + 0.05, up + 0.05, 0.0), (x + 0.2, up + 0.02, 0.0)]
        parts.append(("faucet", tube(bezier(spout, 8), 0.025)))
    return parts


def toilet(rng: Rng) -> Parts:
    """An oval bowl on a pedestal with a seat, a lid and a tank behind."""
    wide, long, high = rng.uniform(0.17, 0.21), rng.uniform(1.2, 1.45), rng.uniform(0.36, 0.44)
    base = wide * rng.uniform(0.5, 0.75)
    outer = bezier([(base, 0), (base, 0.5 * high), (wide, 0.5 * high), (wide, high)], 10)
    inside = [(0.7 * wide, high), (0.55 * wide, 0.75 * high), (0.3 * wide, 0.6 * high)]
    seat = [(0.65 * wide, high), (1.05 * wide, high), (1.05 * wide, high + 0.03), (0.65 * wide, high + 0.03)]
    rear = -long * wide
    tank, width = high + rng.uniform(0.3, 0.42), wide * rng.uniform(1.0, 1.25)
    deep = rng.uniform(0.14, 0.2)
    parts: Parts = [
        ("bowl", revolve([*outer, *inside]).scaled(z=long)),
        ("seat", revolve(seat, closed=True).scaled(z=long)),
        ("tank", box((-width, width), (0.95 * high, tank), (rear - deep + 0.04, rear + 0.04))),
        ("tank", box((-1.05 * width, 1.05 * width), (tank, tank + 0.03), (rear - deep + 0.03, rear + 0.05))),
        ("base", box((-base, base), (0, 0.95 * high), (rear - deep + 0.06, 0.8 * rear))),
    ]
    if chance(rng, 0.6):
        disc = revolve([(1.05 * wide, 0), (1.05 * wide, 0.025)]).scaled(z=long).moved(y=0, z=-rear)
        lid = disc.rotated("x", -rng.uniform(80, 92)).moved(y=high + 0.03, z=rear + 0.06)
        parts.append(("lid", lid))
    return parts
