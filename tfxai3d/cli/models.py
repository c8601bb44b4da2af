"""The model that the flags of the group `MODEL` ask for, whatever it is kept in."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from absl import flags

from tfxai3d import explain, models, serve
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS


def load_model(source: str | None = None) -> Any:
    """Loads --model, with the layers of --import.

    Args:
        source: What to load in its place.

    Raises:
        UserError: As `models.load`, and if --import cannot be imported.
    """
    known = _custom_objects(FLAGS["import"].value)
    try:
        return models.load(source or FLAGS.model, known, trust=FLAGS.trust_saved_model)
    except UserError as error:
        message = str(error).replace("trust=True", "--trust_saved_model")
        if "custom_objects=" in message:
            message = (
                message.partition(": give custom_objects")[0] + ": give --import, the module that has it"
            )
        raise UserError(message) from error


def load_network(source: str | None = None) -> explain.Network:
    """Loads --model as the one object that explainers, dropping, evaluation and export take.

    Args:
        source: What to load in its place.

    Raises:
        UserError: As `load_model` and `explain.network`.
    """
    return explain.network(
        load_model(source),
        FLAGS.data_kind,
        head=FLAGS.head,
        layer=FLAGS.layer if "layer" in FLAGS else None,
        class_names=_class_names(FLAGS.class_names),
        input_name=FLAGS.input_name,
        output_name=FLAGS.output_name,
        fixed=dict(map(_fixed_input, FLAGS.fixed)),
        up=FLAGS.model_up,
    )


def _fixed_input(text: str) -> tuple[str, np.ndarray]:
    """Returns the name and the value of an input that --fixed holds."""
    name, _, value = text.partition("=")
    try:
        if Path(value).suffix == ".npy":
            return name, np.load(value, allow_pickle=False)
        return name, np.array([float(number) for number in value.split(",")])
    except (ValueError, OSError, EOFError) as error:
        raise UserError(
            f"--fixed={text}: give the input's name and its numbers, category=0,1,0, or an NPY file of them"
        ) from error


def create_explainer(method: str, net: explain.Network, **options: Any) -> explain.Explainer:
    """Returns the explainer of a method; of a SavedModel that holds it, the one in the file.

    Raises:
        UserError: As `explain.create`.
    """
    if isinstance(net.model, models.SavedModel) and method in net.model.facts.get("methods", {}):
        return serve.LoadedModel(net).explainer(method, options.get("batch_size", 32))
    return explain.create(method, net, **options)


def _class_names(given: list[str] | None) -> list[str] | None:
    """Returns names that were given one by one, or in a file with one in each line."""
    if not given or len(given) > 1 or not Path(given[0]).is_file():
        return given or None
    try:
        lines = Path(given[0]).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--class_names={given[0]}: no readable file of names") from error
    return [line.strip() for line in lines if line.strip()]


def _custom_objects(name: str | None) -> dict[str, Any]:
    """Imports a module by its name or its file, and returns the layers and models that it defines."""
    if not name:
        return {}
    import keras

    try:
        module = _module(name)
    except Exception as error:  # whatever the user's code raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"--import={name}: cannot be imported ({reason})") from error
    classes = inspect.getmembers(module, inspect.isclass)
    return {key: value for key, value in classes if issubclass(value, keras.layers.Layer)}


def _module(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix != ".py":
        sys.path.insert(0, "")  # a module of the working directory, also for an installed program
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError("there is no such file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
