"""What people see: pictures, windows, pages and coloured files of saved explanations.

Loads neither TensorFlow nor, before something is drawn, Open3D, or matplotlib.
"""

from typing import TYPE_CHECKING

from tfxai3d._lazy import lazy

if TYPE_CHECKING:
    from tfxai3d.view.page.drop_sequence import write_drop_page as write_drop_page
    from tfxai3d.view.page.gallery import write_gallery as write_gallery
    from tfxai3d.view.page.object import write_html as write_html
    from tfxai3d.view.page.panel import write_panel as write_panel
    from tfxai3d.view.page.report import Section as Section
    from tfxai3d.view.page.report import write_report as write_report
    from tfxai3d.view.picture.gallery import open_gallery as open_gallery
    from tfxai3d.view.picture.gallery import render_gallery as render_gallery
    from tfxai3d.view.picture.object import open_window as open_window
    from tfxai3d.view.picture.object import render_png as render_png
    from tfxai3d.view.picture.panel import render_panel as render_panel
    from tfxai3d.view.plot import render_bars as render_bars
    from tfxai3d.view.plot import render_confusion as render_confusion
    from tfxai3d.view.plot import render_curves as render_curves
    from tfxai3d.view.plot import render_reliability as render_reliability
    from tfxai3d.view.ply import write_ply as write_ply
    from tfxai3d.view.shown.colors import COLORMAPS as COLORMAPS
    from tfxai3d.view.shown.colors import Colormap as Colormap
    from tfxai3d.view.shown.colors import color_range as color_range
    from tfxai3d.view.shown.colors import point_colors as point_colors
    from tfxai3d.view.shown.features import feature_gallery as feature_gallery
    from tfxai3d.view.shown.filters import filter_gallery as filter_gallery
    from tfxai3d.view.shown.gallery import Gallery as Gallery
    from tfxai3d.view.tables import render_cells as render_cells
    from tfxai3d.view.tables import render_dots as render_dots

__getattr__, __dir__ = lazy(__name__)
