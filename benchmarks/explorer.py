"""How long a step of the explorer's slider takes, over HTTP, beside a bare forward pass of what is left.

  python benchmarks/explorer.py

A server and its client take turns with the bare passes in one process, so that both see the same load; each
step removes another number of points, for one method and for three.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from absl import app, flags

from tfxai3d import cli, explain, explorer, models

cli.define_flags(
    model="pointnet_modelnet40", num_points=1024, seed=0, features=None, array=None, up="y",
    normalize="unit_sphere",
)  # fmt: skip
flags.DEFINE_integer("num_steps", 200, "Steps of the slider, each with a bare pass.", 10)
FLAGS = flags.FLAGS
METHODS = ["p_grad_cam", "vanilla_gradient", "critical_points"]


def main(argv: list[str]) -> None:
    """Measures and prints."""
    bench = explorer.Workbench(
        {"it": lambda: explain.network(models.load(FLAGS.model))}, cli.EmbeddedAndFiles(), explain.create
    )
    start = explorer.Start(["it"], "chair", bench.exhibits.embedded("chair", 0, None), METHODS)
    waiting = explorer.listen(0)
    with tempfile.TemporaryDirectory() as folder:
        served = explorer.application(bench, "token", Path(folder), start)
        server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([waiting],))
        thread.start()
        try:
            for methods in (METHODS[:1], METHODS):
                _measure(bench, waiting.getsockname()[1], methods)
        finally:
            server.should_exit = True
            thread.join()


def _measure(bench: explorer.Workbench, port: int, methods: list[str]) -> None:
    asked: dict[str, Any] = {"network": "it", "label": "chair", "methods": methods}
    _post(port, "show", asked)
    cloud, remains = bench.laid(explorer.Question("it", "chair")).bare.inputs, bench.opened("it").remains
    times: dict[str, list[float]] = {"step of the slider": [], "bare forward pass": []}
    for removed in np.random.default_rng(0).integers(0, cloud.shape[1] - 10, FLAGS.num_steps).tolist():
        kept = np.tile(np.arange(cloud.shape[1]) >= removed, (1, len(methods), 1))
        for name, work in (
            ("step of the slider", lambda removed=removed: _post(port, "step", asked | {"removed": removed})),
            ("bare forward pass", lambda kept=kept: remains(cloud, kept)),
        ):
            began = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - began))
    for name, taken in times.items():
        half, most = np.percentile(taken, [50, 95])
        print(f"{len(methods)} method(s), {name}: p50 {half:.0f} ms, p95 {most:.0f} ms")


def _post(port: int, path: str, asked: dict[str, Any]) -> Any:
    address = f"http://{explorer.HOST}:{port}/{path}?token=token"
    with urllib.request.urlopen(address, json.dumps(asked).encode()) as answer:
        return json.load(answer)


if __name__ == "__main__":
    app.run(main)
