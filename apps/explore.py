"""Opens a page to play with: what decided, and what the network sees as points or voxels go.

Shipped networks and embedded objects, or files that are dropped into the page; no data needed:

  python apps/explore.py
  python apps/explore.py --model=resnet3d_adrenal --methods=integrated_gradients,occlusion

A network of your own, beside the shipped ones:

  python apps/explore.py --model=my.keras --data_kind=points --class_names=cat,dog --up=z

The page shows the maps of several methods side by side, on an object that turns or on the slices of a
volume; a slider takes its points or voxels away by their importance, and the prediction follows. It is for
this machine alone: the program listens on 127.0.0.1, the address holds a token, and files stay here. --port=0
is any free port, --noopen leaves the browser closed; Ctrl-C ends the program.

This needs the extra explore: pip install 'tfxai3d[explore]'.
"""

from __future__ import annotations

import functools
import os
import secrets
import tempfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from absl import flags

from tfxai3d import cli, explain, explorer, models
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
_PARTS = "pointnet_parts_shapes"  # classifies points
cli.define_flags(
    cli.MODEL, cli.GRIDS, model="pointnet_modelnet40", methods=["p_grad_cam", "integrated_gradients"],
    shape=["guitar"], num_points=1024, seed=0, up="y", features=None, array=None, steps=50, composite=None,
    batch_size=32,
)  # fmt: skip
flags.DEFINE_integer("port", 0, "Port of the page on this machine; 0: any that is free.", 0, 65535)
flags.DEFINE_bool("open", True, "Open the page in the browser.")


def main(argv: list[str]) -> None:
    """Serves the page."""
    explain.check_methods(FLAGS.methods)
    if len(FLAGS.shape) != 1:
        raise UserError(f"--shape={','.join(FLAGS.shape)}: give the one object that is shown first")
    create = functools.partial(cli.create_explainer, **cli.given("batch_size", "steps", "seed", "composite"))
    exhibits, networks = cli.EmbeddedAndFiles(), _networks()
    workbench = explorer.Workbench(networks, exhibits, create)
    start = explorer.Start(
        networks=list(networks),
        label=FLAGS.shape[0],
        exhibit=exhibits.embedded(FLAGS.shape[0], 0, None),
        methods=FLAGS.methods,
        up=FLAGS.up,
    )
    with tempfile.TemporaryDirectory(prefix="tfxai3d-") as folder:
        token = secrets.token_urlsafe(24)
        served = explorer.application(workbench, token, Path(folder), start)
        waiting = explorer.listen(FLAGS.port)
        address = f"http://{explorer.HOST}:{waiting.getsockname()[1]}/?token={token}"
        print(f"the page is {address}\nCtrl-C ends it", flush=True)
        if FLAGS.open:
            Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        explorer.serve(waiting, served)
    print("stopped", flush=True)
    os._exit(0)  # whatever is computed at this moment is not waited for, and ends with the process


def _networks() -> dict[str, Callable[[], explain.Network]]:
    """Returns how --model and the shipped networks are loaded, by name, --model first."""

    def own() -> explain.Network:
        cli.load_tensorflow()
        return cli.load_network()

    def shipped(name: str) -> explain.Network:
        cli.load_tensorflow()
        return explain.network(models.load(name))

    names = [name for name in models.presets() if name not in (FLAGS.model, _PARTS)]
    return {FLAGS.model: own} | {name: functools.partial(shipped, name) for name in names}


if __name__ == "__main__":
    cli.run(main)
