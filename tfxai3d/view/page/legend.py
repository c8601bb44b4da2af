"""What the colours of a page mean: bars with numbers, and single colours."""

import html
from collections.abc import Iterable, Sequence

import numpy as np

from tfxai3d.view.shown.colors import Colormap, bar_colors, bar_label

STYLE = """
.bar { display: flex; align-items: center; gap: .2rem; font-size: .8rem; font-weight: normal; color: #444 }
.bar i { position: relative; display: block; width: 1rem; height: 16rem; margin-right: var(--room);
  background: linear-gradient(to top, var(--colors)) }
.bar u { display: block; width: 1rem; height: .7rem }
.bar .above { background: var(--top); clip-path: polygon(50% 0, 100% 100%, 0 100%) }
.bar .below { background: var(--bottom); clip-path: polygon(0 0, 100% 0, 50% 100%) }
.bar span { position: absolute; left: 1.5rem; bottom: var(--at); transform: translateY(50%);
  white-space: nowrap; font-style: normal; font-variant-numeric: tabular-nums }
.bar span::before { content: ""; position: absolute; left: -.45rem; top: 50%; width: .3rem;
  border-top: 1px solid #777 }
.bar small { writing-mode: vertical-rl; transform: rotate(180deg); font-size: .85rem }
.flat { flex-direction: column; gap: 0 }
.flat div { display: flex; flex-direction: row-reverse; width: 80% }
.flat i { flex: 1; height: .7rem; margin: 0 0 1.2rem; background: linear-gradient(to right, var(--colors)) }
.flat u { width: .6rem }
.flat .above { clip-path: polygon(0 0, 100% 50%, 0 100%) }
.flat .below { clip-path: polygon(100% 0, 100% 100%, 0 50%) }
.flat span { left: var(--at); bottom: -1.1rem; transform: translateX(-50%) }
.flat span::before { left: 50%; top: -.15rem; width: 0; height: .25rem; border-left: 1px solid #777 }
.flat small { writing-mode: horizontal-tb; transform: none }
"""
"""The CSS of the colour bars of a page."""
_STEPS = (1, 2, 5, 10)  # of the numbers at a bar, times a power of ten


def bar(
    limits: tuple[float, float],
    label: str,
    colormap: Colormap,
    beyond: tuple[bool, bool],
    most: int = 8,
    flat: bool = False,
) -> str:
    """Returns a colour bar between two limits with at most so many round numbers, and a label in plain text.

    Tips say whether values lie `beyond`, below and above the limits. It stands, or lies where it is `flat`.
    """
    low, high = limits
    colors = [hex_color(color) for color in bar_colors(colormap, 24)]
    below, above = (f'<u class="{name}"></u>' * beyond[i] for i, name in enumerate(("below", "above")))
    values = round_numbers(low, high, most)
    room = 1.8 + 0.45 * max(len(f"{value:g}") for value in values)
    places = [(value, 100 * (value - low) / (high - low)) for value in values]
    numbers = "".join(f'<span style="--at:{along:.2f}%">{value:g}</span>' for value, along in places)
    paint = f"--colors:{','.join(colors)};--bottom:{colors[0]};--top:{colors[-1]};--room:{room:.2f}rem"
    said = html.escape(bar_label(label, colormap))
    return (
        f'<div class="bar{" flat" * flat}" style="{paint}"><div>{above}<i>{numbers}</i>{below}</div>'
        f"<small>{said}</small></div>"
    )


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Returns at most `most` multiples of 1, 2 or 5 times a power of ten from low to high, low < high."""
    power = 10.0 ** np.floor(np.log10((high - low) / most))
    step = next(power * step for step in _STEPS if (high - low) / (power * step) < most)
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return [float(f"{number * step:.6g}") + 0.0 for number in np.arange(first, last + 1)]  # no -0


def keys(entries: Iterable[tuple[str, Sequence[float]]]) -> str:
    """Returns colours (red, green, blue in 0..1) with what they mean, in plain text."""
    said = ((hex_color(np.array(color)), html.escape(text)) for text, color in entries)
    return "".join(f'<span class="key" style="background:{color}"></span>{text}' for color, text in said)


def hex_color(color: np.ndarray) -> str:
    """Returns a colour (3,) in 0..1 as a page writes it."""
    return "#" + "".join(f"{value:02x}" for value in np.round(color * 255).astype(int))
