"""Runs every signature of SavedModels where neither this package nor Keras can be imported.

    python -I alone.py FOLDER

FOLDER holds SavedModels, each with NAME.npz beside it, the arguments; the results go into NAME.out.npz.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path

BLOCKED = ("tfxai3d", "tests", "keras")


class Blocker(MetaPathFinder, Loader):
    """Finds the blocked packages, because TensorFlow asks where Keras lies, and does not load them."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self) if name.split(".")[0] in BLOCKED else None

    def exec_module(self, module):
        raise ModuleNotFoundError(module.__name__)


sys.meta_path.insert(0, Blocker())

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

for arguments in sorted(Path(sys.argv[1]).glob("*.npz")):
    loaded = tf.saved_model.load(str(arguments.with_suffix("")))
    given, results = dict(np.load(arguments)), {}
    for key, signature in loaded.signatures.items():
        wanted = signature.structured_input_signature[1]
        answer = signature(**{name: tf.constant(given[name], wanted[name].dtype) for name in wanted})
        results |= {f"{key}/{name}": value.numpy() for name, value in answer.items()}
    np.savez(arguments.with_suffix(".out.npz"), **results)

for package in BLOCKED:
    assert package not in sys.modules
    try:
        __import__(package)
    except ModuleNotFoundError:
        continue
    raise AssertionError(package)
