"""Draws with Open3D in a process of its own, started by `tfxai3d.view.picture.process`.

TensorFlow's exported LLVM symbols break Mesa's renderer, so this must run where TensorFlow is not loaded;
a missing display or driver can take this process down, and only this one.
"""

import ctypes
import os
import sys
from typing import Any

import numpy as np

from tfxai3d.view.shown.camera import FIELD_OF_VIEW, LIGHT
from tfxai3d.view.shown.marks import cube

SIZE = 1000  # of a view in pixels; Windows shrinks windows that are larger than the screen
NO_DISPLAY = 3  # exit code


def mesh(
    shape: str, centres: np.ndarray, sizes: np.ndarray, colors: np.ndarray, rotation: np.ndarray | None = None
) -> Any:
    """Returns one Open3D mesh of balls or cubes, see `scenes.Scene`.

    Light is painted into the vertex colours, so that what is lit keeps its colour, which a renderer's light
    would not do; with a rotation, for a camera that looks along -z, so are dark rims of balls and haze.
    """
    import open3d as o3d

    vertices, normals, triangles = cube() if shape == "cube" else _ball(len(centres))
    if shape == "cube" and rotation is not None:
        vertices, normals = vertices @ rotation.T, normals @ rotation.T
    offsets = len(vertices) * np.arange(len(centres))
    built = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector((centres[:, None] + sizes[:, None, None] * vertices).reshape(-1, 3)),
        o3d.utility.Vector3iVector((triangles + offsets[:, None, None]).reshape(-1, 3)),
    )
    painted = colors[:, None]
    if shape == "ball" and rotation is not None:
        painted = painted * (0.55 + 0.45 * np.clip(normals[:, 2:] / 0.5, 0, 1))
    painted = _lit(painted, normals, gloss=0.25 if shape == "ball" else 0.0)
    if rotation is not None:
        painted = _haze(painted, centres[:, 2])
    built.vertex_colors = o3d.utility.Vector3dVector(painted.reshape(-1, 3))
    built.vertex_normals = o3d.utility.Vector3dVector(np.tile(normals, (len(centres), 1)))
    return built


def _ball(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import open3d as o3d

    ball = o3d.geometry.TriangleMesh.create_sphere(1.0, 10 if count <= 5_000 else 4)
    vertices = np.asarray(ball.vertices)
    return vertices, vertices, np.asarray(ball.triangles)


def _lit(colors: np.ndarray, normals: np.ndarray, gloss: float) -> np.ndarray:
    facing = np.clip(normals @ LIGHT, 0, 1)[:, None]
    lit = colors * np.clip(0.6 + 0.5 * facing, 0, 1)
    return lit + (1.0 - lit) * gloss * facing**8  # the gloss gives black balls a shape, too


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


def _scene(store: Any, number: int) -> dict[str, Any]:
    names = [name for name in store.files if name.startswith(f"{number}/")]
    scene = {name.split("/")[1]: store[name] for name in names}
    return scene | {"shape": str(scene["shape"])}


def render(scene_path: str, image_path: str) -> None:
    """Draws the scenes of an NPZ file ("count", "0/centres" ...) into an NPY one, (count,SIZE,SIZE,3)."""
    import open3d as o3d

    camera = o3d.camera.PinholeCameraParameters()
    focal = SIZE / 2 / np.tan(np.radians(FIELD_OF_VIEW / 2))
    middle = SIZE / 2 - 0.5
    camera.intrinsic = o3d.camera.PinholeCameraIntrinsic(SIZE, SIZE, focal, focal, middle, middle)
    camera.extrinsic = np.diag([1.0, -1.0, -1.0, 1.0])
    window = _open("tfxai3d", visible=False, size=SIZE)
    images = []
    with np.load(scene_path) as store:
        for number in range(int(store["count"])):
            window.clear_geometries()
            window.add_geometry(mesh(**_scene(store, number)))
            if not window.get_view_control().convert_from_pinhole_camera_parameters(camera, True):
                sys.exit("Open3D refused the camera")
            image = np.asarray(window.capture_screen_float_buffer(do_render=True))
            images.append(np.round(image * 255).astype(np.uint8))
    window.destroy_window()
    np.save(image_path, np.stack(images))


def show(scene_path: str) -> None:
    """Shows the one scene of a file, without a rotation and with a "title", until the window is closed."""
    if not _has_display():
        sys.exit(NO_DISPLAY)
    with np.load(scene_path) as store:
        shown, title = mesh(**_scene(store, 0)), str(store["title"])
    window = _open(title, visible=True, size=900)
    window.add_geometry(shown)
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
