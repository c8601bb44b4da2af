"""What methods share that take units away and look at the score."""

import abc
import dataclasses
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.filling import check_copies
from tfxai3d.explain.engine.game import Game
from tfxai3d.explain.engine.max_game import max_game, max_network
from tfxai3d.explain.engine.progress import Progress
from tfxai3d.explain.engine.region import RegionTensor
from tfxai3d.explain.engine.target import TargetTensor, resolved, rows
from tfxai3d.explain.engine.units import Units
from tfxai3d.explain.explainer import Explainer, Parts


class Perturbation(Explainer):
    """An explainer that plays `Game` with each example; the model needs no gradient.

    The importance of a point or voxel is the value of its unit, 0 where it is in none. The attributions share
    the unit's value evenly among the numbers of its places, so that they add up to the sum of the values. A
    Keras model whose points meet in one max, such as the basic PointNet, is run once; its head does the rest.

    Args:
        model: See `Explainer`.
        units: What is taken away together, see `Units`; by default what `default_units` says.
        num_clusters: Number of clusters, for the units "clusters".
        block_size: Edge of a block in voxels, for the units "blocks".
        progress: Whether a bar shows how many passes are done. Such an explainer cannot be exported.
        **kwargs: Of `Explainer`.

    Raises:
        UserError: If the units are unknown or empty.
    """

    default_units: ClassVar[dict[str, str]] = {"points": "clusters", "voxels": "blocks"}

    def __init__(
        self,
        model: Any,
        units: Any = None,
        num_clusters: int = 20,
        block_size: int = 4,
        progress: bool = False,
        **kwargs: Any,
    ):
        super().__init__(model, **kwargs)
        kind = self.network.kind
        units = self.default_units[kind] if units is None else units
        self.units = Units(units, num_clusters, block_size, kind)
        self.progress = Progress(self.method) if progress else None
        plain = self.network.data_format == "channels_last" and self.network.several is None
        self._split = max_network(self.network, self.model) if plain else None

    def options(self) -> dict[str, Any]:
        """Returns what decides the units."""
        return self.units.describe()

    def check(self, inputs: np.ndarray) -> None:
        """Raises a UserError unless the units fit the inputs, and the network takes fewer points."""
        self.units.check(self.last(inputs))
        if self.network.size is not None:
            check_copies(self.network, inputs[:, : max(1, inputs.shape[1] // 2)])

    def last(self, inputs: np.ndarray) -> np.ndarray:
        """Returns inputs with the channels last, as units and games have them."""
        return self.network.layout.channels_last(tf.constant(inputs)).numpy()

    @abc.abstractmethod
    def values(self, game: Game) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the value of each unit and its standard error, (M,) each; 0 where nothing is estimated."""

    def explain_batch(self, inputs: tf.Tensor, target: TargetTensor) -> Parts:
        """Returns the values of each example's units, at the places of the units."""
        if isinstance(target, RegionTensor) and self.network.kind == "points":
            raise UserError(f"{self.method} removes points, and with them parts of a Region; use gradients")
        given, layout = inputs, self.network.layout
        scores = self.network(given)
        target, inputs = resolved(target, scores), layout.channels_last(given)
        network = dataclasses.replace(
            self.network,
            function=lambda x: self.network(layout.as_given(x, given)),
            shape=layout.last(),
            data_format="channels_last",
        )

        @tf.autograph.experimental.do_not_convert
        def one(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            labels = self.units.labels(inputs[number])
            game = Game(
                network,
                inputs[number],
                rows(target, number[None]),
                labels,
                self.batch_size,
                self.progress,
            )
            values, error = self.values(game if self._split is None else max_game(game, self._split))
            size = tf.math.bincount(tf.reshape(labels + 1, (-1,)), dtype=inputs.dtype)[1:]
            # One unit more, for the places that are in none.
            spread = [
                tf.pad(tf.cast(some, inputs.dtype), [[0, 1]])
                for some in (values, error, values / tf.cast(size, values.dtype))
            ]
            place = tf.where(labels < 0, tf.shape(size)[0], labels)
            return tuple(tf.gather(some, place) for some in spread)

        places = tf.TensorSpec(inputs.shape[1:-1], inputs.dtype)
        importance, error, share = tf.map_fn(
            one, tf.range(tf.shape(inputs)[0]), parallel_iterations=1, fn_output_signature=(places,) * 3
        )
        channels = inputs.shape[-1]
        attributions = layout.spread(share / channels, given)
        return Parts(attributions, importance, scores, standard_error=error)
