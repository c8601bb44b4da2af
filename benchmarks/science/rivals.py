r"""Lets captum, xplique and shap explain the examples of a league's contest; their maps become its rows.

  python apps/compare.py --data_dir=modelnet40_ply_hdf5_2048 --output_dir=out/compare
  python -m benchmarks.science.rivals --examples=out/compare/<contest>/examples.npz --output_dir=out/rivals \
      --captum_python=peer/bin/python --xplique_python=other/bin/python --shap_python=peer/bin/python
  python apps/compare.py <as before> --maps=out/rivals/captum_integrated_gradients.npz,...

The workers are those of explain.py, so the networks and weights are the same: captum explains the PyTorch
form, xplique the plain Keras form. An importance is the sum over the coordinates where the method contributes
and the norm of the gradient elsewhere, as ours. captum's lime, kernel_shap and feature_ablation take away our
20 clusters, by its own default, a coordinate of 0; shap's PermutationExplainer takes away single points, and
asks this process, which removes them. What is there already is not made again.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.explain_side import Side
from benchmarks.speed.shap_side import ask, passes
from tfxai3d import cli, errors, models, storage

_GRADIENTS = (
    "vanilla_gradient",
    "guided_backprop",
    "deconvnet",
    "gradient_times_input",
    "integrated_gradients",
)
_NORMED = _GRADIENTS[:3]
_QUERIES = ("lime", "kernel_shap", "feature_ablation")
_DEAR = (*_QUERIES, "integrated_gradients")

FLAGS = flags.FLAGS
cli.define_flags(model="pointnet_modelnet40", steps=50, budget=128, batch_size=32, output_dir="out/rivals")
flags.DEFINE_string("examples", None, "The file examples.npz of a contest of clouds.", required=True)
flags.DEFINE_integer("num_dear", 10, "The most examples for methods of many passes.", lower_bound=1)
flags.DEFINE_string("captum_python", None, "Python with PyTorch and captum.")
flags.DEFINE_string("xplique_python", None, "Python with xplique and what tfxai3d needs.")
flags.DEFINE_string("shap_python", None, "Python with shap and NumPy.")


def main(argv: list[str]) -> None:
    """Writes a file of maps a library and method, and prints their names."""
    cli.load_tensorflow()
    with storage.open_npz(FLAGS.examples, "a contest's examples") as store:
        inputs, labels = store["inputs"], store["labels"]
    rows = itertools.chain(
        _by_workers(inputs, labels),
        [("shap_permutation", lambda: _by_shap(inputs, labels))] if FLAGS.shap_python else [],
    )
    for name, explained in tqdm(rows, unit="method", disable=None):
        path = Path(FLAGS.output_dir) / f"{name}.npz"
        if not path.exists():
            importance = explained()
            maps = {"importance": importance.astype(np.float32), "inputs": inputs[: len(importance)]}
            storage.write_npz(path, maps)
        print(path, flush=True)


def _by_workers(inputs: np.ndarray, labels: np.ndarray) -> Iterator[tuple[str, Any]]:
    """Yields names and what makes the maps of captum and xplique."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "inputs.npy", inputs)
        np.save(folder / "targets.npy", labels)
        np.save(folder / "units.npy", _clusters(inputs[: FLAGS.num_dear]))
        settings = {
            "network": FLAGS.model, "folder": name, "steps": FLAGS.steps, "threads": 1, "plain": True,
            "batch_size": FLAGS.batch_size, "classes": 40, "queries": FLAGS.budget,
        }  # fmt: skip
        Side(sys.executable, "explain_ours", settings).close()  # it writes the weights for the others
        for library, python in (("captum", FLAGS.captum_python), ("xplique", FLAGS.xplique_python)):
            if not python:
                continue
            side = Side(python, f"explain_{library}", settings)
            if "error" in side.ready:
                raise errors.UserError(f"--{library}_python={python}: {side.ready['error']}")
            for method in (*(_QUERIES if library == "captum" else ()), *_GRADIENTS):
                count = FLAGS.num_dear if method in _DEAR else len(inputs)
                yield f"{library}_{method}", lambda s=side, m=method, c=count: _asked(s, m, c, folder)
            side.close()


def _asked(side: Side, method: str, count: int, folder: Path) -> np.ndarray:
    """Returns a worker's maps (B,N)."""
    answer = side.run(method, count, "trapezoid", folder / "maps.npy")
    if "error" in answer:
        raise errors.UserError(f"{method}: {answer['error']}")
    found = np.load(folder / "maps.npy")
    if method in _QUERIES:  # each of a unit's coordinates has the value of the unit
        return found[..., 0]
    return np.linalg.norm(found, axis=-1) if method in _NORMED else found.sum(axis=-1)


def _by_shap(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    model = models.from_preset(FLAGS.model)
    some = zip(inputs[: FLAGS.num_dear], labels, strict=False)
    scores = (passes(model, cloud, int(label), FLAGS.batch_size) for cloud, label in some)
    return np.stack([ask(FLAGS.shap_python, score, inputs.shape[1]).values for score in scores])


def _clusters(clouds: np.ndarray) -> np.ndarray:
    """Returns the 20 clusters of our own perturbation methods, (B,N)."""
    from tfxai3d.explain.engine.units import Units

    units = Units("clusters", 20, 1, "points")
    return np.stack([units.labels(cloud).numpy() for cloud in clouds])


if __name__ == "__main__":
    cli.run(main)
