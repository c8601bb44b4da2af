"""Writing a model and its explanations as one SavedModel, which needs nothing but TensorFlow to run."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from tfxai3d import __version__, explain
from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layout import Shape
from tfxai3d.explain.engine.network import Network, network
from tfxai3d.explain.explainer import Explainer
from tfxai3d.models.saved_model.folder import FACTS, check_replaceable
from tfxai3d.results.explanation import DataKind
from tfxai3d.serve import signatures
from tfxai3d.storage import AnyPath, atomic_folder, write_json


def export(
    model: Any,
    path: AnyPath,
    methods: Iterable[str | Explainer] = ("integrated_gradients",),
    num_points: int | None = None,
    data_kind: DataKind | None = None,
) -> None:
    """Writes a model and its explanations by some methods as one SavedModel.

    Its signatures take any number of examples and, where the network does, of points:

    - `serving_default`: `points` (B,N,3) or `voxels` (B,D,H,W,1) to `logits` (B,C), the scores before a
      softmax or sigmoid, `class` int32 (B,), its `probability` (B,) and the `probabilities` (B,C) of all, as
      the model gives them; of a model that returns a value its `value` (B,1) alone;
    - `explain_<method>`: the same and `target`, classes int32 (B,), -1 for the predicted one, to
      `attributions`, `importance`, `scores`, `target` and, of path methods, `delta`.

    A model of several inputs takes the others, those that are held, by their own names. A segmentation gives
    `logits` and all else of each point or voxel, and its explanations also take a `region`, bool (B,N) or
    (B,D,H,W), whose mean score is explained; where all are False, the region where the class is predicted.

    The gradients are part of the graphs. `serve.load` gives back explainers; any program that runs
    SavedModels can call the signatures (docs/guides/serving.md). A SavedModel at `path` is replaced.

    Args:
        model: A Keras model, a loaded SavedModel or a differentiable callable; see `Explainer`.
        path: The folder to write.
        methods: Names of methods, or explainers of this model, with options of their own.
        num_points: The number of points, if only one shall be possible.
        data_kind: "points" or "voxels"; by default what the model says.

    Raises:
        UserError: If something else is at `path`, a method cannot explain this model or is named twice, an
            input that is held is called as another argument, or the shape of the inputs is not the model's.
    """
    check_replaceable(path)
    net = network(model, data_kind)
    explainers = [method if isinstance(method, Explainer) else explain.get(method)(net) for method in methods]
    for explainer in explainers:
        if explainer.model is not net.model:
            raise UserError(f"methods: the explainer {explainer.method} is of another model")
    names = [explainer.method for explainer in explainers]
    if len(set(names)) < len(names):
        raise UserError(f"methods: {', '.join(names)} names one method twice; a signature is one method's")
    shape = _input_shape(net, num_points)
    for one in (net, *(explainer.network for explainer in explainers)):
        one.settle()
    functions = {"serving_default": signatures.answer(net, shape)}
    region = signatures.places(functions["serving_default"])
    functions |= {f"explain_{one.method}": signatures.explanation(one, shape, region) for one in explainers}
    module = tf.Module()
    # Whatever the graphs read, each once; of the model itself nothing else goes into the file.
    read = {id(v): v for function in functions.values() for v in function.variables}
    module.variables_of_model = list(read.values())
    facts: dict[str, Any] = {"tfxai3d": __version__, "data_kind": net.kind, "class_names": net.class_names}
    facts |= {
        "data_format": net.data_format,
        "head": net.head,
        "methods": {one.method: one.options() for one in explainers},
    }
    if (truncation := getattr(net.model, "truncation", None)) is not None:
        facts["truncation"] = truncation
    check_replaceable(path)  # again, for making the graphs has taken a while
    with atomic_folder(path) as folder:
        tf.saved_model.save(module, str(folder), signatures=functions)
        write_json(folder / FACTS, facts)


def _input_shape(net: Network, num_points: int | None) -> Shape:
    """Returns the shape of one example, None where it may vary; a number of points must fit."""
    shape = net.layout.usual()
    if num_points is None:
        return shape
    place = 0 if net.data_format == "channels_last" else 1
    if net.kind != "points" or num_points < 1 or shape[place] not in (None, num_points):
        raise UserError(f"num_points={num_points}: {net.name} takes {net.inputs}")
    return tuple(num_points if axis == place else size for axis, size in enumerate(shape))
