"""One vocabulary of flags: what several apps ask for has the same name, meaning and help text in each.

An app says which flags it takes, by groups and by names, each with its own default:

    cli.define_flags(cli.ROTATIONS, model="pointnet_shapes", seed=0, output_dir="out/my_app")

Flags of one app alone are defined in the app. The library is never told of a flag.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from absl import flags

from tfxai3d import evaluate, explain, view
from tfxai3d.results.heads import HEADS

flags.disclaim_key_flags()  # the flags belong to the app that calls `define_flags`

_text, _list, _bool, _float = flags.DEFINE_string, flags.DEFINE_list, flags.DEFINE_bool, flags.DEFINE_float
_whole = flags.DEFINE_integer
_from_one = partial(_whole, lower_bound=1)
_from_zero = partial(_float, lower_bound=0)
_Recipe = TypeVar("_Recipe")
_fraction = partial(_float, lower_bound=0, upper_bound=1)


def _one_of(*values: str) -> Callable[..., Any]:
    return lambda name, default, help: flags.DEFINE_enum(name, default, values, help)


_VOCABULARY: dict[str, tuple[Callable[..., Any], str]] = {
    "model": (
        _text,
        "Shipped preset, folder written by the app train or prune, .keras or .h5 file of any Keras model, or "
        "folder of a SavedModel.",
    ),
    "head": (
        _one_of(*HEADS),
        "What --model returns: probabilities is a softmax, binary one column for two classes, regression a "
        "value; by default told by its last activation or its answers.",
    ),
    "input_name": (
        _text,
        "Which input of a --model of several is explained; by default the only one that can.",
    ),
    "output_name": (_text, "Which output of a --model of several is explained; by default logits."),
    "fixed": (
        flags.DEFINE_multi_string,
        "An input of a --model of several that is held, for all objects: category=0,1,0, or the array of an "
        "NPY file, category=chair.npy; once for each.",
    ),
    "class_names": (_list, "Names of the classes of a --model that does not say them, or a file of them."),
    "import": (_text, "Python module or .py file that defines the custom layers of --model; it is run."),
    "data_dir": (
        _text,
        "A data set, told by what it holds: a folder of ModelNet40's HDF5 files, of voxels in "
        "modelnet10_{train,test}.npz, or a tree <class>/{train,test}/* or {train,test}/<class>/* of files; "
        "or a CSV file of path,label,split, an NPZ file of MedMNIST, an H5 file, or "
        "adrenalmnist3d_examples, volumes in the package. Without: procedural shapes.",
    ),
    "split": (_one_of("train", "test"), "Which split of --data_dir."),
    "num_points": (partial(_whole, lower_bound=10), "Points of a cloud."),
    "num_examples": (_from_one, "Take so many examples, spread evenly over the data set; all by default."),
    "shape": (_list, "Procedural objects, used when neither --input nor --data_dir is given."),
    "input": (_list, "Files to explain: meshes, clouds or arrays."),
    "label": (_list, "True class, the predicted one by default; with --data_dir one class or several."),
    "index": (_list, "Which examples of --label, of --shape, or of --input files with several."),
    "array": (_text, "Which array of --input files in NPZ or H5; by default the only one that fits."),
    "features": (
        _list,
        "Columns of the files that --model takes after x y z, such as intensity; by default those that it "
        "names, or all if they are as many as it takes.",
    ),
    "region": (
        _list,
        "Take only this box of clouds in --input, xmin,ymin,zmin,xmax,ymax,zmax in the file's own frame.",
    ),
    "voxel_size": (
        _float,
        "Take one point a voxel of this side of clouds in --input, in the units of the file.",
    ),
    "tile_size": (
        _float,
        "Explain clouds in --input in square tiles of this side, in the units of the file, each by itself.",
    ),
    "resample": (_bool, "Bring volumes to the size that --model takes, or else to --resolution."),
    "resolution": (
        partial(_whole, lower_bound=4),
        "Voxels along each axis of grids that are made of meshes, clouds and shapes; by default as many as "
        "--model takes, else 32.",
    ),
    "truncation": (
        _from_zero,
        "Give the network distances to the surface in place of occupancy, cut off at so many voxels; by "
        "default what --model was trained on.",
    ),
    "up": (_one_of("y", "z"), "Up axis of the --input files; ModelNet's OFF files have z."),
    "methods": (_list, "Names of explanation methods; a wrong name lists them all."),
    "target": (
        _text,
        "Class to explain, or two as desk-table: why the first rather than the second. By default --label or "
        "the shape's class, else the predicted class. A --model that classifies each point or voxel needs "
        "it, a class such as chair/leg: its mean score where it is predicted is explained.",
    ),
    "trust_saved_model": (_bool, "Load a SavedModel whatever operations it holds; for files of your own."),
    "normalize": (
        _one_of("unit_sphere", "none"),
        "How points of files come to --model: moved and scaled into the unit sphere, or as they are.",
    ),
    "model_up": (
        _one_of("y", "z"),
        "Up axis of the clouds that --model takes; files, shapes, rotations and pictures follow it.",
    ),
    "data_kind": (_one_of("points", "voxels"), "What a --model takes that does not say."),
    "layer": (
        _text,
        "Layer of the features, for the CAM family on a model without an endpoint; backbone/conv where names "
        "repeat. A wrong name lists those that fit.",
    ),
    "steps": (partial(_whole, lower_bound=2), "Steps of integrated_gradients."),
    "composite": (_text, "Rules of lrp by layer: epsilon, epsilon_gamma, epsilon_plus, deep_taylor ..."),
    "units": (
        _one_of("points", "clusters", "voxels", "blocks"),
        "What methods such as lime and shapley_sampling take away at once; the method's own by default.",
    ),
    "num_clusters": (_from_one, "Clusters of a cloud, for --units=clusters."),
    "block_size": (_from_one, "Edge of a block in voxels, for --units=blocks."),
    "budget": (_from_one, "Forward passes an object of lime, kernel_shap, rise, shapley_sampling."),
    "budget_seconds": (_from_zero, "Seconds an object for them instead; how many passes, the answer says."),
    "pooling": (_one_of("max", "mean"), "Pooling of the gradient over the channels in p_grad_cam."),
    "power": (_float, "Power of the distance from the centre in point_saliency; published 1, for DGCNN 6."),
    "rotations": (
        partial(_whole, lower_bound=0),
        "Randomly rotated copies classified in each iteration; 0: the object.",
    ),
    "axes": (_one_of("y", "xyz"), "Axes of the random rotations; y stands for the up axis."),
    "composed": (_bool, "Each random rotation continues from the one before it, as published."),
    "num_drop": (_from_one, "Points dropped in a step."),
    "num_steps": (_from_one, "Steps of dropping; a cloud keeps at least 10 points."),
    "density": (_fraction, "Fraction of the weights to leave."),
    "num_train": (_from_one, "Procedural shapes to train on."),
    "num_test": (_from_one, "Procedural shapes to test on."),
    "learning_rate": (_from_zero, "Peak of the learning rate."),
    "weight_decay": (_from_zero, "Decoupled weight decay of the matrices."),
    "label_smoothing": (_fraction, "Part of the label that is spread over all classes."),
    "dropout": (_fraction, "Dropout rate of the head in training; the network's own by default."),
    "augment": (
        _list,
        "Augmentations, in order; by default scale_axes,shift_far of points, flip,shift of voxels.",
    ),
    "batch_size": (_from_one, "The most examples that the network sees at once."),
    "shard_size": (_from_one, "Examples in a file of results; a killed run loses the file that it is at."),
    "num_workers": (
        partial(_whole, lower_bound=0),
        "Processes that divide the work; 0: be one of several that share --output_dir, and report nothing.",
    ),
    "seed": (partial(_whole, lower_bound=0, upper_bound=2**30), "Seed of everything that is random."),
    "pictures": (_bool, "Draw the pictures, pages and plots."),
    "colormap": (
        _one_of(*view.COLORMAPS),
        "Colours of the importance; by default coolwarm where it has a sign, else magma_r, and over volumes "
        "inferno.",
    ),
    "window": (
        _list,
        "Values of a volume that are black and white in pictures, such as -200,300; by default nearly all.",
    ),
    "view": (_bool, "Open a window on the results at the end."),
    "tensorboard": (_bool, "Also write TensorBoard's files; this needs the extra tensorboard."),
    "output_dir": (_text, "Folder of the results."),
}

#: Any model; `load_network` reads them.
MODEL: dict[str, Any] = {
    "model": None, "data_kind": None, "head": None, "layer": None, "class_names": None, "import": None,
    "input_name": None, "output_name": None, "fixed": [], "normalize": "unit_sphere", "model_up": None,
    "trust_saved_model": False,
}  # fmt: skip
#: What grids a network of voxels takes; `grid_form` reads them.
GRIDS = {"resolution": None, "resample": False, "truncation": None}
#: What `find_objects` reads; the default of --shape is each app's own.
OBJECTS = {
    "input": None, "data_dir": None, "label": None, "index": ["0"], "array": None, "up": "y",
    "features": None, "region": None, "voxel_size": None, "tile_size": None, "num_points": 1024, "seed": 0,
    **GRIDS,
}  # fmt: skip
#: What methods take away that look at the score without it.
PERTURBATION = {"units": None, "num_clusters": 20, "block_size": 4, "budget": None, "budget_seconds": None}
#: The random rotations that test a decision.
ROTATIONS = {"rotations": 100, "axes": "xyz", "composed": True}
#: How a network is trained, but for the numbers of examples and epochs.
TRAINING = {
    "batch_size": 32, "learning_rate": 1e-3, "weight_decay": 0.01, "label_smoothing": 0.2, "dropout": None,
    "augment": None, "seed": 0,
}  # fmt: skip


def define_flags(*groups: Mapping[str, Any], **defaults: Any) -> None:
    """Defines flags of the vocabulary for the calling app, by groups such as `OBJECTS` and by name.

    A default by name is for a further flag, or in the place of its group's.
    """
    for group in groups:
        defaults = {**group, **defaults}
    for name, default in defaults.items():
        define, help_text = _VOCABULARY[name]
        define(name, default, help_text)


def given(*names: str) -> dict[str, Any]:
    """Returns the values of those flags that have one, by name."""
    return {name: flags.FLAGS[name].value for name in names if flags.FLAGS[name].value is not None}


def rotation_test(net: explain.Network) -> evaluate.RotationTest | None:
    """Returns the test by rotated copies that the flags of `ROTATIONS` and --seed ask for; None for none."""
    given = flags.FLAGS
    if not given.rotations:
        return None
    axes = net.up if given.axes == "y" else given.axes
    options: dict[str, Any] = {name: given[name].value for name in ("composed", "seed")}
    return evaluate.RotationTest(net, evaluate.random_rotations(given.rotations, axes, **options))


def from_flags(recipe: Callable[..., _Recipe]) -> _Recipe:
    """Returns a record, of a class each of whose fields is the flag of its name."""
    return recipe(**{name: flags.FLAGS[name].value for name in inspect.signature(recipe).parameters})
