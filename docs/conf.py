"""How the documentation site is built: `sphinx-build -W docs out/docs`, or `nox -s docs`."""

import importlib.metadata
import os
import re
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "tfxai3d"
author = "The authors of tfxai3d"
release = importlib.metadata.version("tfxai3d")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "tfxai3d"

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # nox -s docs turns it on: the tutorials are run, and an error ends the build

autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": False}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
add_module_names = False
copybutton_prompt_text = r"\$ "


def setup(app: Any) -> None:
    """Has docstrings read as they are written: code between single backticks, bars as bars."""
    app.connect("autodoc-process-docstring", _as_code, priority=400)  # before napoleon


def _as_code(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]
    lines[:] = ["".join(_escaped(part) for part in re.split(r"(``[^`]*``)", line)) for line in lines]


def _escaped(text: str) -> str:
    return text if text.startswith("``") else re.sub(r"([|*_])", r"\\\1", text)
