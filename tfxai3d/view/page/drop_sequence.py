"""A drop sequence as one HTML page: scrub through the steps, removed points stay as ghosts."""

import html
import json
import os
from collections.abc import Sequence

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.storage.writing import atomic_path

# A canvas is enough for a few thousand dots: the page needs no library, no network and no 3D driver. Its
# policy forbids the browser to fetch anything.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>
body { margin: 0; font-family: system-ui, "Segoe UI", sans-serif; color: #222; background: #fff }
h1 { margin: 1rem 1.5rem 0; font-size: 1.4rem; overflow-wrap: anywhere }
p { margin: .2rem 1.5rem 0; color: #666 }
#said { color: #222; font-variant-numeric: tabular-nums; min-height: 1.3em }
#bar { display: flex; gap: 1rem; margin: .6rem 1.5rem }
#step { flex: 1 }
canvas { display: block; width: 100%%; touch-action: none }
#cloud { height: 62vh; cursor: grab }
#curve { height: 16vh }
.key { display: inline-block; width: .7em; height: .7em; border-radius: 50%%; margin: 0 .3em 0 .8em }
</style>
</head>
<body>
<h1>%(title)s</h1>
<p>drag to turn, scroll to zoom<span class="key" style="background:#2c4f8f"></span>there
<span class="key" style="background:#e4572e"></span>goes next
<span class="key" style="background:#d8d8d8"></span>removed</p>
<p id="said"></p>
<div id="bar"><button id="play" aria-label="play">&#9654;</button>
<input id="step" type="range" min="0" value="0" aria-label="step"></div>
<canvas id="cloud"></canvas>
<canvas id="curve"></canvas>
<script>
"use strict";
const run = %(data)s;
const cloud = document.getElementById("cloud"), curve = document.getElementById("curve");
const slider = document.getElementById("step"), last = run.points.length - 1;
let azimuth = 0.61, elevation = 0.38, zoom = 1, timer = null;
slider.max = last;

function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  return [pen, canvas.clientWidth, canvas.clientHeight];
}

function drawCloud(step) {
  const [pen, width, height] = sized(cloud), scale = 0.47 * zoom * Math.min(width, height);
  const ca = Math.cos(azimuth), sa = Math.sin(azimuth), ce = Math.cos(elevation), se = Math.sin(elevation);
  const dots = run.cloud.map(([x, y, z], i) => {
    const right = ca * x - sa * z, forward = sa * x + ca * z;
    return [right, ce * y - se * forward, se * y + ce * forward, run.goes[i]];
  }).sort((one, other) => one[2] - other[2]);
  const radius = Math.max(1.3, 1.6 * scale / 10 / Math.sqrt(dots.length / 16));
  for (const [x, y, depth, goes] of dots) {
    const gone = goes >= 0 && goes < step, next = goes === step;
    const light = 62 - 24 * (depth + 1) / 2;
    pen.fillStyle = gone ? "rgba(150,150,150,.28)" : next ? "#e4572e" : `hsl(219,53%%,${light}%%)`;
    pen.beginPath();
    pen.arc(width / 2 + scale * x, height / 2 - scale * y, next ? 1.4 * radius : radius, 0, 7);
    pen.fill();
  }
}

function drawCurve(step) {
  const [pen, width, height] = sized(curve), left = 86, right = width - 24, top = 14, bottom = height - 24;
  const across = i => left + (right - left) * i / Math.max(last, 1);
  const up = i => bottom - (bottom - top) * run.confidence[i];
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = pen.strokeStyle = "#666";
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.fillText("1", left - 12, top + 8);
  pen.fillText("0", left - 12, bottom);
  pen.fillText(run.points[0] + " points", left, bottom + 16);
  pen.textAlign = "right";
  pen.fillText(run.points[last], right, bottom + 16);
  pen.fillText("confidence", left - 4, (top + bottom) / 2 + 4);
  pen.strokeStyle = "#2c4f8f";
  pen.beginPath();
  for (let i = 0; i <= last; i++) pen.lineTo(across(i), up(i));
  pen.stroke();
  pen.fillStyle = "#e4572e";
  pen.beginPath();
  pen.arc(across(step), up(step), 4, 0, 7);
  pen.fill();
}

function draw() {
  const step = Number(slider.value);
  drawCloud(step);
  drawCurve(step);
  document.getElementById("said").textContent = `step ${step} of ${last}: ${run.points[step]} of ` +
    `${run.points[0]} points, seen as ${run.seen[step]}, ` +
    `confidence in ${run.label} ${run.confidence[step].toFixed(3)}`;
}

function stop() { clearInterval(timer); timer = null; }
document.getElementById("play").onclick = () => {
  if (timer) return stop();
  if (Number(slider.value) === last) slider.value = 0;
  timer = setInterval(() => {
    if (Number(slider.value) >= last) return stop();
    slider.value = Number(slider.value) + 1;
    draw();
  }, 250);
};
slider.oninput = draw;
cloud.onpointerdown = event => cloud.setPointerCapture(event.pointerId);
cloud.onpointermove = event => {
  if (!event.buttons) return;
  azimuth += event.movementX / 150;
  elevation = Math.max(-1.57, Math.min(1.57, elevation + event.movementY / 150));
  draw();
};
cloud.addEventListener("wheel", event => {
  event.preventDefault();
  zoom *= Math.exp(-event.deltaY / 800);
  draw();
}, { passive: false });
window.onresize = draw;
if (location.hash) slider.value = location.hash.slice(1);
draw();
</script>
</body>
</html>
"""


def write_drop_page(
    path: str | os.PathLike[str],
    points: np.ndarray,
    dropped_at: np.ndarray,
    steps: np.ndarray,
    label: int,
    title: str,
    class_names: Sequence[str] | None = None,
) -> None:
    """Writes one self-contained page (some 50 kB) with a cloud that loses its points.

    `page.html#12` opens at step 12.

    Args:
        path: The HTML file.
        points: The whole cloud (N,3), y up.
        dropped_at: The iteration in which each point goes, -1 for those that stay, int (N,).
        steps: One record an iteration with the fields points, predicted and confidence, such as the rows of
            one cloud in a `DropTable`.
        label: The true class.
        title: Heading.
        class_names: Names of the classes, if known.

    Raises:
        UserError: If the arrays do not belong together or the file cannot be written.
    """
    if len(points) != len(dropped_at) or not len(points) or not len(steps):
        raise UserError(
            f"a drop sequence needs one iteration a point and a step at least, there are {len(points)} "
            f"points, {len(dropped_at)} iterations and {len(steps)} steps"
        )
    if not np.isfinite(points).all():
        raise UserError("the points are NaN or infinite and cannot be drawn")
    content = {
        "cloud": np.round(_unit(points), 4).tolist(),
        "goes": np.asarray(dropped_at).tolist(),
        "points": steps["points"].tolist(),
        "confidence": np.round(steps["confidence"].astype(float), 4).tolist(),
        "seen": [_name(int(predicted), class_names) for predicted in steps["predicted"]],
        "label": _name(int(label), class_names),
    }
    # A "</script>" in a name would end the script.
    text = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    with atomic_path(path) as temporary:
        temporary.write_text(_PAGE % {"title": html.escape(title), "data": text}, encoding="utf-8")


def _unit(points: np.ndarray) -> np.ndarray:
    """Moves points (N,3) into the unit ball around their middle."""
    wide = np.asarray(points, np.float64)
    centred = wide - (wide.min(axis=0) + wide.max(axis=0)) / 2
    return centred / (np.linalg.norm(centred, axis=1).max() or 1.0)


def _name(number: int, class_names: Sequence[str] | None) -> str:
    return class_names[number] if class_names else str(number)
