"""The contract that every explainer keeps."""

import abc
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, get_args

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.failure import failure
from tfxai3d.explain.engine.filling import check_copies
from tfxai3d.explain.engine.finite import check_finite
from tfxai3d.explain.engine.layout import DataFormat
from tfxai3d.explain.engine.network import network
from tfxai3d.explain.engine.region import RegionTensor, pooled
from tfxai3d.explain.engine.several_inputs import held_inputs, holding, rows_alike
from tfxai3d.explain.engine.target import TargetTensor, checked
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
        model: Maps points (B,N,3+F), x, y and z before F features, or voxels (B,D,H,W,C) or (B,D,H,W), of any
            size and any real values, to scores (B,C): a Keras model, a loaded SavedModel
            or one of its signatures, any differentiable callable, or a Network of one of them.
        batch_size: The most examples the model ever sees at once.
        data_kind: "points" or "voxels"; by default what the model's attribute `data_kind` says.
        head: What the model returns, see `tfxai3d.results.heads`; by default what its last activation says,
            or its answers. The scores before a softmax or sigmoid are explained.
        data_format: "channels_last" or "channels_first"; by default what the layers of a Keras model say.
        input_name: Of a model of several inputs, the one that is explained; by default the only one
            that can be.
        output_name: Of a model of several outputs, the one that is explained; by default "logits".

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
        data_format: DataFormat | None = None,
        input_name: str | None = None,
        output_name: str | None = None,
    ):
        if batch_size < 1:
            raise UserError(f"batch_size must be at least 1, it is {batch_size}")
        self.network = network(
            model,
            data_kind,
            head=head,
            data_format=data_format,
            input_name=input_name,
            output_name=output_name,
        )
        self.model, self.batch_size = self.network.model, batch_size
        if self.network.kind not in self.kinds:
            kinds = " and ".join(self.kinds)
            raise UserError(f"{self.method} explains {kinds}, {self.network.name} takes {self.network.kind}")
        self._compiled = tf.function(self._traced, autograph=False)
        self._warned = False

    @abc.abstractmethod
    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Explains one batch of at most `batch_size` examples; traceable by `tf.function`.

        Args:
            inputs: Points or voxels as the network takes them, in its dtype.
            target: The class of each example, int32 (B,), -1 for the predicted class; or int32 (B,2), the
                class and the one it is held against; or a function of the logits.
        """

    def options(self) -> dict[str, Any]:
        """Returns the options that decide the result, JSON-compatible."""
        return {}

    def check(self, inputs: np.ndarray) -> None:  # noqa: B027 - most methods take any
        """Raises a UserError for inputs that this method's options do not fit; none by default."""

    def planned(self, inputs: Any, fixed: Mapping[str, Any] | None) -> "Explainer":
        """Returns what a call is passed on to, where inputs decide an option; by default itself."""
        return self

    def caution(self, explanation: Explanation) -> str | None:
        """Returns what the user is warned of about an answer; nothing by default."""
        return None

    def __call__(
        self, inputs: Any, target: Any = None, fixed: Mapping[str, Any] | None = None
    ) -> Explanation:
        """Explains why the model gives `target` its score.

        Args:
            inputs: Points (B,N,3+F) or voxels (B,D,H,W,C), as the model takes them.
            target: The predicted class by default; one class for all examples or one each (B,); a `Contrast`
                of two classes; a `Region` of a model that scores each point or voxel; or a function that maps
                the scores to the number (B,) to explain.
            fixed: Of a model of several inputs, those that are held, by name: one row an example, or one
                without the first axis for all.

        Returns:
            An Explanation of NumPy arrays.

        Raises:
            UserError: If the inputs are not finite or of another kind, a target is out of range, the model is
                not differentiable there, or its scores or the attributions are not finite.
        """
        if (planned := self.planned(inputs, fixed)) is not self:
            return planned(inputs, target, fixed)
        inputs = self._checked(inputs)
        held = held_inputs(self.network, fixed, len(inputs))
        with holding({name: tf.constant(array[:1]) for name, array in held.items()}):
            self.network.settle(inputs)
            check_copies(self.network, inputs)
        wanted = checked(
            target,
            len(inputs),
            lambda: self.network.classes or self._answers(inputs[:1], held).shape[-1],
            lambda count: self._answers(inputs[:count], held),
            self.network.class_names,
        )
        parts = self._parts(inputs, wanted, held)
        self._check_scores(parts.scores)
        who = f"{self.method} of {self.network.name}"
        check_finite(who, parts.attributions, parts.importance, parts.convergence_delta)
        places = self.network.layout.places(inputs).shape
        if parts.importance.shape != places:
            raise UserError(
                f"{self.method}: the features of {self.network.name} give {parts.importance.shape[1:]} "
                f"values for {places[1:]} {self.network.kind}; name a layer with a row for each"
            )
        explanation = self._explanation(inputs, wanted, parts)
        for caution in (self.caution(explanation), self._zero(explanation)):
            if caution:
                warnings.warn(caution, stacklevel=2)
        return explanation

    def _explanation(self, inputs: np.ndarray, wanted: Any, parts: Parts) -> Explanation:
        head, class_names = self.network.head, self.network.class_names
        options = self.options() | ({} if head == "logits" else {"head": head})
        first = against = region = None
        if isinstance(wanted, RegionTensor):
            first, region = wanted.classes, wanted.mask > 0
            options["target"] = "region"
        elif callable(wanted):
            options["target"] = getattr(wanted, "__name__", type(wanted).__name__)
        else:
            first, against = (wanted, None) if wanted.ndim == 1 else wanted.T
        predicted = np.argmax(parts.scores, axis=-1)
        return Explanation(
            inputs=inputs.astype(np.float32, copy=False),
            attributions=parts.attributions.astype(np.float32, copy=False),
            importance=parts.importance.astype(np.float32, copy=False),
            target=(predicted if first is None else np.where(first < 0, predicted, first)).astype(np.int64),
            scores=parts.scores,
            method=self.method,
            options=options,
            kind=self.network.kind,
            data_format=self.network.data_format,
            up=self.network.up,
            method_title=self.title,
            convergence_delta=parts.convergence_delta,
            standard_error=parts.standard_error,
            class_names=("value",) if class_names is None and head == "regression" else class_names,
            against=None if against is None else against.astype(np.int64),
            region=region,
        )

    def _parts(self, inputs: np.ndarray, wanted: Any, held: Mapping[str, np.ndarray]) -> Parts:
        """Returns the parts of all examples; where the model's own graph fails, that is said in one line."""
        try:
            return self._explained(inputs, wanted, held)
        except UserError:
            raise
        except (ValueError, tf.errors.InvalidArgumentError) as error:
            raise UserError(failure(self.network, inputs[: self.batch_size].shape, error)) from error

    def _traced(self, inputs: tf.Tensor, target: TargetTensor, *held: tf.Tensor) -> Parts:
        """Returns the parts of a batch whose examples share the inputs that are held; scores are (B,C)."""
        names = self.network.several.specs if self.network.several else ()
        with holding(dict(zip(names, held, strict=True))):
            parts = self.explain_batch(inputs, target)
        return parts._replace(scores=pooled(parts.scores, target))

    def _explained(self, inputs: np.ndarray, wanted: Any, held: Mapping[str, np.ndarray]) -> Parts:
        """Returns the parts of all examples, as NumPy arrays."""
        shape = self.network.layout.of(inputs.shape[1:])
        if self.network.size not in (None, inputs.shape[1]):
            shape = (None, *shape[1:])  # filled up
        asked = wanted if callable(wanted) else tf.nest.map_structure(_spec, wanted)
        spec = [tf.TensorSpec((None, *shape), self.network.dtype), asked, *map(_spec, held.values())]
        # One trace for all numbers of examples and, where the model says that it takes any, of points.
        run = self._compiled.get_concrete_function(*spec)
        batches, places = [], []
        for rows in rows_alike(held, len(inputs), self.batch_size):
            arguments: list[Any] = [tf.constant(inputs[rows])]
            if not callable(wanted):
                own = tf.nest.map_structure(lambda array, rows=rows: tf.constant(array[rows]), wanted)
                arguments.append(own)
            batches.append(run(*arguments, *(tf.constant(array[rows[:1]]) for array in held.values())))
            places.append(rows)
        order = np.argsort(np.concatenate(places))
        return Parts(
            *(
                None if values[0] is None else np.concatenate([value.numpy() for value in values])[order]
                for values in zip(*batches, strict=True)
            )
        )

    def _answers(self, inputs: np.ndarray, held: Mapping[str, np.ndarray]) -> np.ndarray:
        """Returns the model's scores as they are, (B,C) or of each point or voxel (B,...,C)."""
        answers = np.empty(0)
        for rows in rows_alike(held, len(inputs), self.batch_size):
            with holding({name: tf.constant(array[rows[:1]]) for name, array in held.items()}):
                x = tf.constant(inputs[rows])  # by a concrete function: of tracing others it is warned
                some = tf.function(self.network, autograph=False).get_concrete_function(x)(x).numpy()
            answers = answers if len(answers) else np.empty((len(inputs), *some.shape[1:]), some.dtype)
            answers[rows] = some
        return answers

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


def _spec(array: np.ndarray) -> tf.TensorSpec:
    """Returns the form of batches of an array."""
    return tf.TensorSpec((None, *array.shape[1:]), array.dtype)
