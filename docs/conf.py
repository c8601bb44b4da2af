"""How the site is built: by `nox -s docs`, or by `sphinx-build docs out/docs`, which runs no tutorial."""

import importlib.metadata
import os
import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "tfxai3d"
author = "The authors of tfxai3d"
copyright = author
release = importlib.metadata.version("tfxai3d")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "tfxai3d"
html_static_path = ["_static"]
html_css_files = ["site.css"]

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # nox -s docs turns it on: the tutorials are run, and an error ends the build
suppress_warnings = ["myst-nb.lexer"]  # which knows the language of notebooks that were run
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_in_temp = True
nb_execution_timeout = 600  # seconds a cell, on a busy machine
nb_merge_streams = True
nb_output_stderr = "remove"  # what TensorFlow says when it starts

html_math_renderer = "mathml"  # browsers draw it themselves: the site needs no network

autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": False}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
add_module_names = False
copybutton_prompt_text = r"\$ "


def setup(app: Any) -> None:
    """Has docstrings read as they are written, and formulas drawn without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    app.connect("autodoc-process-docstring", _as_code, priority=400)  # before napoleon


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _displayed(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def _as_code(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line) for line in lines]
    lines[:] = ["".join(_escaped(part) for part in re.split(r"(``[^`]*``)", line)) for line in lines]


def _escaped(text: str) -> str:
    return text if text.startswith("``") else re.sub(r"([|*_])", r"\\\1", text)
