"""One contest: methods on one network and its examples by all metrics, resumable method by method."""

import dataclasses
import functools
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tfxai3d.evaluate.faithfulness.metrics import METRICS, check_metrics, metrics_of
from tfxai3d.evaluate.faithfulness.subject import Rated, Rater, Subject
from tfxai3d.evaluate.league.entrants import Entrant
from tfxai3d.evaluate.league.plan import Plan
from tfxai3d.results.checks import check_array, check_text, check_texts
from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath, file_name, open_npz, run_folder, write_npz

_SUFFIX = ".scores.npz"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A method's results in a contest.

    Attributes:
        method: Its name.
        scores: What each metric gave each example, (B,), by the metric's name; the first ones of the
            contest, how many its plan says.
        importance: The maps, (B,M).
        seconds: Of an explanation, compiled; NaN of maps that came from elsewhere.
        passes: The same in forward passes of the network on the same examples.
    """

    method: str
    scores: Mapping[str, np.ndarray]
    importance: np.ndarray
    seconds: float
    passes: float

    def explanation(self, subject: Subject, number: int) -> Explanation:
        """Returns the map of one example of its subject, as viewers take it."""
        inputs, net = subject.inputs[[number]], subject.network
        importance = self.importance[[number]].reshape(inputs.shape[:-1])
        return Explanation(
            inputs=inputs,
            attributions=np.broadcast_to(importance[..., None] / inputs.shape[-1], inputs.shape),
            importance=importance,
            target=subject.labels[[number]],
            scores=subject.whole[[number]],
            method=self.method,
            options={},
            kind=net.kind,
            class_names=net.class_names,
        )


def hold_contest(
    subject: Subject,
    raters: Mapping[str, Rater],
    metrics: Sequence[str] | None = None,
    folder: AnyPath | None = None,
    settings: Mapping[str, Any] | None = None,
    plan: Plan = Plan(),  # noqa: B008 (it is frozen)
    shared: bool = False,
) -> list[Entry]:
    """Measures methods on one network and its examples.

    Args:
        subject: The network and the examples.
        raters: The methods by name; an `Entrant` says what it can be measured by.
        metrics: Names of `METRICS`; by default all that say something of the subject.
        folder: Keeps each method's results once they are there: called again, the contest goes on.
        settings: What decides the results, such as the names of model and data.
        plan: How many of the examples measure what; all by default.
        shared: Whether other processes measure other methods in the same folder.

    Raises:
        UserError: If a metric is unknown, the folder holds another contest, or as a method does.
    """
    wanted = metrics_of(subject) if metrics is None else list(metrics)
    check_metrics(wanted)
    decisive = {
        **(settings or {}),
        **dataclasses.asdict(plan),
        "metrics": wanted,
        "examples": len(subject.labels),
        "seed": subject.seed,
    }
    some = functools.cache(lambda count: subject if count == len(subject.labels) else subject.first(count))
    entries = []
    with run_folder(folder, decisive, f"*{_SUFFIX}", shared):
        for name in (bar := tqdm(raters, unit="method", disable=None)):
            bar.set_postfix_str(name)
            path = None if folder is None else Path(folder) / f"{file_name(name)}{_SUFFIX}"
            if path is not None and path.exists():
                entries.append(_read(path))
                continue
            rater = raters[name]
            entrant = rater if isinstance(rater, Entrant) else Entrant(rater)
            entries.append(_measured(name, entrant, some, entrant.counts(wanted, len(subject.labels), plan)))
            if path is not None:
                _write(path, entries[-1])
    return entries


def read_contest(folder: AnyPath) -> list[Entry]:
    """Returns the entries that a contest left in its folder, by the methods' names.

    Raises:
        UserError: If a file is damaged.
    """
    return [_read(path) for path in sorted(Path(folder).glob(f"*{_SUFFIX}"))]


def _measured(
    name: str, entrant: Entrant, some: Callable[[int], Subject], counts: Mapping[str, int]
) -> Entry:
    rated = {count: Rated(some(count), entrant) for count in {*counts.values()}}
    most = rated[max(rated)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of maps that are zero, which the metrics count
        most.rate(most.subject.inputs[:1], most.subject.labels[:1])  # traces
        began = time.perf_counter()
        importance = most.importance
        seconds = (time.perf_counter() - began) / len(importance) if entrant.explains else float("nan")
        scores = {metric: METRICS[metric].measure(rated[count]) for metric, count in counts.items()}
    passes = seconds / most.subject.forward_seconds
    return Entry(name, scores, importance.astype(np.float32), seconds, passes)


def _write(path: Path, entry: Entry) -> None:
    arrays = {f"score {metric}": values for metric, values in entry.scores.items()}
    facts = {
        "method": entry.method,
        "seconds": entry.seconds,
        "passes": entry.passes,
        "metrics": [*entry.scores],
    }
    write_npz(path, {"importance": entry.importance, **arrays}, facts)


def _read(path: Path) -> Entry:
    with open_npz(path, "a method's results of a contest") as store:
        facts = store.meta
        check_text("method", facts["method"])
        check_texts("metrics", facts["metrics"])
        seconds, passes = float(facts["seconds"]), float(facts["passes"])  # NaN of maps that were given
        importance = store["importance"]
        check_array("importance", importance, "f", (None, None))
        scores = {metric: store[f"score {metric}"] for metric in facts["metrics"]}
        for metric, values in scores.items():
            if values.ndim != 1 or len(values) > len(importance) or values.dtype.kind not in "fiub":
                raise ValueError(f"its scores of {metric} are {values.dtype}{values.shape}")
        return Entry(facts["method"], scores, importance, seconds, passes)
