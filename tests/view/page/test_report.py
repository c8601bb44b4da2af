"""Reports: one page that needs nothing beside it, in which foreign texts stay text."""

import base64
import re

from tfxai3d import view


def test_a_report_holds_its_texts_tables_pictures_and_links(tmp_path):
    picture = tmp_path / "plot.png"
    view.render_dots(picture, ["a", "b"], [1, 10], [0.1, 0.9], ("cost", "score"))
    section = view.Section(
        "One <two>", ["A & B"], ["name", "value"], [["<script>x</script>", 0.5]],
        [(picture, "what \"it\" is")], [("maps.html", "maps")],
    )  # fmt: skip
    view.write_report(tmp_path / "report.html", "A <title>", [section])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for text in (
        "A &lt;title&gt;",
        "One &lt;two&gt;",
        "A &amp; B",
        "&lt;script&gt;x&lt;/script&gt;",
        "<td>0.5</td>",
    ):
        assert text in page
    assert "<script" not in page
    assert '<a href="maps.html">maps</a>' in page
    (image,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert base64.b64decode(image) == picture.read_bytes()
    assert not re.findall(r'(?:src|href)="https?:', page)
