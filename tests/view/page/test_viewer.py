"""What the viewer does in a real browser, with real events of a mouse and a keyboard."""

import dataclasses

import numpy as np
import pytest

from tfxai3d.results.explanation import Explanation
from tfxai3d.view import point_colors, write_html, write_panel

TIP = "document.getElementById('tip')"


@pytest.fixture
def cross():
    """Seven points far apart, in a frame of their own."""
    points = np.array([[0, 0, 0], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]])
    importance = np.array([[0, 1, 2, 3, 4, 5, 6]], np.float32) / 10
    return Explanation(
        inputs=(100 * points + [1000, 20, -3])[None].astype(np.float32),
        attributions=np.repeat(importance[..., None], 3, axis=-1),
        importance=importance,
        target=np.array([0]),
        scores=np.array([[1.0, 0.0]], np.float32),
        method="p_grad_cam",
        options={},
    )


def drag(browser, x, y, **details):
    middle = {"x": 300, "y": 350}
    browser.mouse("mousePressed", **middle, button="left", clickCount=1, **details)
    browser.mouse("mouseMoved", 300 + x, 350 + y, button="left", buttons=1, **details)
    browser.mouse("mouseReleased", 300 + x, 350 + y, button="left", clickCount=1, **details)
    browser.settle()


def show(browser, path, explanation):
    write_html(path, explanation)
    browser.mouse("mouseMoved", 1, 1)
    browser.open(path.as_uri())
    assert browser.said == []


def sweep(browser, number, step):
    """Returns what the page says wherever a pointer goes on a canvas: {text: places}."""
    return browser.run(f"""(() => {{
      const canvas = document.querySelectorAll("canvas")[{number}], box = canvas.getBoundingClientRect();
      const tip = document.getElementById("tip"), found = {{}};
      for (let y = box.top + {step}; y < box.bottom; y += {step}) {{
        for (let x = box.left + {step}; x < box.right; x += {step}) {{
          canvas.dispatchEvent(new PointerEvent("pointermove", {{ clientX: x, clientY: y }}));
          if (!tip.hidden) (found[tip.textContent] ||= []).push([x, y]);
        }}
      }}
      return found;
    }})()""")


def test_hovering_says_number_place_and_importance(tmp_path, cross, browser):
    show(browser, tmp_path / "cross.html", cross)
    picture = browser.picture(tmp_path / "cross.png")
    found = sweep(browser, 0, 6)
    assert set(found) == {
        f"point {number}\nat {x:g}, {y:g}, {z:g}\nimportance {number / 10:g}"
        for number, (x, y, z) in enumerate(cross.inputs[0])
    }
    colors = point_colors(cross.importance[0])
    for text, places in found.items():  # the pixels there have the colour of that point, but for the light
        x, y = np.mean(places, axis=0).round().astype(int)
        seen = picture[y, x] / np.linalg.norm(picture[y, x])
        nearest = (colors / np.linalg.norm(colors, axis=1, keepdims=True)) @ seen
        assert nearest[int(text.split()[1])] > 0.9
    text, places = max(found.items(), key=lambda pair: len(pair[1]))
    browser.mouse("mouseMoved", *np.mean(places, axis=0))
    assert browser.run(f"{TIP}.textContent") == text
    browser.settle()
    assert np.abs(browser.picture(tmp_path / "cross.png") - picture).max() > 0.5  # a ring, and the words
    browser.mouse("mouseMoved", 1, 1)
    assert browser.run(f"{TIP}.hidden")


def test_hovering_reads_the_front_voxel(tmp_path, voxels, browser):
    show(browser, tmp_path / "voxels.html", voxels)
    pixels = browser.picture(tmp_path / "voxels.png")[100:500, :700]
    assert (np.ptp(pixels, axis=-1) > 0.25).mean() > 0.05
    found = sweep(browser, 0, 12)
    assert len(found) > 10
    for text in found:
        first, second = text.split("\n")
        place = tuple(int(number) for number in first.removeprefix("voxel ").split(", "))
        assert float(second.removeprefix("importance ")) == pytest.approx(
            voxels.importance[0][place], rel=1e-3
        )
    fronts = [tuple(map(int, text.split("\n")[0].removeprefix("voxel ").split(", "))) for text in found]
    assert max(z for *_, z in fronts) == 11  # the top of the table is seen from above,
    assert (8, 8, 9) not in fronts  # its underside is not


def test_drag_wheel_keys_and_double_click(tmp_path, explanation, browser):
    show(browser, tmp_path / "heat.html", explanation)

    def look():
        return browser.picture(tmp_path / "look.png")[110:500, :700]

    def area(image):
        return (image < 0.95).any(axis=-1).mean()

    start = look()
    drag(browser, 60, 0)
    assert np.abs(look() - start).mean() > 0.01
    browser.run("document.querySelector('canvas').focus()")
    for _ in range(6):  # 5 degrees each: back where it was
        browser.key("ArrowLeft")
    browser.settle()
    np.testing.assert_allclose(look(), start, atol=0.02)
    browser.key("ArrowUp")
    browser.settle()
    assert np.abs(look() - start).mean() > 0.002
    browser.key("Home")
    browser.settle()
    np.testing.assert_allclose(look(), start, atol=0.02)
    browser.mouse("mouseWheel", 300, 350, deltaX=0, deltaY=-400)
    browser.settle()
    assert area(look()) > 1.2 * area(start)
    browser.key("Home")
    drag(browser, 80, 0, modifiers=8)  # Shift
    moved = look()
    np.testing.assert_allclose(np.roll(start, 80, axis=1)[:, 200:600], moved[:, 200:600], atol=0.1)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            browser.mouse(kind, 60, 450, button="left", clickCount=count)
    browser.settle()
    np.testing.assert_allclose(look(), start, atol=0.02)
    assert browser.said == []


def test_fingers_rotate_zoom_and_read(tmp_path, explanation, browser):
    show(browser, tmp_path / "heat.html", explanation)

    def touch(kind, *places):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def area():
        browser.settle()
        return (browser.picture(tmp_path / "look.png")[110:500, :700] < 0.95).any(axis=-1).mean()

    def swipe(start, end):
        touch("touchStart", *start)
        touch("touchMove", *end)
        touch("touchEnd")

    start = area()
    swipe([(300, 300), (340, 300)], [(250, 300), (390, 300)])
    assert area() > 1.5 * start
    (text, places), *_ = sweep(browser, 0, 10).items()
    touch("touchStart", places[0])
    touch("touchEnd")
    assert browser.run(f"{TIP}.hidden ? '' : {TIP}.textContent") == text
    before = browser.picture(tmp_path / "before.png")
    swipe([(300, 300)], [(360, 300)])
    browser.settle()
    assert np.abs(browser.picture(tmp_path / "after.png") - before).mean() > 0.01
    assert browser.run(f"{TIP}.hidden")


def test_the_wheel_scrolls_a_page_of_several_cells(tmp_path, cross, browser):
    one = dataclasses.replace(cross, method="grad_cam")
    write_panel(tmp_path / "panel.html", [[cross, one]] * 6)
    browser.open((tmp_path / "panel.html").as_uri())
    browser.mouse("mouseWheel", 250, 350, deltaX=0, deltaY=300)
    browser.run("new Promise(done => setTimeout(done, 500))")
    assert browser.run("scrollY") > 100
    before = browser.picture(tmp_path / "page.png")
    on = browser.run("[300, 250, 200].find(y => document.elementFromPoint(300, y).matches('canvas'))")
    browser.mouse("mouseWheel", 250, on, deltaX=0, deltaY=-300, modifiers=2)  # Ctrl
    browser.settle()
    assert np.abs(browser.picture(tmp_path / "page.png") - before).mean() > 0.002
    assert browser.run("scrollY") > 100


def test_a_hovered_cell_of_a_panel_says_its_fraction_of_the_top(tmp_path, cross, browser):
    write_panel(tmp_path / "panel.html", [[cross]])
    browser.open((tmp_path / "panel.html").as_uri())
    itself, method = (sweep(browser, number, 5) for number in (0, 1))
    assert "point 5\nat 1000, 20, 97" in itself
    assert all("importance" not in text for text in itself)
    top = np.quantile(cross.importance[0][1:], 0.98)
    assert any(text.endswith(f"importance 0.3, {float(f'{0.3 / top:.4g}'):g} of the top") for text in method)
