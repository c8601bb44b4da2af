import dataclasses
import html.parser

import numpy as np
import pytest

from tests.reference.pages import cells_of
from tfxai3d.errors import UserError
from tfxai3d.view import point_colors, write_html
from tfxai3d.view.shown.subject import subject

EVIL = "</script><script>document.title='HACKED'</script><img src=x onerror=\"document.title='HACKED'\">&amp;"


class _Reader(html.parser.HTMLParser):
    """Collects tags and the text outside scripts, as a browser splits them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data


def _page(path, *arguments, **options):
    write_html(path, *arguments, **options)
    return _Reader(path.read_text(encoding="utf-8"))


def test_is_self_contained(tmp_path, explanation):
    page = _page(tmp_path / "heat.html", explanation)
    assert not page.open
    assert not [tag for tag, _ in page.tags if tag in ("link", "img", "iframe", "object", "base")]
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & attrs.keys()]
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert "default-src 'none'" in policy
    assert "http" not in policy
    source = (tmp_path / "heat.html").read_text(encoding="utf-8")
    assert source.index("http-equiv") < source.index("<script>")
    assert source.startswith("<!DOCTYPE html>")


def test_says_what_is_shown(tmp_path, explanation):
    titled = dataclasses.replace(explanation, method_title="p-grad-CAM")
    page = _page(tmp_path / "heat.html", titled)
    assert "chair (score 9.25)" in page.text
    assert "p-grad-CAM, 256 points" in page.text
    wrong = _page(tmp_path / "wrong.html", explanation, 1)
    assert "stool (score 1.00), predicted chair" in wrong.text
    assert "mine" in _page(tmp_path / "mine.html", explanation, title="mine").text


def test_several_examples_share_one_viewer(tmp_path, explanation):
    page = _page(tmp_path / "heat.html", explanation, [0, 1], "green_red")
    assert [tag for tag, _ in page.tags].count("h1") == 2
    assert (tmp_path / "heat.html").read_text(encoding="utf-8").count("void main()") == 2


@pytest.mark.parametrize("by", ["class_names", "method", "method_title", "title"])
def test_escapes_every_name(tmp_path, explanation, by):
    plain = _page(tmp_path / "plain.html", explanation)
    title = EVIL if by == "title" else None
    if by == "class_names":
        explanation = dataclasses.replace(explanation, class_names=(EVIL, EVIL))
    if by in ("method", "method_title"):
        explanation = dataclasses.replace(explanation, **{by: EVIL})
    evil = _page(tmp_path / "evil.html", explanation, title=title)
    assert [tag for tag, _ in evil.tags] == [tag for tag, _ in plain.tags]
    assert "<script>document" in evil.text
    source = (tmp_path / "evil.html").read_text(encoding="utf-8")
    assert EVIL not in source
    assert "<img src=x" not in source


def test_refuses_bad_examples(tmp_path, explanation):
    for index in (2, -1, [], [0, 7]):
        with pytest.raises(UserError):
            write_html(tmp_path / "heat.html", explanation, index)
    broken = dataclasses.replace(explanation, importance=explanation.importance * np.nan)
    with pytest.raises(UserError):
        write_html(tmp_path / "heat.html", broken)
    assert not list(tmp_path.iterdir())


def test_the_page_holds_the_marks(tmp_path, explanation, voxels):
    write_html(tmp_path / "heat.html", explanation, [1, 0])
    for cell, number in zip(
        cells_of((tmp_path / "heat.html").read_text(encoding="utf-8")), (1, 0), strict=True
    ):
        np.testing.assert_array_equal(cell["centres"], explanation.inputs[number])
        np.testing.assert_array_equal(cell["values"], explanation.importance[number])
        np.testing.assert_array_equal(cell["places"][:, 0], np.arange(256))
        shown = subject(explanation, number, "magma_r")
        colors = point_colors(explanation.importance[number], "magma_r", shown.limits)
        np.testing.assert_array_equal(cell["colors"], np.round(255 * colors))
        np.testing.assert_allclose(cell["sizes"], shown.marks.sizes, rtol=1e-6)  # as in the PNG
    write_html(tmp_path / "voxels.html", voxels)
    (cell,) = cells_of((tmp_path / "voxels.html").read_text(encoding="utf-8"))
    np.testing.assert_array_equal(cell["values"], voxels.importance[0][tuple(cell["places"].T)])


def test_pages_are_small(tmp_path, explanation, voxels):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(1, 2048, 3)).astype(np.float32)
    heat = rng.gamma(1.0, 1.0, (1, 2048)).astype(np.float32)
    cloud = dataclasses.replace(
        explanation, inputs=points, importance=heat, attributions=np.repeat(heat[..., None], 3, axis=-1),
        target=explanation.target[:1], scores=explanation.scores[:1],
    )  # fmt: skip
    write_html(tmp_path / "points.html", cloud)
    occupied = rng.random((1, 32, 32, 32)) < 0.3
    heat = rng.random(occupied.shape, np.float32)  # half of empty space is shown, more than ever in practice
    grid = dataclasses.replace(
        voxels, inputs=occupied[..., None].astype(np.float32), importance=heat, attributions=heat[..., None]
    )
    write_html(tmp_path / "voxels.html", grid)
    assert (tmp_path / "points.html").stat().st_size < 100_000
    assert (tmp_path / "voxels.html").stat().st_size < 500_000


def test_chromium_draws_points_and_runs_no_foreign_script(tmp_path, explanation, browser):
    evil = dataclasses.replace(explanation, class_names=(EVIL, EVIL), method=EVIL[:60])
    write_html(tmp_path / "heat.html", evil)
    browser.open((tmp_path / "heat.html").as_uri())
    pixels = browser.picture(tmp_path / "page.png")[100:, :700]  # without the title and the colour bar
    coloured = np.ptp(pixels, axis=-1) > 0.25
    assert coloured.mean() > 0.01
    assert len(np.unique(pixels[coloured], axis=0)) > 30
    assert browser.run("document.title").startswith("</script>")
    assert browser.said == []
    assert browser.fetched == [(tmp_path / "heat.html").as_uri()]
