"""Explanations in TensorBoard: coloured clouds that turn, in its mesh plugin."""

from typing import Any

import numpy as np

from tfxai3d.errors import UserError, missing_extra
from tfxai3d.results.explanation import Explanation
from tfxai3d.storage import AnyPath
from tfxai3d.tensorboard.writer import new_writer
from tfxai3d.view.shown.colors import Colormap, colormap_for, point_colors


class MeshWriter:
    """Writes explanations as meshes, which `tensorboard --logdir` shows in its tab Mesh.

    Args:
        folder: Folder of the event files.
        colormap: One of `tfxai3d.view.COLORMAPS`; by default the one that suits each explanation.

    Raises:
        UserError: If TensorBoard or matplotlib is not installed, there is no such colour map, or the folder
            cannot be written.
    """

    def __init__(self, folder: AnyPath, colormap: Colormap | None = None):
        try:
            from tensorboard.plugins.mesh import summary_v2
        except ImportError as error:
            raise missing_extra("tensorboard", "tensorboard") from error
        point_colors(np.zeros(1), colormap_for(colormap))  # what it lacks is said now, not after epochs
        self._mesh, self.colormap = summary_v2.mesh, colormap
        self._writer = new_writer(folder)

    def write(self, explanation: Explanation, step: int = 0, prefix: str = "") -> None:
        """Writes one mesh an example, `<prefix><method>/<number of the example>`.

        Points keep their colours of the other views; of a grid, the middles of its occupied voxels are shown.

        Args:
            explanation: An explanation of points or of voxels.
            step: Where TensorBoard's slider shows it, such as the epoch.
            prefix: What the names begin with.

        Raises:
            UserError: If an example has no points or voxels.
        """
        with self._writer.as_default(step=step):
            colormap = colormap_for(self.colormap, explanation.importance)
            for index in range(len(explanation)):
                vertices, importance = _cloud(explanation, index)
                colors = np.round(255 * point_colors(importance, colormap)).astype(np.uint8)
                self._mesh(
                    f"{prefix}{explanation.method}/{index}",
                    vertices=vertices[None],
                    colors=colors[None],
                    config_dict={"material": {"cls": "PointsMaterial", "size": 0.03}},
                    description=f"explains {explanation.class_name(int(explanation.target[index]))}",
                )
        self._writer.flush()

    def close(self) -> None:
        """Ends the event file."""
        self._writer.close()

    def __enter__(self) -> "MeshWriter":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _cloud(explanation: Explanation, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns vertices float32 (M,3) in the unit ball, y up, and their importance (M,)."""
    inputs, importance = explanation.channels[index], explanation.importance[index]
    if explanation.kind == "points":
        points = np.asarray(inputs[:, :3], np.float64)
    else:
        occupied = np.argwhere((inputs > 0).any(axis=-1))
        if not len(occupied):
            raise UserError(f"example {index}: the grid is empty and cannot be shown")
        importance = importance[tuple(occupied.T)]
        points = occupied[:, [0, 2, 1]] * np.array([-1.0, 1.0, 1.0])  # grids are z up
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    return (points / (np.linalg.norm(points, axis=1).max() or 1.0)).astype(np.float32), importance
