"""The answer of every explainer, and its file, which viewers read in processes without TensorFlow."""

import dataclasses
import importlib
from typing import Any, Literal, get_args

import numpy as np

from tfxai3d.results.checks import check_array, check_labels, check_text, check_texts
from tfxai3d.storage import AnyPath, open_npz, write_npz

DataKind = Literal["points", "voxels"]
UpAxis = Literal["y", "z"]
# Titles of the methods whose name is not written as it is spelt.
_FIRST_TITLES = {
    "p_grad_cam": "p-grad-CAM",
    "grad_cam": "Grad-CAM",
    "gradient_times_input": "Gradient × input",  # noqa: RUF001
    "smooth_grad": "SmoothGrad",
    "var_grad": "VarGrad",
}
_ARRAYS = ("inputs", "attributions", "importance", "target", "scores")
_OPTIONAL_ARRAYS = ("convergence_delta", "against", "standard_error", "region", "affine")
_TEXTS = ("method", "options", "kind", "class_names")


@dataclasses.dataclass(frozen=True)
class Explanation:
    """What a method says about a batch of inputs.

    Attributes:
        inputs: What was explained, float32, as the model takes it: points (B,N,3+F), x, y and z first, or
            voxels (B,D,H,W,C) or (B,D,H,W); the channels go first where `data_format` says so.
        attributions: One value per input number, shape of `inputs`. Methods that rate whole points
            (the CAM family) repeat the point's value over its coordinates.
        importance: One value per point (B,N) or voxel (B,D,H,W), float32. Of methods that tell what each
            contributes it has a sign: positive speaks for the target.
        target: The explained class of each example, int (B,); the predicted one where a function of the
            logits was explained.
        scores: The model's logits (B,C), in its dtype.
        method: Name of the method in the registry.
        options: The method's options, JSON-compatible.
        kind: "points" or "voxels".
        convergence_delta: For path methods, the sum of attributions minus the score difference (B,), in the
            model's dtype.
        class_names: Names of the C classes, if known.
        against: For contrasts, the class that each example's target is held against, int (B,).
        method_title: The name of the method as people write it, if known.
        standard_error: Of the importance, shape of it, where a method estimates it by samples.
        data_format: Where the inputs have their channels, "channels_last" or "channels_first".
        region: Of a segmentation, the part that was explained, bool, one a point or voxel of its answer; the
            scores are then the means over it.
        up: The up axis of points; grids have z up.
        affine: Of scans, takes voxel numbers (i,j,k,1) to millimetres, to the right, front and head of a
            patient as in NIfTI, float64 (B,4,4). Without it pictures show voxels of equal sides.
    """

    inputs: np.ndarray
    attributions: np.ndarray
    importance: np.ndarray
    target: np.ndarray
    scores: np.ndarray
    method: str
    options: dict[str, Any]
    kind: DataKind = "points"
    convergence_delta: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    against: np.ndarray | None = None
    method_title: str | None = None
    standard_error: np.ndarray | None = None
    data_format: str = "channels_last"
    region: np.ndarray | None = None
    affine: np.ndarray | None = None
    up: UpAxis = "y"

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, example: int) -> "Explanation":
        """Returns the explanation of one example."""
        if not -len(self) <= example < len(self):
            raise IndexError(f"explanation of {len(self)} examples has no number {example}")
        arrays = {name: getattr(self, name) for name in (*_ARRAYS, *_OPTIONAL_ARRAYS)}
        own = {name: array[[example]] for name, array in arrays.items() if array is not None}
        return dataclasses.replace(self, **own)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        shown = [self.class_name(int(label)) for label in self.target[:4]]
        low, high = self.importance.min(initial=0), self.importance.max(initial=0)
        return (
            f"Explanation of {len(self)} {self.kind} {self.inputs.shape[1:]}: {self.method}({options:.90})\n"
            f"target {', '.join(shown)}{', ...' if len(self) > 4 else ''}; scores {self.scores.shape}\n"
            f"importance {self.importance.shape} from {low:.4g} to {high:.4g}"
        )

    def _repr_html_(self) -> str:
        """Returns the first object, which turns, as notebooks show it."""
        shown: str = _notebook().frame(self)
        return shown

    def show(self, index: int = 0) -> None:
        """Shows an object, which turns: in a notebook, or in the browser.

        Args:
            index: Number of the example.
        """
        _notebook().show(self, index)

    @property
    def predicted(self) -> np.ndarray:
        """The class with the highest score of each example, int (B,)."""
        return np.argmax(self.scores, axis=-1)

    @property
    def magnitude(self) -> np.ndarray:
        """The importance without its sign, one value per point (B,N) or voxel (B,D,H,W)."""
        return np.abs(self.importance)

    @property
    def is_occupancy(self) -> bool:
        """Whether the inputs are voxels that only say if there is matter: 0 or less and one other value."""
        low, high = self.inputs.min(initial=0), self.inputs.max(initial=0)
        return self.kind == "voxels" and bool(((self.inputs == low) | (self.inputs == high)).all())

    @property
    def channels(self) -> np.ndarray:
        """The inputs with the channels as the last axis, (B,N,3+F) or (B,D,H,W,C)."""
        return self._channels_last(self.inputs)

    @property
    def channel_attributions(self) -> np.ndarray:
        """The attributions with the channels as the last axis, (B,N,3+F) or (B,D,H,W,C)."""
        return self._channels_last(self.attributions)

    @property
    def channel_shares(self) -> np.ndarray:
        """The fraction of all |attributions| that each channel has, float64 (B,C); 0 where there are none."""
        sizes = np.abs(self.channel_attributions.astype(np.float64))
        by_channel = sizes.reshape(len(self), -1, sizes.shape[-1]).sum(axis=1)
        total = by_channel.sum(axis=1, keepdims=True)
        return np.divide(by_channel, total, out=np.zeros_like(by_channel), where=total > 0)

    def _channels_last(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == self.importance.ndim:
            return array[..., None]
        return np.moveaxis(array, 1, -1) if self.data_format == "channels_first" else array

    @property
    def title(self) -> str:
        """The name of the method as people write it; files of the first version do not say it."""
        return self.method_title or _FIRST_TITLES.get(self.method, self.method.replace("_", " "))

    def class_name(self, label: int) -> str:
        """Returns the name of class `label`, or its number if names are not known."""
        return self.class_names[label] if self.class_names else str(label)

    def save(self, path: AnyPath) -> None:
        """Writes everything to one compressed NPZ file, atomically."""
        arrays = {name: getattr(self, name) for name in (*_ARRAYS, *_OPTIONAL_ARRAYS)}
        given = {name: np.asarray(array) for name, array in arrays.items() if array is not None}
        texts = (*_TEXTS, "method_title", "data_format", "up")
        write_npz(path, given, {name: getattr(self, name) for name in texts})

    @classmethod
    def load(cls, path: AnyPath) -> "Explanation":
        """Reads a file written by `save`.

        Raises:
            UserError: If the file is missing or is no explanation.
        """
        with open_npz(path, "an explanation file written by Explanation.save") as store:
            meta = store.meta
            arrays: dict[str, Any] = {name: store[name] for name in _ARRAYS}
            arrays |= {name: store[name] for name in _OPTIONAL_ARRAYS if name in store}
            texts = {name: meta[name] for name in _TEXTS}
            texts["class_names"] = tuple(texts["class_names"]) if texts["class_names"] else None
            # Files of earlier versions hold no titles, and all were of channels last and y up.
            more = {
                "method_title": meta.get("method_title"),
                "data_format": meta.get("data_format", "channels_last"),
                "up": meta.get("up", "y"),
            }
            explanation = cls(**arrays, **texts, **more)
            _check(explanation, meta)
            return explanation


def _check(found: Explanation, meta: Any) -> None:
    """Raises a ValueError if the parts of an explanation from a file do not belong together."""
    count, inputs, importance = len(found.inputs), found.inputs.shape, found.importance.shape
    if found.kind not in get_args(DataKind) or found.data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"its kind is {found.kind!r}, its data_format {found.data_format!r}")
    if found.up not in get_args(UpAxis) or not isinstance(found.options, dict):
        raise ValueError(f"its up axis is {found.up!r}, its options {type(found.options).__name__}")
    check_text("method", found.method)
    check_text("method_title", found.method_title or "")
    check_array("inputs", found.inputs, "fiub", [None] * max(2, found.inputs.ndim))
    check_array("attributions", found.attributions, "f", inputs)
    check_array("importance", found.importance, "f", (count, *[None] * (len(importance) - 1)))
    if found.channels.shape[:-1] != importance:
        raise ValueError(f"its importance {importance} is not of its inputs {inputs}")
    check_array("scores", found.scores, "f", (count, None))
    classes = found.scores.shape[1]
    check_labels("target", found.target, count, classes)
    if meta["class_names"] is not None:
        check_texts("class_names", meta["class_names"], classes)
    if found.against is not None:
        check_labels("against", found.against, count, classes)
    optional = {
        "convergence_delta": ("f", (count,)),
        "standard_error": ("f", importance),
        "affine": ("f", (count, 4, 4)),
    }
    for name, (kinds, shape) in optional.items():
        if (array := getattr(found, name)) is not None:
            check_array(name, array, kinds, shape)
    if found.region is not None:  # of the answer, which may be coarser than the inputs
        check_array("region", found.region, "b", (count, *[None] * (found.region.ndim - 1)))


def _notebook() -> Any:
    """Returns the module that draws, which is imported by name: it knows explanations, not they it."""
    return importlib.import_module("tfxai3d.view.page.notebook")
