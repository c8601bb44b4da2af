"""What people see: pictures, windows, pages and coloured files of saved explanations.

Loads neither TensorFlow nor, before something is drawn, Open3D, matplotlib or plotly.
"""

from tfxai3d.view.colors import COLORMAPS, Colormap, color_range, point_colors
from tfxai3d.view.page import write_html
from tfxai3d.view.plots import render_confusion
from tfxai3d.view.ply import write_ply
from tfxai3d.view.scene import open_window, render_png

__all__ = [
    "COLORMAPS",
    "Colormap",
    "color_range",
    "open_window",
    "point_colors",
    "render_confusion",
    "render_png",
    "write_html",
    "write_ply",
]
