"""What Zheng et al. published (ICCV 2019), and drop experiments beside it."""

from collections.abc import Mapping

import numpy as np

from tfxai3d.results.drop_table import DropTable
from tfxai3d.storage import markdown_table

Accuracies = Mapping[str, Mapping[int, float]]
"""Accuracy by condition and number of points dropped."""

#: Accuracies by the class of the network, read off the figures (±0.004).
ZHENG: dict[str, Accuracies] = {
    "PointNet": {
        "point_saliency": {0: 0.882, 50: 0.767, 100: 0.668, 150: 0.552, 200: 0.442},
        "critical_points": {0: 0.882, 100: 0.764, 150: 0.668, 200: 0.582},
        "random": {0: 0.882, 200: 0.878},
        "point_saliency:lowest": {0: 0.882, 200: 0.913},
    },
    "PointNet2": {
        "point_saliency": {0: 0.895, 50: 0.835, 100: 0.772, 150: 0.697, 200: 0.585},
        "random": {0: 0.895, 200: 0.891},
        "point_saliency:lowest": {0: 0.895, 200: 0.907},
    },
}
_REPORTED = (0, 50, 100, 150, 200)
_APART = 0.03


def accuracy_by_points_dropped(table: DropTable) -> dict[int, float]:
    """Returns the mean accuracy of a table by the number of points that were dropped."""
    curve = table.by_step()
    dropped = np.round(curve["points"][0] - curve["points"]).astype(int)
    return dict(zip(dropped.tolist(), curve["accuracy"].tolist(), strict=True))


def drop_summary(tables: Mapping[str, DropTable], published: Accuracies | None = None) -> str:
    """Returns a drop experiment in Markdown: accuracy by points dropped, areas, and the order at the end.

    Args:
        tables: What `drop_curves` returned.
        published: Accuracies to put beside it in brackets, such as `ZHENG["PointNet"]`. What is more than 3
            points of accuracy apart is bold.
    """
    published = published or {}
    own = {name: accuracy_by_points_dropped(table) for name, table in tables.items()}
    most = max(max(accuracies) for accuracies in own.values())
    counts = sorted({most, *(count for count in _REPORTED if count < most)})
    head = ["points dropped", *map(str, counts), "area, accuracy", "area, confidence"]
    rows = []
    for name, table in tables.items():
        cells = [_cell(own[name].get(count), published.get(name, {}).get(count)) for count in counts]
        rows.append([name, *cells, *(f"{table.area(column):.3f}" for column in ("accuracy", "confidence"))])
    count = max(set(_REPORTED[1:]).intersection(*own.values()), default=most)
    lines = [markdown_table(head, rows), "", f"After {count} points: {_order(own, count)}."]
    if published:
        lines.append(f"Published, in brackets: {_order(published, count)}. Bold: more than 3 points apart.")
    return "\n".join(lines) + "\n"


def _cell(own: float | None, published: float | None) -> str:
    text = "-" if own is None else f"{own:.3f}"
    if published is None:
        return text
    apart = own is not None and abs(own - published) > _APART
    return f"{f'**{text}**' if apart else text} ({published:.3f})"


def _order(accuracies: Accuracies, count: int) -> str:
    """Returns the conditions, and the clean clouds, from the least to the greatest accuracy."""
    ends = {name: values[count] for name, values in accuracies.items() if count in values}
    ends["clean"] = next(iter(accuracies.values()))[0]
    return " < ".join(f"{name} {ends[name]:.3f}" for name in sorted(ends, key=ends.__getitem__))
