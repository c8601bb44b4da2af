"""Draws with Open3D in a process of its own: `python -m tfxai3d.view._open3d render|window ...`.

TensorFlow's exported LLVM symbols break Mesa's renderer, so this must run where TensorFlow is not loaded;
a missing display or driver can take this process down, and only this one. `tfxai3d.view.scene` starts it.
"""

import ctypes
import os
import sys
from typing import Any

import numpy as np

from tfxai3d.view._camera import FIELD_OF_VIEW

SIZE = 1000  # of a view in pixels; Windows shrinks windows that are larger than the screen
NO_DISPLAY = 3  # exit code
_LIGHT = np.array([-0.4, 0.7, 0.6]) / np.linalg.norm([-0.4, 0.7, 0.6])  # from upper left, behind the camera


def balls(points: np.ndarray, colors: np.ndarray, radius: float, from_camera: bool) -> Any:
    """Returns one Open3D mesh with a ball at each point.

    Args:
        points: (N,3).
        colors: (N,3) in 0..1.
        radius: Of a ball.
        from_camera: Whether the points are in front of a camera that looks along -z; dark rims and haze
            are then added to the light. All of it is painted into the vertex colours, so that the lit
            middle of each ball keeps its colour, which a renderer's light would not do.
    """
    import open3d as o3d

    ball = o3d.geometry.TriangleMesh.create_sphere(1.0, 10 if len(points) <= 5_000 else 4)
    normals, triangles = np.asarray(ball.vertices), np.asarray(ball.triangles)
    vertices = points[:, None] + radius * normals
    offsets = len(normals) * np.arange(len(points))
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices.reshape(-1, 3)),
        o3d.utility.Vector3iVector((triangles + offsets[:, None, None]).reshape(-1, 3)),
    )
    rims = 0.55 + 0.45 * np.clip(normals[:, 2:] / 0.5, 0, 1) if from_camera else np.ones((len(normals), 1))
    painted = _lit(colors[:, None] * rims, normals)
    if from_camera:
        painted = _haze(painted, points[:, 2])
    mesh.vertex_colors = o3d.utility.Vector3dVector(painted.reshape(-1, 3))
    mesh.vertex_normals = o3d.utility.Vector3dVector(np.tile(normals, (len(points), 1)))
    return mesh


def _lit(colors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    facing = np.clip(normals @ _LIGHT, 0, 1)[:, None]
    lit = colors * np.clip(0.6 + 0.5 * facing, 0, 1)
    return lit + (1.0 - lit) * 0.25 * facing**8  # the gloss gives black balls a shape, too


def _haze(colors: np.ndarray, depth: np.ndarray) -> np.ndarray:
    far = 0.2 * (depth.max() - depth) / max(np.ptp(depth), 1e-9)
    return colors + (1.0 - colors) * far[:, None, None]


def _has_display() -> bool:
    """Asks as GLFW does; without a display Open3D would show its window to nobody and wait forever."""
    if sys.platform != "linux" or os.environ.get("WAYLAND_DISPLAY"):
        return True
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    return bool(x11.XOpenDisplay(None))


def _open(title: str, visible: bool, size: int) -> Any:
    import open3d as o3d

    window = o3d.visualization.Visualizer()
    if not window.create_window(title, width=size, height=size, visible=visible):
        sys.exit(NO_DISPLAY)
    window.get_render_option().background_color = np.ones(3)
    window.get_render_option().light_on = False
    return window


def render(scene_path: str, image_path: str) -> None:
    """Draws the views of a scene file (NPZ: views (V,N,3), colors (N,3), radius).

    Args:
        scene_path: Written by `tfxai3d.view.scene`.
        image_path: Where the pictures go, NPY, uint8 (V, SIZE, SIZE, 3).
    """
    import open3d as o3d

    with np.load(scene_path) as scene:
        views, colors, radius = scene["views"], scene["colors"], float(scene["radius"])
    camera = o3d.camera.PinholeCameraParameters()
    focal = SIZE / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
    middle = SIZE / 2 - 0.5
    camera.intrinsic = o3d.camera.PinholeCameraIntrinsic(SIZE, SIZE, focal, focal, middle, middle)
    camera.extrinsic = np.diag([1.0, -1.0, -1.0, 1.0])
    window = _open("tfxai3d", visible=False, size=SIZE)
    images = []
    for points in views:
        window.clear_geometries()
        window.add_geometry(balls(points, colors, radius, from_camera=True))
        if not window.get_view_control().convert_from_pinhole_camera_parameters(camera, True):
            sys.exit("Open3D refused the camera")
        images.append(np.asarray(window.capture_screen_float_buffer(do_render=True)))
    window.destroy_window()
    np.save(image_path, np.round(np.stack(images) * 255).astype(np.uint8))


def show(scene_path: str) -> None:
    """Shows a scene file (NPZ: points (N,3), colors (N,3), radius, title) until the window is closed."""
    if not _has_display():
        sys.exit(NO_DISPLAY)
    with np.load(scene_path) as scene:
        mesh = balls(scene["points"], scene["colors"], float(scene["radius"]), from_camera=False)
        title = str(scene["title"])
    window = _open(title, visible=True, size=900)
    window.add_geometry(mesh)
    view = window.get_view_control()
    view.set_up([0, 1, 0])
    view.set_front([0.53, 0.37, 0.76])
    view.set_zoom(0.8)
    window.run()
    window.destroy_window()


if __name__ == "__main__":
    if sys.argv[1] == "render":
        render(*sys.argv[2:])
    else:
        show(*sys.argv[2:])
