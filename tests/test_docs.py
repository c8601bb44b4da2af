"""The documentation keeps up with the code: a page for each method, with all of its parts."""

import importlib.util
from pathlib import Path

import pytest

from tfxai3d import explain

DOCS = Path(__file__).parents[1] / "docs"
SHARED = {"mean_field_shapley", "lrp"}  # their pages tell of more and are built otherwise


@pytest.mark.parametrize("method", sorted({*explain.method_names()} - SHARED))
def test_every_method_has_its_page(method):
    page = (DOCS / "methods" / f"{method}.md").read_text(encoding="utf-8")
    for part in (
        "## Formula",
        "## When to use it",
        "## Cost",
        "## Pitfalls",
        "## Source",
        f"--methods={method}",
    ):
        assert part in page, part
    assert explain.get(method).__name__ in page
    assert (DOCS / "pictures" / "methods" / f"{method}.png").is_file()


def test_the_list_of_methods_names_them_all():
    listed = (DOCS / "methods" / "index.md").read_text(encoding="utf-8")
    assert [
        method for method in explain.method_names() if f"`{method}`" not in listed and method != "lrp"
    ] == []


def test_the_picture_of_the_rooms_is_that_of_the_contract():
    spec = importlib.util.spec_from_file_location("rooms_picture", DOCS / "rooms_picture.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PICTURE.read_text(encoding="utf-8") == script.drawn()
