"""The page in a real browser, on a real server: load, choose, slide, hover, a broken file, two tabs."""

import threading

import numpy as np
import pytest

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from tfxai3d.explorer import HOST, Question, Start, application, listen  # noqa: E402

READY = "document.getElementById('working').textContent === '' && document.querySelector('#whole b')"
BARS = "[...document.querySelectorAll('#cards .bars')].map(one => one.innerText)"
ERROR = "document.getElementById('error').hidden ? '' : document.querySelector('#error span').textContent"


@pytest.fixture(scope="module")
def address(workbench, tmp_path_factory):
    """A server for all tests, on a port of its own."""
    start = Start(
        networks=["points", "voxels", "missing"],
        label="cloud",
        exhibit=workbench.exhibits.embedded("cloud", 0, None),
        methods=["vanilla_gradient", "deconvnet"],
    )
    waiting = listen(0)
    served = application(workbench, "secret", tmp_path_factory.mktemp("uploads"), start, 100_000)
    server = uvicorn.Server(uvicorn.Config(served, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([waiting],))
    thread.start()
    yield f"http://{HOST}:{waiting.getsockname()[1]}/?token=secret"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


@pytest.fixture
def page(browser, address):
    """The page, with its first object and both maps."""
    browser.mouse("mouseMoved", 1, 1)
    browser.open(address)
    browser.wait(f"{READY} && document.querySelectorAll('#cards .bars :first-child').length === 2")
    yield browser
    assert browser.said == []
    assert {url.partition("?")[0].rpartition(":")[0] for url in browser.fetched} == {f"http://{HOST}"}


def change(browser, name, value):
    browser.run(f"""(() => {{
      const one = document.getElementById("asked").elements[{name!r}];
      one.{"checked" if isinstance(value, bool) else "value"} = {
        str(value).lower() if isinstance(value, bool) else repr(value)
    };
      one.dispatchEvent(new Event("change", {{ bubbles: true }}));
    }})()""")


def slide(browser, count):
    browser.run(f"""(() => {{
      const slider = document.getElementById("removed");
      slider.value = {count};
      slider.dispatchEvent(new Event("input"));
    }})()""")
    browser.wait(f"document.getElementById('cards').dataset.removed === '{count}'")


def dark(browser, number):
    """Returns how much ink is on a canvas."""
    browser.settle()
    return browser.run(f"""(() => {{
      const one = document.querySelectorAll("#cards canvas")[{number}];
      const all = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
      return all.reduce((sum, value) => sum + 255 - value, 0);
    }})()""")


def test_the_first_picture_needs_no_network(browser, address, workbench, monkeypatch, tmp_path):
    gate = threading.Event()
    about = workbench.about
    monkeypatch.setattr(workbench, "about", lambda name: (gate.wait(30), about(name))[1])
    browser.open(address)
    try:
        assert "The network is loading" in browser.run("document.getElementById('said').textContent")
        image = browser.picture(tmp_path / "first.png")[60:400, 290:560]
        assert (image < 0.9).any(axis=-1).mean() > 0.02
    finally:
        gate.set()
    browser.wait(READY)


def test_load_choose_and_ask_why(page):
    titles = page.run("[...document.querySelectorAll('article h2')].map(one => one.textContent)")
    assert titles == ["The object", "Deconvnet", "Vanilla gradient"]
    assert page.run("document.getElementById('said').textContent").startswith("cloud 0 is seen as ")
    change(page, "number", 1)
    page.wait(f"{READY} && document.getElementById('said').textContent.startsWith('cloud 1')")
    change(page, "target", "lamp")
    page.wait(f"{READY} && document.getElementById('said').textContent.includes('asked why lamp')")
    page.run("document.querySelector('#methods input[value=point_saliency]').click()")
    page.wait(f"{READY} && document.querySelectorAll('#cards .bars :first-child').length === 3")
    change(page, "target", "tree")
    page.wait(f"({ERROR}).includes(\"'tree' is no class of the model\")")
    change(page, "target", "")
    page.wait(f"{READY} && ({ERROR}) === ''")
    change(page, "network", "missing")
    page.wait(f"({ERROR}).includes('nowhere.keras: no such file')")
    page.said.clear()  # browsers write what is refused to the console


def test_sliding_takes_points_away_and_the_answers_follow(page, workbench):
    methods = ["deconvnet", "vanilla_gradient"]
    question = Question("points", "cloud")
    before = page.run(BARS)
    whole = [dark(page, number) for number in (0, 1)]
    slide(page, 40)
    rows = workbench.remaining(question, methods, "most", 40)
    after = page.run(BARS)
    for text, row in zip(after, rows, strict=True):
        assert all(f"{100 * chance:.1f}%" in text for _, chance, _ in row["bars"])
    assert after != before
    assert page.run("document.querySelector('#slider output').textContent") == "40 of 60 points (67%)"
    left = [dark(page, number) for number in (0, 1)]
    assert left[0] == whole[0]
    assert left[1] < 0.9 * whole[1]  # ghosts are pale
    change(page, "first", "least")
    rows = workbench.remaining(question, methods, "least", 40)
    page.wait(f"{BARS}[0].includes('{100 * rows[0]['confidence']:.1f}%')")
    slide(page, 0)
    assert page.run(BARS) == before


def test_hovering_reads_a_point_of_a_map(page):
    found = page.run("""(() => {
      const canvas = document.querySelectorAll("#cards canvas")[1], box = canvas.getBoundingClientRect();
      const tip = document.getElementById("tip"), found = {};
      for (let y = box.top; y < box.bottom; y += 8) for (let x = box.left; x < box.right; x += 8) {
        canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y }));
        if (!tip.hidden) found[tip.textContent] = [x, y];
      }
      return found;
    })()""")
    assert len(found) > 20
    text, (x, y) = next(iter(found.items()))
    page.mouse("mouseMoved", 1, 1)
    page.mouse("mouseMoved", x, y)
    assert page.run("document.getElementById('tip').textContent") == text
    words = text.split("\n")
    assert words[0].startswith("point ")
    assert words[2].startswith("importance ")
    assert words[3].startswith("goes as number ")


def test_voxels_as_cubes_and_slices(page, workbench):
    change(page, "network", "voxels")
    page.wait(f"{READY} && document.getElementById('said').textContent.startsWith('box 0')")
    page.wait("document.querySelectorAll('article').length === 3")
    change(page, "slices", True)
    page.wait(f"{READY} && document.querySelectorAll('[data-map] canvas').length === 6")
    page.settle()
    hole = """(() => {
      const one = document.querySelector("[data-map] canvas");
      const all = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
      let found = 0;
      for (let i = 0; i < all.length; i += 4) {
        found += all[i] === 78 && all[i + 1] === 66 && all[i + 2] === 110;
      }
      return found;
    })()"""
    assert page.run(hole) == 0
    slide(page, 71)
    page.settle()
    assert page.run(hole) > 100
    (row,) = workbench.remaining(Question("voxels", "box"), ["vanilla_gradient"], "most", 71)
    assert f"{100 * row['confidence']:.1f}%" in page.run(BARS)[1]


def test_files_good_broken_and_too_large(page, tmp_path):
    cloud = np.random.default_rng(5).normal(size=(60, 3)).astype(np.float32)
    np.save(tmp_path / "mine.npy", cloud)
    (tmp_path / "broken.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 1000000000\n")
    (tmp_path / "large.npy").write_bytes(bytes(100_001))
    page.choose_file("[name=file]", tmp_path / "mine.npy")
    page.wait(f"{READY} && document.getElementById('said').textContent.startsWith('mine.npy')")
    page.wait("document.querySelectorAll('#cards .bars :first-child').length === 2")
    page.choose_file("[name=file]", tmp_path / "large.npy")
    page.wait(f"({ERROR}).startsWith('large.npy has more than the ')")
    page.choose_file("[name=file]", tmp_path / "broken.ply")
    page.wait(f"({ERROR}).startsWith('broken.ply: ')")
    said = page.run(ERROR)
    assert "Traceback" not in said
    assert "/" not in said
    page.run("document.querySelector('[name=back]').click()")
    page.wait(f"{READY} && ({ERROR}) === ''")
    assert page.run("document.getElementById('said').textContent").startswith("cloud 0")
    page.said.clear()  # browsers write what is refused to the console


def test_two_tabs_do_not_disturb_each_other(page, address):
    other = page.new_tab(address)
    page.wait(f"{READY} && document.querySelectorAll('#cards .bars :first-child').length === 2")
    change(page, "label", "plane")
    page.wait(f"{READY} && document.getElementById('said').textContent.startsWith('plane 0')")
    page.wait("document.querySelectorAll('#cards .bars :first-child').length === 2")
    slide(page, 33)
    planes = page.run(BARS)
    second = page.turn_to(other)
    assert page.run("document.getElementById('said').textContent").startswith("cloud 0")
    slide(page, 21)
    clouds = page.run(BARS)
    assert clouds != planes
    page.turn_to(second)
    assert page.run(BARS) == planes
    page.call("Page.close")
    page.turn_to(other)


def test_narrow_windows_need_no_sideways_scrolling(page):
    page.call("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=1, mobile=False)
    try:
        page.settle()
        assert page.run("document.documentElement.scrollWidth") <= 420
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")
