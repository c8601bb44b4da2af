"""What people see: pictures, windows, pages and coloured files of saved explanations.

Loads neither TensorFlow nor, before something is drawn, Open3D, matplotlib or plotly.
"""

from tfxai3d.view._gallery import Gallery
from tfxai3d.view.colors import COLORMAPS, Colormap, color_range, point_colors
from tfxai3d.view.curves import render_bars, render_curves
from tfxai3d.view.drop_page import write_drop_page
from tfxai3d.view.feature_gallery import feature_gallery
from tfxai3d.view.filters import filter_gallery
from tfxai3d.view.gallery import open_gallery, render_gallery, write_gallery
from tfxai3d.view.page import write_html
from tfxai3d.view.panel import render_panel
from tfxai3d.view.panel_page import write_panel
from tfxai3d.view.plots import render_confusion, render_reliability
from tfxai3d.view.ply import write_ply
from tfxai3d.view.scene import open_window, render_png

__all__ = [
    "COLORMAPS",
    "Colormap",
    "Gallery",
    "color_range",
    "feature_gallery",
    "filter_gallery",
    "open_gallery",
    "open_window",
    "point_colors",
    "render_bars",
    "render_confusion",
    "render_curves",
    "render_gallery",
    "render_panel",
    "render_png",
    "render_reliability",
    "write_drop_page",
    "write_gallery",
    "write_html",
    "write_panel",
    "write_ply",
]
