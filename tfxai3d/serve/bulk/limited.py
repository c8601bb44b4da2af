"""An explainer whose clouds may take so much time and no more, since nobody knows who made its SavedModel.

A loop without end, or an input for which one takes for ever, ends with a process: see `storage.killable`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.explain.explainer import Explainer
from tfxai3d.serve.loaded_model import load
from tfxai3d.storage.killable import Killable


class Explained(NamedTuple):
    """What is written of an `Explanation`."""

    target: np.ndarray
    scores: np.ndarray
    importance: np.ndarray
    attributions: np.ndarray
    convergence_delta: np.ndarray | None = None


def load_explainer(saved_model: str, method: str, batch_size: int, trust: bool) -> Explainer:
    """Loads the explainer of a method from a SavedModel of points."""
    return load(saved_model, "points", trust).explainer(method, batch_size)


def sizes_of(explainer: Explainer | LimitedExplainer) -> tuple[int | None, int]:
    """Returns how many points a network takes, None for any number, and how many columns a point has."""
    if isinstance(explainer, LimitedExplainer):
        return explainer.sizes
    return explainer.network.size, explainer.network.layout.usual()[-1] or 3


class LimitedExplainer:
    """Explains as the explainer of `load_explainer` does, in a process of its own.

    Args:
        described: The arguments of `load_explainer`.
        seconds: The time that a cloud may take; several at once have as much together.

    Attributes:
        sizes: See `sizes_of`.

    Raises:
        UserError: As `load_explainer`, and if that takes more than minutes.
    """

    def __init__(self, described: tuple[str, str, int, bool], seconds: float):
        self._call, self._seconds = Killable(_explaining, *described), seconds
        try:
            size, columns = self._call(seconds)["sizes"].tolist()
        except UserError as error:
            saved_model = described[0]
            where = "" if str(error).startswith(str(saved_model)) else f"{saved_model}: loading it "
            raise UserError(f"{where}{error}") from error
        self.sizes = size or None, columns

    def __call__(self, clouds: Sequence[np.ndarray]) -> Explained:
        """Explains clouds of one size.

        Raises:
            UserError: If they take too long or end the process, or as the explainer.
        """
        return Explained(**self._call(self._seconds * len(clouds), clouds=np.stack(clouds)))


def _explaining(*described: object) -> Callable[..., dict[str, np.ndarray]]:
    """Returns what the other process does: explain clouds or, without any, say its sizes."""
    explainer = load_explainer(*described)  # type: ignore[arg-type]

    def explain(clouds: np.ndarray | None = None) -> dict[str, np.ndarray]:
        if clouds is None:
            size, columns = sizes_of(explainer)
            return {"sizes": np.array([size or 0, columns])}
        found = explainer(clouds)
        given = {name: getattr(found, name) for name in Explained._fields}
        return {name: np.asarray(value) for name, value in given.items() if value is not None}

    return explain
