"""A SavedModel as a model that can be explained: our own with its explanations, or anybody's."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import tensorflow as tf

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import ANY_SHAPE, Network, network
from tfxai3d.explain.engine.target import TargetFunction, TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.results.explanation import DataKind
from tfxai3d.serve.folder import FACTS
from tfxai3d.serve.trust import check_saved_model
from tfxai3d.storage import AnyPath


def load(path: AnyPath, data_kind: DataKind | None = None, trust: bool = False) -> "LoadedModel":
    """Loads a SavedModel, of `serve.export` or of anybody, to be called and explained.

    Nothing is unpickled and no Python code is read from it. Its graphs are run by TensorFlow, which does
    whatever they say; so they may hold mathematics, control flow and variables alone (`serve.operations`).

    Args:
        path: The folder.
        data_kind: "points" or "voxels", for SavedModels that do not say.
        trust: Load it whatever it holds; for files of your own.

    Raises:
        UserError: If it is no SavedModel, is damaged, holds an operation that is not known to be harmless, or
            does not say its data kind.
    """
    if not tf.saved_model.contains_saved_model(str(path)):
        raise UserError(f"{path}: no SavedModel; give a folder with a saved_model.pb")
    try:
        if not trust:
            check_saved_model(Path(path))
        loaded = tf.saved_model.load(str(path))
        return LoadedModel(Path(path), loaded, _facts(Path(path)), data_kind)
    except UserError:
        raise
    except Exception as error:  # TensorFlow raises nearly anything on damaged files
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"{path}: not a readable SavedModel ({reason}); export it again") from error


class LoadedModel:
    """A SavedModel: a function from inputs to logits that knows its explanations.

    Any method that needs gradients alone takes it as its model; `explainer` also finds those in the file.

    Attributes:
        name: What errors call it.
        data_kind: "points" or "voxels".
        class_names: Names of the classes, if the file says them.
        methods: The methods in the file, with their options.
        network: What is explained, for explainers.
    """

    def __init__(self, path: Path, loaded: Any, facts: dict[str, Any], data_kind: DataKind | None):
        kind = facts.get("data_kind", data_kind)
        if data_kind not in (None, kind):
            raise UserError(f"{path}: holds a model of {kind}, not of {data_kind}")
        if kind is None:
            raise UserError(f"{path}: does not say what it takes; give data_kind, 'points' or 'voxels'")
        names = facts.get("class_names")
        self._loaded, self.name, self.data_kind = loaded, f"SavedModel {path}", kind
        self.class_names: tuple[str, ...] | None = tuple(names) if names else None
        self.methods: dict[str, dict[str, Any]] = facts.get("methods", {})
        for method in self.methods:
            if f"explain_{method}" not in loaded.signatures:
                raise UserError(f"{path}: lacks its signature explain_{method}; export it again")
        self.network = self._network()

    def __call__(self, inputs: Any) -> tf.Tensor:
        """Maps points (B,N,3) or voxels (B,D,H,W,1) to logits (B,C)."""
        return self.network(tf.convert_to_tensor(inputs, self.network.dtype))

    def explainer(self, method: str, batch_size: int = 32, **options: Any) -> Explainer:
        """Returns an explainer: the one in the file or, with options, one that differentiates the model.

        Args:
            method: See `explain.method_names`.
            batch_size: The most examples at once.
            **options: Of the method; none for the one in the file.

        Raises:
            UserError: If the method is unknown or the file lacks what it needs, or an option is wrong.
        """
        kind = explain.get(method)
        if method in self.methods and not options:
            named = type(kind.__name__, (_SignatureExplainer,), {"method": method, "title": kind.title})
            return named(self, self._loaded.signatures[f"explain_{method}"], batch_size)
        if kind.needs:
            raise UserError(
                f"{self.name} {self._has(method)}, and {method} needs {kind.needs}, which a SavedModel "
                "does not name: export the Keras model with this method"
            )
        return kind(self, batch_size=batch_size, **options)

    def _has(self, method: str) -> str:
        if method in self.methods:
            return f"has {method} with the options {self.methods[method]} alone"
        return f"has no signature explain_{method}"

    def _network(self) -> Network:
        """Returns the default signature or, without one, the object itself; a signature says its shape."""
        signature = getattr(self._loaded, "signatures", {}).get("serving_default")
        if signature is None:
            net = network(self._loaded, self.data_kind)
            return dataclasses.replace(net, name=self.name, class_names=self.class_names)
        net, expected = network(signature, self.data_kind), ANY_SHAPE[self.data_kind]
        (taken,) = signature.structured_input_signature[1].values() or [None]
        shape = taken.shape if taken is not None else tf.TensorShape([])
        if not shape.is_compatible_with((None, *expected)) or not taken.dtype.is_floating:
            raise UserError(f"{self.name} takes {taken}; {net.inputs} of floating point are explained")
        logits = signature.structured_outputs.get("logits")
        classes = None if logits is None else logits.shape[-1]
        if self.class_names and len(self.class_names) < (classes or 0):
            raise UserError(
                f"{self.name} names {len(self.class_names)} of {classes} classes; export it again"
            )
        return dataclasses.replace(
            net,
            name=self.name,
            dtype="float64" if taken.dtype == tf.float64 else "float32",
            shape=None if shape.rank is None else (*shape[1:-1], expected[-1]),
            classes=classes,
            class_names=self.class_names,
        )


class _SignatureExplainer(Explainer):
    """A method whose graph is in the file; the subclass for one method knows its name."""

    def __init__(self, model: LoadedModel, signature: Any, batch_size: int):
        super().__init__(model, batch_size)
        self._signature = signature

    def options(self) -> dict[str, Any]:
        """Returns the options with which the method was exported."""
        return dict(self.model.methods[self.method])

    def _explained(self, inputs: np.ndarray, wanted: np.ndarray | TargetFunction) -> Parts:
        """Returns the parts of all examples; what the graph refuses is the user's error."""
        try:
            return super()._explained(inputs, wanted)
        except tf.errors.InvalidArgumentError as error:
            said = " ".join(error.message.split()).partition(" [[{{")[0]
            raise UserError(f"{self.network.name}: {said.removeprefix('assertion failed: ')}") from error

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns what the signature returns."""
        if callable(target) or target.shape.rank != 1:
            raise UserError(
                f"the signature explain_{self.method} of {self.network.name} explains single classes; "
                f"explainer({self.method!r}) with an option differentiates the model instead"
            )
        results = self._signature(**{self.network.kind: inputs, "target": target})
        return Parts(results["attributions"], results["importance"], results["scores"], results.get("delta"))


def _facts(path: Path) -> dict[str, Any]:
    """Returns what `export` wrote beside the graph, nothing for a SavedModel of others."""
    if not (path / FACTS).is_file():
        return {}
    facts = json.loads((path / FACTS).read_text(encoding="utf-8"))
    names, methods = facts["class_names"], facts["methods"]
    if facts["data_kind"] not in get_args(DataKind) or not set(methods) <= set(explain.method_names()):
        raise ValueError(f"{FACTS} does not describe a model")
    if not all(isinstance(options, dict) for options in methods.values()):
        raise ValueError(f"{FACTS} does not describe the options of its methods")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"{FACTS} holds class names that are no text")
    return facts
