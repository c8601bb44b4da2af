import json
import os
import stat

import h5py
import numpy as np
import pytest

from tfxai3d import storage
from tfxai3d.errors import UserError
from tfxai3d.storage.writing import atomic_folder, atomic_path, file_name, write_json


def test_the_file_appears_when_the_block_succeeds(tmp_path):
    path = tmp_path / "a" / "b" / "result.tar.gz"
    with atomic_path(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".gz"
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "result.txt"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write here"), atomic_path(tmp_path / "file" / "result.txt"):
        pytest.fail("the block must not run")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.skipif(os.name != "posix", reason="permissions are a POSIX matter")
def test_the_file_is_as_readable_as_any_other(tmp_path):
    with atomic_path(tmp_path / "ours") as temporary:
        temporary.write_text("x")
    (tmp_path / "plain").write_text("x")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")}
    assert len(modes) == 1


def test_json(tmp_path):
    content = {"name": 'Stühle, "椅子"', "values": [1, 2.5, None]}
    write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == content


def test_what_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", [object()])
    assert json.loads((tmp_path / "a.json").read_text()) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_folder_is_replaced_when_the_block_succeeds(tmp_path):
    path = tmp_path / "a" / "model.v1"
    for text in ("first", "second"):
        with atomic_folder(path) as temporary:
            assert temporary.parent.parent == path.parent
            (temporary / "graph.pb").write_text(text)
            (temporary / text).touch()
            assert not (path / text).exists()
        assert (path / "graph.pb").read_text() == text
    assert sorted(item.name for item in path.iterdir()) == ["graph.pb", "second"]
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_block_leaves_the_old_folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "graph.pb").write_text("old")

    def fail():
        with atomic_folder(tmp_path / "model") as temporary:
            (temporary / "graph.pb").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "model" / "graph.pb").read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["model"]
    with (
        pytest.raises(UserError, match="cannot write here"),
        atomic_folder(tmp_path / "model" / "graph.pb" / "model"),
    ):
        pytest.fail("the block must not run")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("chair_0", "chair_0"),
        ("night stand é", "night stand é"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\windows", "C__windows"),
        ("a\x00b\nc", "a_b_c"),
        ("x" * 300, "x" * 200),
    ],
)
def test_names_of_files_stay_in_their_folder(text, name, tmp_path):
    assert file_name(text) == name
    assert (tmp_path / file_name(text)).resolve().parent == tmp_path.resolve()


def _fill_text(path):
    storage.write_text(path, "x" * 100_000)


def _fill_csv(path):
    storage.write_csv(path, [{"x": "x" * 100_000}])


def _fill_npz(path):
    storage.write_npz(path, {"x": np.zeros(100_000)}, compressed=False)


def _fill_h5(path):
    with storage.atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file["x"] = np.zeros(100_000)


def _fill_folder(path):
    with storage.atomic_folder(path) as folder:
        _fill_text(folder / "text")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no limit of the sizes of files")
@pytest.mark.parametrize("fill", [_fill_text, _fill_csv, _fill_npz, _fill_h5, _fill_folder])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, fill):
    import resource

    path = tmp_path / "result"
    if fill is _fill_folder:
        path.mkdir()
    else:
        path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))  # what a full disk does, without one
    try:
        with pytest.raises(
            UserError, match=r"result.*: cannot be written \(.*\); make room, and the same run"
        ):
            fill(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.is_dir() or path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
