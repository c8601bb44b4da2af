"""Runs `tfxai3d.view._open3d` in a process that never loads TensorFlow."""

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import tfxai3d
from tfxai3d.errors import missing_extra
from tfxai3d.view._open3d import NO_DISPLAY

_TIMEOUT = 120  # seconds for one picture; a driver may hang as well as crash


class DrawingError(Exception):
    """Open3D could not draw; the message says why in one line."""


def render(views: np.ndarray, colors: np.ndarray, radius: float) -> np.ndarray:
    """Draws points in front of the camera as balls.

    Args:
        views: (V,N,3), from `camera_views`.
        colors: (N,3) in 0..1.
        radius: Of a ball.

    Returns:
        uint8 (V,S,S,3).

    Raises:
        DrawingError: If Open3D is not installed, crashes or hangs.
    """
    with tempfile.TemporaryDirectory(prefix="tfxai3d-") as folder:
        scene, image = Path(folder, "scene.npz"), Path(folder, "image.npy")
        np.savez(scene, views=views, colors=colors, radius=radius)
        _run(["render", str(scene), str(image)], timeout=_TIMEOUT)
        try:
            return np.load(image)
        except (OSError, ValueError) as error:
            raise DrawingError("Open3D left no picture") from error


def show(points: np.ndarray, colors: np.ndarray, radius: float, title: str) -> None:
    """Shows points (N,3) in colors (N,3) as balls in a window until it is closed.

    Raises:
        DrawingError: If Open3D is not installed or crashes, or there is no display.
    """
    with tempfile.TemporaryDirectory(prefix="tfxai3d-") as folder:
        scene = Path(folder, "scene.npz")
        np.savez(scene, points=points, colors=colors, radius=radius, title=title)
        _run(["show", str(scene)], timeout=None)


def _run(arguments: list[str], timeout: float | None) -> None:
    if find_spec("open3d") is None:
        raise DrawingError(str(missing_extra("open3d", "view")))
    command = [sys.executable, "-P", "-m", "tfxai3d.view._open3d", *arguments]
    source = str(Path(tfxai3d.__file__).parents[1])  # the package need not be installed
    paths = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths}
    try:
        result = subprocess.run(
            command, env=environment, timeout=timeout, capture_output=True, text=True, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DrawingError(f"Open3D did not start or did not answer ({type(error).__name__})") from error
    if result.returncode == NO_DISPLAY:
        raise DrawingError("no display to open a window on; use the PNG or the HTML page")
    if result.returncode < 0:
        raise DrawingError(f"Open3D crashed (signal {-result.returncode})")
    if result.returncode:
        said = (result.stderr.strip() or "no message").splitlines()[-1]
        raise DrawingError(f"Open3D failed with exit code {result.returncode} ({said})")
