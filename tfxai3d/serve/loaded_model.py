"""A SavedModel as a model that can be explained: our own with its explanations, or anybody's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfxai3d import explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.network import Network, network
from tfxai3d.explain.engine.region import RegionTensor
from tfxai3d.explain.engine.target import TargetTensor
from tfxai3d.explain.explainer import Explainer, Parts
from tfxai3d.models.saved_model.loading import SavedModel, load_saved_model
from tfxai3d.results.explanation import DataKind
from tfxai3d.results.heads import Head
from tfxai3d.storage import AnyPath


def load(
    path: AnyPath,
    data_kind: DataKind | None = None,
    trust: bool = False,
    head: Head | None = None,
    *,
    input_name: str | None = None,
    output_name: str | None = None,
) -> "LoadedModel":
    """Loads a SavedModel, of `serve.export` or of anybody, to be called and explained.

    Args:
        path: The folder.
        data_kind: "points" or "voxels", for SavedModels that do not say.
        trust: Load it whatever it holds, see `models.saved_model.loading`; for files of your own.
        head: What it returns, for SavedModels that do not say; by default told by its answers.
        input_name: The input that is explained of a model of several; by default the only one that can be.
        output_name: The output that is explained of a model of several; by default "logits".

    Raises:
        UserError: If it is no SavedModel, is damaged, holds an operation that is not known to be harmless, or
            does not say its data kind.
    """
    saved = load_saved_model(path, trust)
    kind = saved.data_kind or data_kind
    if data_kind not in (None, kind):
        raise UserError(f"{path}: holds a model of {kind}, not of {data_kind}")
    if kind is None:
        raise UserError(f"{path}: does not say what it takes; give data_kind, 'points' or 'voxels'")
    return LoadedModel(network(saved, kind, head=head, input_name=input_name, output_name=output_name))


class LoadedModel:
    """A SavedModel: a function from inputs to logits that knows its explanations.

    Any method that needs gradients alone takes it as its model; `explainer` also finds those in the file.

    Args:
        network: What is explained, of a `SavedModel`.

    Attributes:
        name: What errors call it.
        data_kind: "points" or "voxels".
        class_names: Names of the classes, if they are known.
        methods: The methods in the file, with their options.
        network: What is explained, for explainers.
    """

    def __init__(self, network: Network):
        saved: SavedModel = network.model
        self.network, self.name, self.data_kind = network, network.name, network.kind
        self.class_names = network.class_names
        self._loaded, self.methods = saved.loaded, dict[str, dict[str, Any]](saved.facts.get("methods", {}))
        unknown = self.methods.keys() - set(explain.method_names())
        if unknown:
            raise UserError(
                f"{saved.path}: does not describe a model: {min(unknown)!r} is no method; export it again"
            )
        for method in self.methods:
            if f"explain_{method}" not in self._loaded.signatures:
                raise UserError(f"{saved.path}: lacks its signature explain_{method}; export it again")

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


class _SignatureExplainer(Explainer):
    """A method whose graph is in the file; the subclass for one method knows its name."""

    def __init__(self, model: LoadedModel, signature: Any, batch_size: int):
        super().__init__(model, batch_size)
        self._methods, self._signature = model.methods, signature

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError for smaller clouds: a graph knows nothing of what is a copy."""
        if self.network.size not in (None, inputs.shape[1]):
            raise UserError(f"inputs must be {self.network.inputs}, they are {inputs.shape}")

    def options(self) -> dict[str, Any]:
        """Returns the options with which the method was exported."""
        return dict(self._methods[self.method])

    def _explained(self, inputs: np.ndarray, wanted: Any, held: Mapping[str, np.ndarray]) -> Parts:
        """Returns the parts of all examples; what the graph refuses is the user's error."""
        try:
            return super()._explained(inputs, wanted, held)
        except tf.errors.InvalidArgumentError as error:
            said = " ".join(error.message.split()).partition(" [[{{")[0]
            raise UserError(f"{self.network.name}: {said.removeprefix('assertion failed: ')}") from error

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns what the signature returns."""
        region = self._signature.structured_input_signature[1].get("region")
        single = isinstance(target, RegionTensor) if region is not None else _of_one_class(target)
        if not single:
            what = "single classes" if region is None else "a Region alone, its class and where it is"
            raise UserError(
                f"the signature explain_{self.method} of {self.network.name} explains {what}; "
                f"explainer({self.method!r}) with an option differentiates the model instead"
            )
        taken = self.network.several.arguments(inputs) if self.network.several else {}
        arguments = {**taken, self.network.kind: inputs, "target": target}
        if isinstance(target, RegionTensor):
            own = tf.unstack(tf.shape(self.network.layout.places(inputs)))
            shape = [size or there for size, there in zip(region.shape, own, strict=True)]
            arguments |= {"target": target.classes, "region": tf.reshape(target.mask > 0, shape)}
        results = self._signature(**arguments)
        return Parts(results["attributions"], results["importance"], results["scores"], results.get("delta"))


def _of_one_class(target: TargetTensor) -> bool:
    """Whether a target is one class for each example."""
    return not callable(target) and not isinstance(target, RegionTensor) and target.shape.rank == 1
