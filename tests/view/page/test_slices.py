"""What a page of volumes holds, and what it does in a real browser."""

import base64
import io
import re

import numpy as np
import pytest
from scipy import ndimage

from tests.reference.pages import EVIL, data_of, unpacked
from tests.reference.volumes import AFFINE, LESION, SHAPE, body, explained, inside
from tfxai3d.view import write_html, write_panel
from tfxai3d.view.page import slices
from tfxai3d.view.shown.slices import sliced

imread = pytest.importorskip("matplotlib.image").imread
TWO = np.stack([body(), -body()], axis=-1)


@pytest.fixture
def noisy():
    return explained(inside() + np.random.default_rng(1).gamma(1, 0.01, SHAPE))


def page(path, write, *arguments, **options):
    write(path, *arguments, **options)
    return path.read_text(encoding="utf-8")


def test_the_page_holds_values_and_map_and_fetches_nothing(tmp_path, noisy):
    text = page(tmp_path / "ct.html", write_html, noisy)
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)\s*=\s*[\"']", text.split("<body>")[1])
    (volume,) = data_of(text)["volumes"]
    (values,) = (unpacked(part, "<u2").reshape(SHAPE) for part in volume["values"])
    low, high = volume["ranges"][0]
    turned = np.flip(noisy.inputs[0, ..., 0], 0)  # the voxels of the file run to the left
    np.testing.assert_allclose(low + (high - low) * values / 65535, turned, atol=(high - low) / 65535)
    (one,) = volume["maps"]
    importance = one["top"] * unpacked(one["importance"], "<i2").reshape(SHAPE) / 32767
    np.testing.assert_allclose(importance, np.flip(noisy.importance[0], 0), atol=one["top"] / 32767)
    assert len(text) < 4 * turned.size + 60_000


def test_a_page_of_too_many_voxels_shows_blocks_and_what_is_strongest_in_each(tmp_path, noisy, monkeypatch):
    monkeypatch.setattr(slices, "MOST", 40 * 32 * 24 // 8 - 1)  # three voxels a side
    text = page(tmp_path / "ct.html", write_html, noisy)
    assert "in blocks of 3 a side" in text
    (volume,) = data_of(text)["volumes"]
    assert (volume["shape"], volume["side"]) == ([14, 11, 8], 3)
    one = volume["maps"][0]
    found = one["top"] * unpacked(one["importance"], "<i2").reshape(14, 11, 8) / 32767
    turned, (i, j, k) = np.flip(noisy.importance[0], 0), (4, 10, 2)
    block = turned[3 * i : 3 * i + 3, 3 * j : 3 * j + 3, 3 * k : 3 * k + 3]
    assert found[i, j, k] == pytest.approx(block.max(), abs=1e-4)
    assert found.max() == pytest.approx(turned.max(), rel=1e-4)
    assert found[tuple(volume["place"])] == found.max()


def test_the_page_escapes_every_name(tmp_path):
    evil = explained(class_names=(EVIL, EVIL), method=EVIL)
    text = page(tmp_path / "evil.html", write_panel, [[evil]], [EVIL])
    plain = page(tmp_path / "plain.html", write_panel, [[explained()]], ["a"])
    assert EVIL not in text
    assert text.count("<script") == plain.count("<script")
    assert "<img" not in text


def show(browser, path, write, *arguments, **options):
    page(path, write, *arguments, **options)
    browser.mouse("mouseMoved", 1, 1)
    browser.open(path.as_uri())
    assert browser.said == []


def pixels(browser, number):
    """Returns what a canvas shows, (H,W,3) in 0..255."""
    address = browser.run(f"document.querySelectorAll('canvas')[{number}].toDataURL()")
    image = imread(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    return np.round(255 * image[..., :3]).astype(int)


def is_hot(image):
    """Where an image has the colour of inferno's top."""
    red, green, blue = np.moveaxis(image, -1, 0)
    return (red > 210) & (green > 210) & (blue < 165) & (blue > 100)


def hottest(image):
    """Returns the middle of what is hot, as fractions to the right and up."""
    rows, columns = np.nonzero(is_hot(image))
    assert len(rows) > 20
    return columns.mean() / image.shape[1], 1 - rows.mean() / image.shape[0]


def test_chromium_opens_at_the_lesion(tmp_path, noisy, browser):
    show(browser, tmp_path / "ct.html", write_html, noisy)
    assert browser.fetched == [(tmp_path / "ct.html").as_uri()]
    # Right and front are on the left, and the file's first axis runs to the left: as in the picture.
    x, y, z = (np.array(LESION) + 0.5) / SHAPE
    for number, place in enumerate([(x, y), (x, z), (1 - y, z)]):
        np.testing.assert_allclose(hottest(pixels(browser, number)), place, atol=0.03)
    labels = browser.run("[...document.querySelectorAll('figcaption')].map(one => one.textContent)")
    i, j, k = np.unravel_index(noisy.importance[0].argmax(), SHAPE)
    assert labels == [f"axial, k = {k}", f"coronal, j = {j}", f"sagittal, i = {i}"]
    sides = browser.run(
        "[...document.querySelectorAll('canvas')].map(one => one.getBoundingClientRect())"
        ".map(box => box.width / box.height)"
    )
    width, depth, height = SHAPE * np.linalg.norm(AFFINE[:3, :3], axis=0)
    np.testing.assert_allclose(sides, [width / depth, width / height, depth / height], rtol=0.03)


def test_no_voxel_is_lost_on_a_small_screen(tmp_path, browser):
    values = np.random.default_rng(0).normal(size=(900, 900, 2, 1)).astype(np.float32)
    importance = np.zeros(values.shape[:3])
    importance[5::90, 5::90, 1] = 1  # a hundred
    show(browser, tmp_path / "wide.html", write_html, explained(importance, values, None))
    assert ndimage.label(is_hot(pixels(browser, 0)))[1] >= 75  # but for those below cross and letters


def test_sliders_window_channel_and_projection(tmp_path, browser):
    spread = explained(inside(radius=9) * np.linspace(0, 1, SHAPE[2]), TWO)
    show(browser, tmp_path / "ct.html", write_html, spread, window=(-200, 300))
    held = "document.querySelector('.held').textContent"

    def change(selector, value, kind="input"):
        browser.run(f"""(() => {{
          const one = document.querySelector({selector!r});
          one.{"checked" if isinstance(value, bool) else "value"} = {str(value).lower()};
          one.dispatchEvent(new Event("{kind}"));
        }})()""")
        browser.settle()

    start = pixels(browser, 0)
    share = browser.run(held)
    assert share == sliced(spread, 0, None).held()
    change("figure input", 20)
    assert browser.run("document.querySelector('figcaption').textContent") == "axial, k = 20"
    moved = pixels(browser, 0)
    coloured = [(np.ptp(image, axis=-1) > 60).mean() for image in (start, moved)]
    assert coloured[1] < 0.3 * coloured[0]  # the cross is left
    assert browser.run(held) != share
    change("[name=high]", 1000)  # white is 900 in the place of 300
    dark = pixels(browser, 0).mean()
    assert dark < 0.8 * moved.mean()
    change("[name=channel]", 1, "change")
    assert pixels(browser, 0).mean() != pytest.approx(dark, rel=0.2)
    change("[name=projected]", True, "change")
    assert (np.ptp(pixels(browser, 0), axis=-1) > 60).mean() > 0.005
    assert browser.run("document.querySelector('figcaption').textContent") == "axial, maximum projection"
    change("[name=projected]", False, "change")
    browser.run("document.querySelector('button').click()")
    browser.settle()
    assert browser.run(held) == share
    assert browser.said == []


def test_a_press_goes_there_and_hovering_reads(tmp_path, noisy, browser):
    show(browser, tmp_path / "panel.html", write_panel, [[noisy, noisy]], ["a"])
    box = browser.run("document.querySelector('canvas').getBoundingClientRect().toJSON()")
    i, j = 4, 25
    x, y = (
        box["left"] + box["width"] * (i + 0.5) / SHAPE[0],
        box["bottom"] - box["height"] * (j + 0.5) / SHAPE[1],
    )
    browser.mouse("mouseMoved", x, y)
    tip = browser.run("document.getElementById('tip').textContent").split("\n")
    at = (i, j, int(np.unravel_index(noisy.importance[0].argmax(), SHAPE)[2]))
    assert tip[0] == f"voxel {i}, {j}, {at[2]}"
    there = [float(part) for part in re.findall(r"-?[\d.]+", tip[1])]
    np.testing.assert_allclose(there, (AFFINE @ [*at, 1])[:3], rtol=1e-3)
    assert float(tip[2].removeprefix("value ")) == pytest.approx(noisy.inputs[0][at][0], abs=0.1)
    importance = float(tip[3].removeprefix("importance ").split(",")[0])
    assert importance == pytest.approx(noisy.importance[0][at], abs=1e-4)
    for kind in ("mousePressed", "mouseReleased"):
        browser.mouse(kind, x, y, button="left", buttons=1, clickCount=1)
    browser.settle()
    labels = browser.run("[...document.querySelectorAll('figcaption')].map(one => one.textContent)")
    assert labels[1:3] == labels[4:6] == [f"coronal, j = {j}", f"sagittal, i = {i}"]
