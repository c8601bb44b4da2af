import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.view import (
    render_bars,
    render_curves,
)

pytest.importorskip("matplotlib")

CURVES = {
    "highest": {"points": np.array([40, 30, 20]), "accuracy": np.array([1, 0.7, 0.2])},
    "random & <co>": {"points": np.array([40, 20]), "accuracy": np.array([1, 0.9])},
}


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("x", ["points", "points_removed"])
def test_curves(tmp_path, suffix, x):
    path = tmp_path / f"curves.{suffix}"
    render_curves(path, CURVES, "accuracy", x, "some $title")
    render_curves(path, {f"object {i}": CURVES["highest"] for i in range(12)}, "accuracy")
    assert path.read_bytes().startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])


def test_curves_are_drawn_where_they_belong(tmp_path, monkeypatch):
    from tfxai3d.view import plot

    drawn = []
    monkeypatch.setattr(plot, "save", lambda figure, path, **_: drawn.append(figure.axes[0]))
    render_curves(tmp_path / "a.png", CURVES, "accuracy")
    assert [line.get_label() for line in drawn[0].lines] == list(CURVES)
    np.testing.assert_array_equal(drawn[0].lines[0].get_xdata(), [0, 10, 20])
    render_bars(tmp_path / "b.png", ["chair", "cup"], [3.0, 5.0], "seconds")
    assert [bar.get_height() for bar in drawn[1].patches] == [3, 5]
    assert drawn[1].lines[0].get_ydata()[0] == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: render_curves(path / "a.gif", CURVES, "accuracy"), r"\.png or \.svg"),
        (lambda path: render_curves(path / "a.png", {}, "accuracy"), "no curves"),
        (lambda path: render_curves(path / "a.png", CURVES, "warmth"), "'highest' has no column 'warmth'"),
        (lambda path: render_bars(path / "a.png", [], [], "seconds"), "no bars"),
    ],
)
def test_mistakes_leave_no_picture(tmp_path, call, message):
    with pytest.raises(UserError, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())
