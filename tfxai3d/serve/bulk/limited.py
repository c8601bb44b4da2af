"""An explainer whose clouds may take so much time and no more, since nobody knows who made its SavedModel.

A loop without end, or an input for which one takes for ever, ends with a process: see `storage.killable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.explain.engine.layout import Layout
from tfxai3d.explain.explainer import Explainer
from tfxai3d.results.explanation import DataKind
from tfxai3d.serve.loaded_model import load
from tfxai3d.storage.killable import Killable


class Explained(NamedTuple):
    """What is written of an `Explanation`."""

    target: np.ndarray
    scores: np.ndarray
    importance: np.ndarray
    attributions: np.ndarray
    convergence_delta: np.ndarray | None = None


def load_explainer(
    saved_model: str, method: str, batch_size: int, trust: bool, data_kind: DataKind = "points"
) -> Explainer:
    """Loads the explainer of a method from a SavedModel."""
    return load(saved_model, data_kind, trust).explainer(method, batch_size)


def layout_of(explainer: Explainer | LimitedExplainer) -> Layout:
    """Returns what inputs the network takes."""
    return explainer.layout if isinstance(explainer, LimitedExplainer) else explainer.network.layout


class LimitedExplainer:
    """Explains as the explainer of `load_explainer` does, in a process of its own.

    Args:
        described: The arguments of `load_explainer`.
        seconds: The time that a cloud may take; several at once have as much together.

    Attributes:
        layout: See `layout_of`.

    Raises:
        UserError: As `load_explainer`, and if that takes more than minutes.
    """

    def __init__(self, described: tuple[str, str, int, bool, DataKind], seconds: float):
        self._call, self._seconds = Killable(_explaining, *described), seconds
        try:
            said = self._call(seconds)
        except UserError as error:
            saved_model = described[0]
            where = "" if str(error).startswith(str(saved_model)) else f"{saved_model}: loading it "
            raise UserError(f"{where}{error}") from error
        shape = tuple(size or None for size in said["shape"].tolist()) or None
        kind, data_format = said["words"].tolist()
        self.layout = Layout(kind, shape, data_format)

    def __call__(self, clouds: Sequence[np.ndarray]) -> Explained:
        """Explains clouds of one size.

        Raises:
            UserError: If they take too long or end the process, or as the explainer.
        """
        return Explained(**self._call(self._seconds * len(clouds), clouds=np.stack(clouds)))


def _explaining(*described: object) -> Callable[..., dict[str, np.ndarray]]:
    """Returns what the other process does: explain inputs or, without any, say which ones it takes."""
    explainer = load_explainer(*described)  # type: ignore[arg-type]

    def explain(clouds: np.ndarray | None = None) -> dict[str, np.ndarray]:
        if clouds is None:
            layout = layout_of(explainer)
            shape = np.array([size or 0 for size in layout.shape or ()], np.int64)
            return {"shape": shape, "words": np.array([layout.kind, layout.data_format])}
        found = explainer(clouds)
        given = {name: getattr(found, name) for name in Explained._fields}
        return {name: np.asarray(value) for name, value in given.items() if value is not None}

    return explain
