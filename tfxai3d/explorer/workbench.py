"""Everything that the page does, without the page: objects, their explanations, and what is left of both."""

from __future__ import annotations

import collections
import dataclasses
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfxai3d.data.geometry import MIN_POINTS
from tfxai3d.errors import UserError, check_choice
from tfxai3d.explorer.exhibits import Exhibit, Exhibits, Question
from tfxai3d.results import heads
from tfxai3d.results.explanation import Explanation

if TYPE_CHECKING:
    from tfxai3d.evaluate import Remains
    from tfxai3d.explain import Explainer, Network

_BARS = 4  # classes whose probabilities are shown
_FILES = 8  # uploads that are kept
_OBJECTS, _EXPLANATIONS = 16, 128  # and what was made of them
FIRST = ("most", "least")
"""Which places go first: those of most or of least importance."""


@dataclasses.dataclass(frozen=True)
class Opened:
    """A network that is there.

    Attributes:
        network: It.
        remains: Its answers to what is left of objects.
        explainer: Returns the explainer of a method.
    """

    network: Network
    remains: Remains
    explainer: Callable[[str], Explainer]


@dataclasses.dataclass(frozen=True)
class Laid:
    """An object as it is asked about.

    Attributes:
        exhibit: The object.
        bare: It as an explanation that says nothing, with the scores of the whole object.
        target: What explainers are asked.
        places: What can be taken away, bool (M,).
        least: How many places must stay.
    """

    exhibit: Exhibit
    bare: Explanation
    target: Any
    places: np.ndarray
    least: int

    @property
    def most(self) -> int:
        """How many places can go."""
        return max(int(self.places.sum()) - self.least, 0)


class Workbench:
    """Networks, objects and what was found of them, kept as long as there is room; threads may share it.

    Args:
        networks: How each network is loaded, by name.
        exhibits: Where objects come from.
        create: Returns an explainer of a method and a network.
    """

    def __init__(
        self,
        networks: Mapping[str, Callable[[], Network]],
        exhibits: Exhibits,
        create: Callable[[str, Network], Explainer],
    ):
        self.networks, self.exhibits, self._create = networks, exhibits, create
        self._opened: dict[str, Opened] = {}
        self._loading = threading.Lock()
        self._files: collections.OrderedDict[str, Path] = collections.OrderedDict()
        self.laid = functools.lru_cache(_OBJECTS)(self._lay)
        self.explained = functools.lru_cache(_EXPLANATIONS)(self._explain)
        self.goes = functools.lru_cache(_EXPLANATIONS)(self._goes)

    def opened(self, name: str) -> Opened:
        """Returns a network, which is loaded once.

        Raises:
            UserError: If there is none of this name, or it is not one of classes of whole objects.
        """
        if name not in self._opened:
            check_choice("network", name, self.networks)
            with self._loading:
                if name not in self._opened:
                    self._opened[name] = self._open(name)
        return self._opened[name]

    def _open(self, name: str) -> Opened:
        network = self.networks[name]()  # before TensorFlow is imported here: it may load it quietly
        from tfxai3d import evaluate

        if network.segments:
            raise UserError(
                f"{name} classifies each of the {network.kind}; the explorer shows networks of whole objects"
            )
        heads.check_classes(network.head)
        create = functools.lru_cache(None)(lambda method: self._create(method, network))
        return Opened(network, evaluate.Remains(network), create)

    def about(self, name: str) -> dict[str, Any]:
        """Returns what the page says of a network: its kind, classes, objects and methods."""
        from tfxai3d import explain

        network = self.opened(name).network
        kinds = ((method, explain.get(method)) for method in explain.method_names())
        return {
            "kind": network.kind,
            "classes": list(network.class_names or map(str, range(network.classes or 0))),
            "labels": self.exhibits.labels(network),
            "methods": [[method, made.title] for method, made in kinds if network.kind in made.kinds],
        }

    def keep(self, name: str, path: Path) -> None:
        """Takes a file that was uploaded; of many the oldest is deleted."""
        self._files[name] = path
        while len(self._files) > _FILES:
            self._files.popitem(last=False)[1].unlink(missing_ok=True)

    def _lay(self, question: Question) -> Laid:
        opened = self.opened(question.network)
        network, exhibit = opened.network, self._exhibit(question, opened.network)
        inputs = np.asarray(exhibit.inputs, np.float32)[None]
        if not network.accepts(inputs.shape):
            raise UserError(f"{exhibit.name}: the network takes {network.inputs}, not {inputs.shape}")
        places = opened.remains.places(inputs)
        scores = opened.remains(inputs, np.ones((1, 1, places.shape[1]), bool))[:, 0]
        target, first = _target(question.target, network, scores)
        bare = Explanation(
            inputs=inputs,
            attributions=np.zeros_like(inputs),
            importance=np.zeros_like(network.layout.places(inputs)),
            target=np.array([first]),
            scores=scores,
            method="nothing",
            options={},
            kind=network.kind,
            class_names=network.class_names,
            data_format=network.data_format,
            up=network.up,
            affine=None if exhibit.affine is None else exhibit.affine[None],
        )
        return Laid(exhibit, bare, target, places[0], _least(network, inputs[0]))

    def _exhibit(self, question: Question, network: Network) -> Exhibit:
        if not question.file:
            if question.label not in self.exhibits.labels(network):
                raise UserError(f"{question.network} knows no embedded object {question.label!r}")
            return self.exhibits.embedded(question.label, question.number, network)
        path = self._files.get(question.file)
        if path is None:
            raise UserError("this file is no longer kept; drop it again")
        try:
            return self.exhibits.of_file(path, network, question.up)
        except UserError as error:  # where it is kept is no news
            raise UserError(str(error).replace(str(path), path.name)) from error

    def _explain(self, question: Question, method: str) -> Explanation:
        laid, opened = self.laid(question), self.opened(question.network)
        made = opened.explainer(method)(laid.bare.inputs, laid.target)
        return dataclasses.replace(made, affine=laid.bare.affine)

    def _goes(self, question: Question, method: str, first: str) -> np.ndarray:
        """Returns when each place goes, counted from 0, int (M,); -1 where it always stays."""
        from tfxai3d import evaluate

        check_choice("first", first, FIRST)
        places = self.laid(question).places
        importance = self.explained(question, method).importance.astype(np.float64).reshape(1, -1)
        order = evaluate.ranks(importance if first == "most" else -importance, places[None])[0]
        return np.where(places, order, -1)

    def remaining(
        self, question: Question, methods: Sequence[str], first: str, removed: int
    ) -> list[dict[str, Any]]:
        """Returns what the network sees when so many places are gone, by the order of each method."""
        laid = self.laid(question)
        if not 0 <= removed <= laid.most:
            raise UserError(f"of this object 0 to {laid.most:,} of the {laid.bare.kind} can go")
        if not methods:
            return []
        goes = np.stack([self.goes(question, method, first) for method in methods])
        kept = (goes >= removed) | (goes < 0)
        scores = self.opened(question.network).remains(laid.bare.inputs, kept[None])[0]
        return [self.answer(question, row) for row in scores]

    def answer(self, question: Question, scores: np.ndarray) -> dict[str, Any]:
        """Returns the classes of most probability in scores (C,), and the one that is asked about."""
        bare = self.laid(question).bare
        chances = heads.probabilities(scores.astype(np.float64), self.opened(question.network).network.head)
        target = int(bare.target[0])
        best = np.argsort(-chances, kind="stable")[:_BARS].tolist()
        shown = best if target in best else [*best[:-1], target]
        return {
            "bars": [[bare.class_name(i), float(chances[i]), i == target] for i in shown],
            "predicted": bare.class_name(best[0]),
            "confidence": float(chances[target]),
        }


def _target(text: str, network: Network, scores: np.ndarray) -> tuple[Any, int]:
    """Returns what explainers are asked, and the class it is about."""
    from tfxai3d import explain

    if not text:
        return int(np.argmax(scores)), int(np.argmax(scores))
    if network.class_names is None and text.isdecimal():
        number = int(text)
        if number >= scores.shape[-1]:
            raise UserError(f"the network has the classes 0 to {scores.shape[-1] - 1}, not {text}")
        return number, number
    target: Any = explain.named_target(text, network.class_names)
    return target, int(target.target if isinstance(target, explain.Contrast) else target)


def _least(network: Network, inputs: np.ndarray) -> int:
    """Returns how many places of an object must stay for the network to take it."""
    from tfxai3d import evaluate

    if network.kind == "voxels":
        return 1
    return evaluate.least_points(network, inputs) if len(inputs) > MIN_POINTS else len(inputs)
