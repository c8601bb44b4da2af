"""Maps that are there already, made by any program: they take part, and their authors get the examples."""

import numpy as np

from tfxai3d.errors import UserError
from tfxai3d.evaluate.faithfulness.metrics import METRICS, REPEATED, UNCOUNTED
from tfxai3d.evaluate.faithfulness.subject import Subject
from tfxai3d.evaluate.league.entrants import Entrant
from tfxai3d.storage import AnyPath, open_npz, write_npz

_OF_MAPS = tuple(
    name for name, metric in METRICS.items() if metric.group not in REPEATED or metric.group == UNCOUNTED
)


def write_examples(path: AnyPath, subject: Subject) -> None:
    """Writes what is to be explained to an NPZ file: `inputs` and `labels`, the class that is explained."""
    write_npz(path, {"inputs": subject.inputs, "labels": subject.labels}, {})


def read_maps(path: AnyPath, subject: Subject) -> Entrant:
    """Returns an entrant of maps from an NPZ file.

    They say nothing of other inputs, networks or classes, so nothing of robustness and randomisation.

    Args:
        path: Its array `importance`, (B,N) or (B,D,H,W), holds the maps of the subject's first examples. If
            it holds `inputs` as well, they must be those.
        subject: The examples.

    Raises:
        UserError: If they are not of the subject's first examples.
    """
    with open_npz(path, "maps") as store:
        importance = store["importance"]
        inputs = store.get("inputs")
    count, places = len(subject.labels), subject.inputs.shape[:-1]
    if importance.shape[1:] != places[1:] or not 0 < len(importance) <= count:
        raise UserError(f"{path}: importance {importance.shape}; give maps of the first of {places}")
    if inputs is not None and not np.array_equal(inputs, subject.inputs[: len(importance)]):
        raise UserError(f"{path}: maps of other inputs; explain those of examples.npz, in their order")
    return Entrant(
        lambda some, labels: importance[: len(some)], _OF_MAPS, most=len(importance), explains=False
    )
