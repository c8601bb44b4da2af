"""The server: who may ask, and that every answer is one."""

import asyncio
import dataclasses
import json
import re
import threading

import numpy as np
import pytest

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx2")
from starlette.testclient import TestClient  # noqa: E402

from tests.reference.pages import EVIL, data_of, unpacked  # noqa: E402
from tfxai3d.errors import UserError  # noqa: E402
from tfxai3d.explorer import HOST, Question, application, listen  # noqa: E402

TOKEN = "secret"
CLOUD = {"network": "points", "label": "cloud", "number": 0}
MOST = 5000


@pytest.fixture
def client(workbench, start, tmp_path):
    served = application(workbench, TOKEN, tmp_path, start, MOST)
    client = TestClient(served, base_url=f"http://{HOST}:1234")
    client.params = {"token": TOKEN}
    return client


@pytest.fixture
def refused(client):
    """Asks for what is refused, and returns the one sentence that says why."""

    def ask(path, status=400, **options):
        answer = client.post(path, **options)
        assert answer.status_code == status, answer.text
        assert list(answer.json()) == ["error"]
        said = answer.json()["error"]
        assert "\n" not in said
        assert "Traceback" not in said
        return said

    return ask


@pytest.mark.parametrize("path", ["/", "/about", "/show", "/step", "/upload", "/other"])
@pytest.mark.parametrize("token", ["", "secre", "secrets", "sécret"])
def test_without_the_token_nothing_is_said(workbench, start, tmp_path, path, token):
    client = TestClient(application(workbench, TOKEN, tmp_path, start), base_url=f"http://{HOST}")
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.request(method, path, params={"token": token} if token else {}, json=CLOUD)
        assert answer.status_code == 403
        assert answer.text.startswith("This address lacks its token")
    assert list(tmp_path.iterdir()) == []


def test_a_name_bent_to_this_machine_is_refused(client):
    for host in ("evil.example", "evil.example:1234", "127.0.0.1.evil.example"):
        assert client.get("/", headers={"Host": host}).status_code == 400
    assert client.get("/", headers={"Host": "localhost:1234"}).status_code == 200


def test_no_other_page_may_read_an_answer(client):
    answer = client.get("/", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert client.options("/show", headers=asked).status_code == 405


def test_the_page_fetches_nothing_from_elsewhere_and_holds_the_object(client):
    text = client.get("/").text
    assert "default-src 'none'" in text
    assert "connect-src 'self'" in text
    assert not re.search(r"(?:src|href)\s*=\s*[\"']", text.split("<body>")[1])
    found = data_of(text)
    assert (found["token"], found["most"], found["cells"][0]["count"]) == (TOKEN, MOST, 60)


def test_names_stay_text(workbench, start, tmp_path):
    evil = dataclasses.replace(start, networks=[EVIL], label=EVIL)
    client = TestClient(application(workbench, TOKEN, tmp_path, evil), base_url=f"http://{HOST}")
    text, plain = client.get("/", params={"token": TOKEN}).text, "<script"
    assert EVIL not in text
    assert text.count(plain) == 2


def test_a_network_says_what_it_has(client):
    points, voxels = (client.get("/about", params={"network": name}).json() for name in ("points", "voxels"))
    assert points["classes"] == ["chair", "cup", "lamp", "sofa", "table"]
    assert (points["labels"], voxels["labels"]) == (["cloud", "plane"], ["box"])
    methods = [{name for name, _ in one["methods"]} for one in (points, voxels)]
    assert methods[0] - methods[1] >= {"point_saliency", "critical_points"}
    assert ["deconvnet", "Deconvnet"] in points["methods"]


def test_an_object_is_shown_with_its_maps(client, workbench):
    methods = ["vanilla_gradient", "deconvnet"]
    answer = client.post("/show", json={**CLOUD, "methods": methods, "first": "least"}).json()
    assert (answer["kind"], answer["count"], answer["most"], answer["slices"]) == ("points", 60, 50, False)
    assert answer["html"].count("<canvas") == len(answer["cells"]) == 3
    assert "values" not in answer["cells"][0]
    goes = unpacked(answer["cells"][2]["goes"], "<i4")
    values = unpacked(answer["cells"][2]["values"], "<f4")
    assert sorted(goes) == list(range(60))
    assert (np.diff(values[np.argsort(goes)]) >= 0).all()  # the least important go first
    best = max(answer["answer"]["bars"], key=lambda row: row[1])
    assert (best[0], best[2]) == (answer["answer"]["predicted"], True)


def test_voxels_are_cubes_or_slices(client, workbench):
    box = {"network": "voxels", "label": "box", "methods": ["deconvnet"]}
    cubes, slices = (client.post("/show", json={**box, "slices": wanted}).json() for wanted in (False, True))
    assert cubes["cells"][1]["count"] == 4 * 6 * 3  # those inside as well, for they show when others are gone
    share = int(re.search(r"(\d+)% of the importance drawn", cubes["html"])[1])
    importance = np.abs(workbench.explained(Question("voxels", "box"), "deconvnet").importance[0])
    assert share == round(100 * importance[2:6, 1:7, 3:6].sum() / importance.sum())
    (volume,) = slices["volumes"]
    goes = unpacked(volume["maps"][0]["goes"], "<i4").reshape(8, 8, 8)
    assert (goes >= 0).sum() == 4 * 6 * 3
    by_cube = unpacked(cubes["cells"][1]["goes"], "<i4")
    places = unpacked(cubes["cells"][1]["places"], "<i4").reshape(-1, 3)
    np.testing.assert_array_equal(goes[tuple(places.T)], by_cube)
    assert [client.post("/show", json={**box, "number": n}).json()["slices"] for n in (0, 1)] == [False, True]


def test_steps_follow(client, workbench):
    rows = client.post("/step", json={**CLOUD, "methods": ["vanilla_gradient"], "removed": 20}).json()
    assert rows == workbench.remaining(Question.read(CLOUD), ["vanilla_gradient"], "most", 20)


def test_a_file_is_read_by_the_readers(client, tmp_path):
    cloud = np.random.default_rng(3).normal(size=(60, 3)).astype(np.float32)
    np.save(tmp_path / "mine.npy", cloud)
    content = (tmp_path / "mine.npy").read_bytes()
    kept = client.post("/upload", params={"name": "../../mine.npy"}, content=content).json()
    (path,) = [path for path in tmp_path.rglob("*.npy") if path != tmp_path / "mine.npy"]
    assert path.parent == tmp_path / kept["file"]
    answer = client.post("/show", json={**CLOUD, "file": kept["file"], "methods": []}).json()
    assert (answer["name"], answer["count"]) == (kept["name"], 60)


@pytest.mark.parametrize("name", ["a.ply", "a.npy", "a.h5", "a.off", "a.exe", "a", "..", ""])
def test_a_broken_file_is_one_sentence_without_a_path(client, refused, tmp_path, name):
    kept = client.post("/upload", params={"name": name}, content=b"no such format").json()
    said = refused("/show", json={**CLOUD, "file": kept["file"], "methods": []})
    assert str(tmp_path) not in said
    assert said.startswith(kept["name"])


def test_a_file_that_is_too_large_is_refused_and_not_kept(refused, tmp_path):
    said = refused("/upload", params={"name": "large.npy"}, content=bytes(MOST + 1))
    assert said == "large.npy: has more than the 5,000 bytes that the page takes; make it smaller"
    assert not list(tmp_path.rglob("*.npy"))


def test_mistakes_are_one_sentence(refused, workbench, monkeypatch):
    assert "'tree' is no class" in refused("/show", json={**CLOUD, "target": "tree"})
    assert "unknown method 'magic'" in refused("/show", json={**CLOUD, "methods": ["magic"]})
    assert "0 to 50" in refused("/step", json={**CLOUD, "methods": ["vanilla_gradient"], "removed": 51})
    assert "no question" in refused("/step", json={**CLOUD, "methods": 3})
    for content in (b"", b"[]", b"{", b"\xff", json.dumps({**CLOUD, "removed": "all"}).encode()):
        assert "no question" in refused("/step", content=content)

    def fails(*arguments):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(workbench, "laid", fails)
    assert refused("/show", 500, json=CLOUD) == "this did not work (RuntimeError: out of memory)"


def test_one_explanation_at_a_time_and_steps_do_not_wait(workbench, start, tmp_path, monkeypatch):
    explained, busy, most, gate = workbench.explained, [], [], threading.Event()

    def slow(question, method):
        busy.append(method)
        most.append(len(busy))
        assert gate.wait(20)
        busy.remove(method)
        return explained(question, method)

    served = application(workbench, TOKEN, tmp_path, start)
    workbench.remaining(Question.read(CLOUD), ["vanilla_gradient"], "most", 1)
    monkeypatch.setattr(workbench, "explained", slow)

    async def ask():
        transport = httpx.ASGITransport(served)
        options = {"base_url": f"http://{HOST}", "params": {"token": TOKEN}, "timeout": 30}
        async with httpx.AsyncClient(transport=transport, **options) as client:
            shown = [
                asyncio.create_task(client.post("/show", json={**CLOUD, "methods": [method]}))
                for method in ("vanilla_gradient", "deconvnet")
            ]
            while not busy:
                await asyncio.sleep(0.01)
            step = {**CLOUD, "methods": ["vanilla_gradient"], "removed": 3}
            assert (await client.post("/step", json=step)).status_code == 200
            assert not any(task.done() for task in shown)
            gate.set()
            return [(await task).status_code for task in shown]

    assert asyncio.run(ask()) == [200, 200]
    assert set(most) == {1}


def test_a_port_that_is_taken_is_one_line():
    with listen(0) as taken:
        assert taken.getsockname()[0] == HOST == "127.0.0.1"
        with pytest.raises(UserError, match=r"port=\d+: cannot be had \(.*\); give another, or 0"):
            listen(taken.getsockname()[1])
