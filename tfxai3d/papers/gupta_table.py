"""Table I of Gupta et al. (IJCNN 2020): VRN pruned to 5 %."""

from pathlib import Path

import numpy as np

from tfxai3d import evaluate, models, pruning
from tfxai3d.papers.finding import REPRODUCED, Finding
from tfxai3d.papers.setting import Setting

_DENSE, _PRUNED, _LESS = "vrn_half_modelnet10", "vrn_modelnet10_pruned", "vrn_modelnet10_one_percent"
_PUBLISHED = {
    "original": ("13,829,792", "87.77 %"),
    "cut": ("728,092 (5.26 %)", "62.39 %"),
    "tuned": ("700,720 (5 %)", "87.18 %"),
}
_LARGEST_LOSS = 0.006  # of the published table, 87.77 to 87.18 %


def table_1(setting: Setting, folder: Path) -> Finding:
    """VRN as trained, cut at once to 5 %, and pruned and tuned, on the same objects."""
    cut = models.from_preset(_DENSE)
    pruning.prune_magnitude(cut, 0.0526)
    measured = {
        f"original ({_DENSE})": _row(setting, setting.network(_DENSE), "original"),
        f"cut at once, no tuning ({_DENSE})": _row(setting, cut, "cut"),
        f"pruned and tuned ({_PRUNED})": _row(setting, setting.network(_PRUNED), "tuned"),
        f"pruned further ({_LESS})": _row(setting, setting.network(_LESS), None),
    }
    accuracy = [row[1] for row in measured.values()]
    rows = [[name, left, f"{right:.1%}", *published] for name, (left, right, published) in measured.items()]
    survives = accuracy[2] >= accuracy[0] - _LARGEST_LOSS and accuracy[1] < accuracy[0] - 0.1
    verdict = "not comparable: the networks were trained on ModelNet10, procedural objects are others"
    if setting.modelnet10 is not None:
        verdict = f"{REPRODUCED} on ModelNet10" if survives else "differs: see the table"
    return Finding(
        "Table I: pruning VRN",
        "On ModelNet40: 13,829,792 weights 87.77 %, 5.26 % without tuning 62.39 %, 5 % after an epoch of "
        "tuning 87.18 %.",
        f"On {setting.words(_DENSE)}: {accuracy[0]:.1%} as trained (half the width), {accuracy[1]:.1%} cut "
        "at once, "
        f"{accuracy[2]:.1%} pruned to 5 % by surgery (full width), {accuracy[3]:.1%} with 1 %.",
        verdict,
        ("network", "weights left", "here", "published: left", "accuracy"),
        rows,
    )  # fmt: skip


def _row(
    setting: Setting, model: models.Classifier, published: str | None
) -> tuple[str, float, tuple[str, str]]:
    """Returns the weights left, the accuracy and what was published."""
    split = setting.objects(_DENSE, setting.size.examples)
    result = evaluate.classify(model, split.inputs.astype(np.float32), split.labels)
    found = pruning.kernel_sparsity(model)
    left, total = found["left"], found["total"]
    known = _PUBLISHED[published] if published else ("", "")
    return f"{left:,} of {total:,} ({left / total:.2%})", result.overall_accuracy, known
