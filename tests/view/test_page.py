import dataclasses
import html.parser
import shutil
import subprocess

import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import write_html

pytest.importorskip("plotly")
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
    assert '"showSendToCloud": false' in source
    assert source.startswith("<!DOCTYPE html>")


def test_says_what_is_shown(tmp_path, explanation):
    titled = dataclasses.replace(explanation, method_title="p-grad-CAM")
    page = _page(tmp_path / "heat.html", titled)
    assert "chair (score 9.25)" in page.text
    assert "p-grad-CAM, 256 points" in page.text
    wrong = _page(tmp_path / "wrong.html", explanation, 1)
    assert "stool (score 1.00), predicted chair" in wrong.text
    assert "mine" in _page(tmp_path / "mine.html", explanation, title="mine").text


def test_several_examples_share_one_plotly(tmp_path, explanation):
    page = _page(tmp_path / "heat.html", explanation, [0, 1], "green_red")
    assert [tag for tag, _ in page.tags].count("h1") == 2
    assert (tmp_path / "heat.html").stat().st_size < 6_000_000


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


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_chromium_draws_it_and_runs_no_foreign_script(tmp_path, explanation):
    from matplotlib.image import imread

    evil = dataclasses.replace(explanation, class_names=(EVIL, EVIL), method=EVIL[:60])
    write_html(tmp_path / "heat.html", evil)
    command = [
        "chromium", "--headless", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}", "--window-size=900,700",
        "--virtual-time-budget=15000",
    ]  # fmt: skip
    page = (tmp_path / "heat.html").as_uri()
    shot = tmp_path / "page.png"
    subprocess.run([*command, f"--screenshot={shot}", page], capture_output=True, timeout=60, check=True)
    pixels = imread(shot)[100:, :750, :3]  # without the title and the colour bar
    coloured = np.ptp(pixels, axis=-1) > 0.25
    assert coloured.mean() > 0.01
    assert len(np.unique(pixels[coloured], axis=0)) > 30
    dom = subprocess.run([*command, "--dump-dom", page], capture_output=True, timeout=60, check=True).stdout
    assert b"<canvas" in dom
    assert b"<title>HACKED" not in dom
