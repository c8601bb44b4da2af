"""The contract that every explainer keeps."""

import abc
import re
import warnings
from typing import Any, ClassVar, NamedTuple, get_args

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.finite import check_finite
from tfxai3d.explain.engine.network import network
from tfxai3d.explain.engine.target import TargetFunction, TargetTensor, checked
from tfxai3d.explain.engine.target import target_score as target_score
from tfxai3d.results.explanation import DataKind, Explanation
from tfxai3d.results.heads import Head


class Parts(NamedTuple):
    """What a method computes for one batch.

    Attributes:
        attributions: Shape of the inputs.
        importance: One value a point (B,N) or voxel (B,D,H,W).
        scores: Logits (B,C).
        convergence_delta: For path methods, the sum of attributions minus the score difference (B,).
        standard_error: Of the importance, for methods that estimate it by samples.
    """

    attributions: tf.Tensor
    importance: tf.Tensor
    scores: tf.Tensor
    convergence_delta: tf.Tensor | None = None
    standard_error: tf.Tensor | None = None


class Explainer(abc.ABC):
    """A method bound to a model and its options; holds no state between calls.

    Attributes:
        method: Its name in the registry, in files and in flags.
        title: Its name as people write it.
        kinds: The kinds of data that it explains.
        needs: What it needs of a Keras model beside gradients for the inputs, in words.
        zero_because: Why a map can be zero everywhere, in words.

    Args:
        model: Maps points (B,N,3) or voxels (B,D,H,W,1) to scores (B,C): a Keras model, a loaded SavedModel
            or one of its signatures, any differentiable callable, or a Network of one of them.
        batch_size: The most examples the model ever sees at once.
        data_kind: "points" or "voxels"; by default what the model's attribute `data_kind` says.
        head: What the model returns, see `tfxai3d.results.heads`; by default what its last activation says,
            or its answers. The scores before a softmax or sigmoid are explained.

    Raises:
        UserError: If batch_size is below 1, or the kind of the data is unknown, not that of the model, or not
            one that the method explains.
    """

    method: ClassVar[str]
    title: ClassVar[str]
    kinds: ClassVar[tuple[DataKind, ...]] = get_args(DataKind)
    needs: ClassVar[str] = ""
    zero_because: ClassVar[str] = (
        "the score does not change with the input there; its activations are off or saturated"
    )

    def __init__(
        self,
        model: Any,
        batch_size: int = 32,
        data_kind: DataKind | None = None,
        head: Head | None = None,
    ):
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, it is {batch_size}")
        self.network = network(model, data_kind, head=head)
        self.model, self.batch_size = self.network.model, batch_size
        if self.network.kind not in self.kinds:
            kinds = " and ".join(self.kinds)
            raise UserError(f"{self.method} explains {kinds}, {self.network.name} takes {self.network.kind}")
        self._compiled = tf.function(self.explain_batch, autograph=False)
        self._warned = False

    @abc.abstractmethod
    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Explains one batch of at most `batch_size` examples; traceable by `tf.function`.

        Args:
            inputs: Points (B,N,3) or voxels (B,D,H,W,1), in the network's dtype.
            target: The class of each example, int32 (B,), -1 for the predicted class; or int32 (B,2), the
                class and the one it is held against; or a function of the logits.
        """

    def options(self) -> dict[str, Any]:
        """Returns the options that decide the result, JSON-compatible."""
        return {}

    def check(self, inputs: np.ndarray) -> None:  # noqa: B027 - most methods take any
        """Raises a UserError for inputs that this method's options do not fit; none by default."""

    def caution(self, explanation: Explanation) -> str | None:
        """Returns what the user is warned of about an answer; nothing by default."""
        return None

    def __call__(self, inputs: Any, target: Any = None) -> Explanation:
        """Explains why the model gives `target` its score.

        Args:
            inputs: Points (B,N,3) or voxels (B,D,H,W,1).
            target: The predicted class by default; one class for all examples or one each (B,); a `Contrast`
                of two classes; or a function that maps logits (B,C) to the number (B,) to explain.

        Returns:
            An Explanation of NumPy arrays.

        Raises:
            UserError: If the inputs are not finite or of another kind, a target is out of range, the model is
                not differentiable there, or its scores or the attributions are not finite.
        """
        inputs = self._checked(inputs)
        self.network.settle(inputs)
        self.network.check_copies(inputs)
        wanted = checked(target, len(inputs), lambda: self._classes(inputs))
        parts = self._parts(inputs, wanted)
        self._check_scores(parts.scores)
        who = f"{self.method} of {self.network.name}"
        check_finite(who, parts.attributions, parts.importance, parts.convergence_delta)
        if parts.importance.shape != inputs.shape[:-1]:
            raise UserError(
                f"{self.method}: the features of {self.network.name} give {parts.importance.shape[1:]} "
                f"values for {inputs.shape[1:-1]} {self.network.kind}; name a layer with a row for each"
            )
        head, class_names = self.network.head, self.network.class_names
        options = self.options() | ({} if head == "logits" else {"head": head})
        first = against = None
        if callable(wanted):
            options["target"] = getattr(wanted, "__name__", type(wanted).__name__)
        else:
            first, against = (wanted, None) if wanted.ndim == 1 else wanted.T
        predicted = np.argmax(parts.scores, axis=-1)
        explanation = Explanation(
            inputs=inputs.astype(np.float32, copy=False),
            attributions=parts.attributions.astype(np.float32, copy=False),
            importance=parts.importance.astype(np.float32, copy=False),
            target=(predicted if first is None else np.where(first < 0, predicted, first)).astype(np.int64),
            scores=parts.scores,
            method=self.method,
            options=options,
            kind=self.network.kind,
            method_title=self.title,
            convergence_delta=parts.convergence_delta,
            standard_error=parts.standard_error,
            class_names=("value",) if class_names is None and head == "regression" else class_names,
            against=None if against is None else against.astype(np.int64),
        )
        for caution in (self.caution(explanation), self._zero(explanation)):
            if caution:
                warnings.warn(caution, stacklevel=2)
        return explanation

    def _parts(self, inputs: np.ndarray, wanted: np.ndarray | TargetFunction) -> Parts:
        """Returns the parts of all examples; where the model's own graph fails, that is said in one line."""
        try:
            return self._explained(inputs, wanted)
        except UserError:
            raise
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            text = re.sub(r"\x1b\[[0-9;]*m|\.call\(\)\.", "", str(getattr(error, "message", error)))
            reason = " ".join(text.split("Arguments received")[0].split()).partition(" [[{{")[0]
            raise UserError(
                f"{self.network.name} fails on a batch of {len(inputs[: self.batch_size])} examples "
                f"{inputs.shape[1:]} ({reason[:200]}); does it take a fixed number of them, or of points?"
            ) from error

    def _explained(self, inputs: np.ndarray, wanted: np.ndarray | TargetFunction) -> Parts:
        """Returns the parts of all examples, as NumPy arrays."""
        shape = self.network.shape if self.network.shape is not None else inputs.shape[1:]
        if self.network.size not in (None, inputs.shape[1]):
            shape = (None, *shape[1:])  # filled up
        spec: list[Any] = [tf.TensorSpec((None, *shape), self.network.dtype)]
        spec.append(wanted if callable(wanted) else tf.TensorSpec((None, *wanted.shape[1:]), tf.int32))
        # One trace for all numbers of examples and, where the model says that it takes any, of points.
        run = self._compiled.get_concrete_function(*spec)
        batches = []
        for i in range(0, len(inputs), self.batch_size):
            some = slice(i, i + self.batch_size)
            arguments = [inputs[some]] if callable(wanted) else [inputs[some], wanted[some]]
            batches.append(run(*map(tf.constant, arguments)))
        return Parts(
            *(
                None if values[0] is None else np.concatenate([value.numpy() for value in values])
                for values in zip(*batches, strict=True)
            )
        )

    def _checked(self, inputs: Any) -> np.ndarray:
        expected = self.network.inputs
        try:
            array = np.asarray(inputs, dtype=self.network.dtype)
        except (TypeError, ValueError) as error:
            raise UserError(f"inputs must be {expected}, they are no array of numbers") from error
        if not self.network.accepts(array.shape):
            raise UserError(f"inputs must be {expected}, they are {array.shape}")
        if not np.isfinite(array).all():
            raise UserError("inputs hold NaN or infinite values")
        self.check(array)
        return array

    def _classes(self, inputs: np.ndarray) -> int:
        if self.network.classes is not None:
            return self.network.classes
        return int(self.network(tf.constant(inputs[:1])).shape[-1])

    def _zero(self, explanation: Explanation) -> str | None:
        """Returns how many maps are zero everywhere, and why that can be, if any is."""
        zero = int((~explanation.importance.reshape(len(explanation), -1).any(axis=1)).sum())
        if not zero:
            return None
        return f"{self.method}: {zero} of {len(explanation)} maps are zero everywhere: {self.zero_because}"

    def _check_scores(self, scores: np.ndarray) -> None:
        if not np.isfinite(scores).all():
            raise UserError(
                "the model's scores are not finite: its weights or the scale of the inputs are wrong"
            )
        if self.network.reading.inverted and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.network.name} returns probabilities, and what goes into its softmax cannot be seen: "
                "their logarithms are explained",
                stacklevel=3,
            )
