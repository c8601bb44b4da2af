"""What people see: pictures, windows, pages and coloured files of saved explanations.

Loads neither TensorFlow nor, before something is drawn, Open3D, matplotlib or plotly.
"""

from tfxai3d.view.page.drop_sequence import write_drop_page
from tfxai3d.view.page.panel import write_panel
from tfxai3d.view.page.single import write_html
from tfxai3d.view.picture.gallery import open_gallery, render_gallery, write_gallery
from tfxai3d.view.picture.panel import render_panel
from tfxai3d.view.picture.scene import open_window, render_png
from tfxai3d.view.plot.curves import render_bars, render_curves
from tfxai3d.view.plot.matrices import render_confusion, render_reliability
from tfxai3d.view.ply import write_ply
from tfxai3d.view.shown.colors import COLORMAPS, Colormap, color_range, point_colors
from tfxai3d.view.shown.features import feature_gallery
from tfxai3d.view.shown.filters import filter_gallery
from tfxai3d.view.shown.gallery import Gallery

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
