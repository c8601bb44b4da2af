"""NPZ files are read without belief, and whatever is wrong with one is one line."""

import zipfile

import numpy as np
import pytest

from tests.reference.harmful_npz import npy_header, write_members
from tfxai3d.errors import UserError
from tfxai3d.storage import limits, open_npz, write_npz
from tfxai3d.storage.npz import open_arrays

ARRAYS = {"a": np.arange(500.0).reshape(20, 25), "b": np.zeros((0, 3), np.int8), "text": np.array("abc")}


@pytest.mark.parametrize("compressed", [True, False])
def test_what_is_written_is_read(tmp_path, compressed):
    path = tmp_path / "folder" / "a.npz"
    write_npz(path, ARRAYS, {"names": ["x", "y"]}, compressed)
    with open_npz(path, "a test") as read:
        assert set(read) == {*ARRAYS, "meta"}
        assert read.meta == {"names": ["x", "y"]}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype
    write_npz(path, ARRAYS, compressed=compressed)
    with np.load(path) as read:
        assert set(read) == set(ARRAYS)


def _read(path):
    with open_npz(path, "a test file") as arrays:
        dict(arrays)


@pytest.mark.parametrize("compressed", [True, False])
def test_no_altered_byte_is_anything_but_one_line(tmp_path, compressed):
    """One byte after the other is altered; some, such as a time, decide nothing."""
    path, damaged = tmp_path / "a.npz", tmp_path / "damaged.npz"
    write_npz(path, {"a": np.arange(40.0), "b": np.arange(3)}, {"m": 1}, compressed)
    raw, messages = path.read_bytes(), list[str]()
    for place in range(len(raw)):
        for bits in (0xFF, 0x01, 0x40):
            content = bytearray(raw)
            content[place] ^= bits
            damaged.write_bytes(content)
            try:
                _read(damaged)
            except UserError as error:
                messages.append(str(error))
    assert len(messages) > len(raw)
    begin = f"{damaged}: not a test file ("
    assert {text[: len(begin)] for text in messages} == {begin}
    assert not [text for text in messages if "\n" in text]


@pytest.mark.parametrize("length", [0, 1, 4, 100, 300])
def test_a_file_that_is_cut_off_is_named(tmp_path, length):
    write_npz(tmp_path / "a.npz", ARRAYS)
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:length])
    with pytest.raises(UserError, match=r"a\.npz: not a test file \("):
        _read(tmp_path / "a.npz")


def test_what_the_block_finds_is_named(tmp_path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    with (
        pytest.raises(UserError, match=r"a\.npz: not a picture \('red'\)"),
        open_npz(tmp_path / "a.npz", "a picture") as arrays,
    ):
        arrays["red"]


def test_what_is_not_there_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "a.npz"):
        with pytest.raises(UserError, match="no such file; give a test file"):
            _read(path)


def test_what_numpy_writes_is_read(tmp_path):
    arrays = {"a": np.zeros(10**6), "b": np.arange(5), "empty": np.zeros((0, 3)), "text": np.array("abc")}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        with open_arrays(tmp_path / "a.npz") as read:
            for name, array in read.items():
                np.testing.assert_array_equal(array, arrays[name])
        assert read.keys() == arrays.keys()


def test_a_directory_that_lies(tmp_path):
    """The ZIP's directory says a gigabyte, of some bytes deflated."""
    raw, path = npy_header((2**28,)), tmp_path / "a.npz"
    write_members(path, {"a": raw + bytes(100)}, zipfile.ZIP_DEFLATED)
    content, true = path.read_bytes(), len(raw) + 100
    lie = content.replace(true.to_bytes(4, "little"), (2**30 + len(raw)).to_bytes(4, "little"))
    assert lie != content
    path.write_bytes(lie)
    with (
        open_arrays(path) as arrays,
        pytest.raises(UserError, match=r"declares 1,073,741,824 bytes but holds"),
    ):
        arrays["a"]


def test_many_arrays_share_the_limit(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", a=np.zeros(100), b=np.zeros(100))
    monkeypatch.setattr(limits, "MAX_BYTES", 1000)
    with open_arrays(tmp_path / "a.npz") as arrays:
        assert len(arrays["a"]) == 100
        with pytest.raises(UserError, match="more than the limit of 1,000"):
            arrays["b"]
