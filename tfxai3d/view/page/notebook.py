"""An explained object where Python is used by hand: in a notebook, or in the browser."""

import html
import sys
import tempfile
import webbrowser
from pathlib import Path

from tfxai3d.results.explanation import Explanation
from tfxai3d.storage.leftovers import scratch_folder
from tfxai3d.view.page.object import write_html

_HEIGHT = 480  # pixels


def frame(explanation: Explanation, index: int = 0) -> str:
    """Returns the page of `write_html` as a frame that a notebook keeps, 60 kB or four bytes a voxel."""
    with scratch_folder() as folder:
        page = Path(folder, "object.html")
        write_html(page, explanation, index)
        content = html.escape(page.read_text(encoding="utf-8"))
    return f'<iframe srcdoc="{content}" style="width:100%;height:{_HEIGHT}px;border:0"></iframe>'


def show(explanation: Explanation, index: int = 0) -> None:
    """Shows the object in the notebook that runs this, else in a browser."""
    if "ipykernel" in sys.modules:
        from IPython.display import HTML, display

        display(HTML(frame(explanation, index)))
        return
    page = Path(tempfile.mkdtemp(), "object.html")
    write_html(page, explanation, index)
    webbrowser.open(page.as_uri())
