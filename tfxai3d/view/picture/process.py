"""Runs `tfxai3d.view.picture.open3d_process` in a process that never loads TensorFlow."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import tfxai3d
from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage.leftovers import scratch_folder
from tfxai3d.view.picture.open3d_process import NO_DISPLAY
from tfxai3d.view.shown.marks import Marks, in_unit_ball

_TIMEOUT = 120  # seconds to start, and for ten pictures; a driver may hang as well as crash


class DrawingError(Exception):
    """Open3D could not draw; the message says why in one line."""


def render(scenes: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Draws scenes, the arguments of `open3d_process.mesh`, in front of the camera: uint8 (number,S,S,3).

    Raises:
        DrawingError: If Open3D is not installed, crashes or hangs.
    """
    with scratch_folder() as folder:
        path, image = Path(folder, "scenes.npz"), Path(folder, "image.npy")
        np.savez(path, **_arrays(scenes))
        _run(["render", str(path), str(image)], timeout=_TIMEOUT * (1 + len(scenes) / 10))
        try:
            return np.load(image)
        except (OSError, ValueError) as error:
            raise DrawingError("Open3D left no picture") from error


def show(marks: Marks, colors: np.ndarray, title: str) -> None:
    """Shows coloured marks in a window until it is closed; where that cannot be is a UserError."""
    (some,) = in_unit_ball([marks])
    scene = {"shape": some.shape, "centres": some.centres, "sizes": some.sizes, "colors": colors}
    with scratch_folder() as folder:
        path = Path(folder, "scenes.npz")
        np.savez(path, title=np.array(title), **_arrays([scene]))
        try:
            _run(["show", str(path)], timeout=None)
        except DrawingError as error:
            raise UserError(str(error)) from error


def _arrays(scenes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    named = {f"{i}/{name}": value for i, scene in enumerate(scenes) for name, value in scene.items()}
    return named | {"count": len(scenes)}


def _run(arguments: list[str], timeout: float | None) -> None:
    if find_spec("open3d") is None:
        raise DrawingError(str(missing_extra("open3d", "view")))
    command = [sys.executable, "-P", "-m", "tfxai3d.view.picture.open3d_process", *arguments]
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
