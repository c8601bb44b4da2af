"""What is done to good files: by accident, or by somebody who means harm."""

import json
import pickle
import zipfile

import h5py
import numpy as np

from tests.reference.harmful_npz import ABSURD, npy_header


class Bomb:
    """Says when it is unpickled."""

    exploded = False

    def __reduce__(self):
        return setattr, (Bomb, "exploded", True)


def _stored(change):
    """A change of the arrays of an NPZ file."""

    def damage(path, key):
        with np.load(path) as store:
            arrays = dict(store)
        arrays |= {key: arrays.get(key, np.zeros(3, "float32"))}
        change(arrays, key)
        np.savez(path, **arrays)

    return damage


def _as(make):
    return _stored(lambda arrays, key: arrays.update({key: make(arrays[key])}))


def _meta(text):
    return _stored(lambda arrays, key: arrays.update(meta=np.array(text)))


def _filled(value):
    def fill(array):
        changed = np.array(array, np.float64)
        changed.flat[-1] = value
        return changed

    return fill


def _raw(content):
    """A member that holds these bytes."""

    def damage(path, key):
        with np.load(path) as store:
            arrays = {name: store[name] for name in store.files if name != key}
        np.savez(path, **arrays)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{key}.npy", content)

    return damage


def _truncated(path, key):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flipped(path, key):
    with np.load(path) as store:
        np.savez(path, **dict(store))
    with zipfile.ZipFile(path) as archive:
        name = next(info for info in archive.namelist() if info.startswith(key))
        content, place = path.read_bytes(), archive.getinfo(name).header_offset
    data = bytearray(content)
    data[place + 30 + len(name) + 20 + 128] ^= 0xFF
    path.write_bytes(data)


def _flagged(local, central, value):
    """A mark in all headers of the archive: encrypted, or packed by a method that nobody has."""

    def damage(path, key):
        data = bytearray(path.read_bytes())
        for signature, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
            place = data.find(signature)
            while place >= 0:
                data[place + offset] = value
                place = data.find(signature, place + 4)
        path.write_bytes(data)

    return damage


_OF_ALL = {
    "empty": lambda path, key: path.write_bytes(b""),
    "text": lambda path, key: path.write_text("nothing of this kind", encoding="utf-8"),
    "binary": lambda path, key: path.write_bytes(bytes(range(256)) * 4),
}
OF_NPZ = _OF_ALL | {
    "cut off": _truncated,
    "a byte is wrong": _flipped,
    "a pickle": lambda path, key: path.write_bytes(pickle.dumps(Bomb())),
    "a pickle inside": _raw(npy_header((), "|O") + pickle.dumps(Bomb())),
    "absurd size": _raw(npy_header((ABSURD, 3)) + bytes(64)),
    "absurd size of texts": _raw(npy_header((ABSURD,), "<U99") + bytes(64)),
    "negative size": _raw(npy_header((-1, 3)) + bytes(64)),
    "no array inside": _raw(b"array"),
    "a header without end": _raw(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{" + bytes(99)),
    "a header that is a program": _raw(
        b"\x93NUMPY\x01\x00\x1e\x00__import__('os').abort()     \n" + bytes(9)
    ),
    "encrypted": _flagged(6, 8, 1),
    "packed by a method of nobody": _flagged(8, 10, 99),
    "an array is missing": _stored(lambda arrays, key: arrays.pop(key)),
    "texts for numbers": _as(lambda array: array.astype("U8")),
    "dates for numbers": _as(lambda array: np.zeros(array.shape, "datetime64[s]")),
    "complex numbers": _as(lambda array: array.astype("complex64")),
    "another shape": _as(lambda array: array[..., None]),
    "half of it": _as(lambda array: array[: len(array) // 2]),
    "a single number": _as(lambda array: np.float32(1)),
}
_NOT_FINITE = {
    f"{value} inside": _as(_filled(value)) for value in (np.nan, np.inf, -np.inf)
}  # but a training may diverge, and its checkpoint says so
OF_META = {
    "no description": _stored(lambda arrays, key: arrays.pop("meta")),
    "a description that is no JSON": _meta("{"),
    "a description that is a list": _meta("[1]"),
    "a description that is a number": _meta("3"),
    "a deep description": _meta("[" * 100_000),
    "a description in numbers": _stored(lambda arrays, key: arrays.update(meta=np.zeros(3))),
}
SPECIAL = {"checkpoint": OF_META, "preset": _NOT_FINITE, "sparse weights": _NOT_FINITE}
GENERAL = _NOT_FINITE | OF_META


def of_npz(kind):
    """Returns the damages of a kind of NPZ file."""
    return OF_NPZ | SPECIAL.get(kind, GENERAL)


def said(**changes):
    """A change of what an NPZ file says of its arrays."""

    def damage(path, key):
        with np.load(path) as store:
            arrays = dict(store)
        meta = json.loads(str(arrays["meta"])) | changes
        np.savez(path, **arrays | {"meta": np.array(json.dumps(meta))})

    return damage


def held(**changes):
    """A change of arrays by their names."""
    return _stored(lambda arrays, key: arrays.update(changes))


OF_JSON = _OF_ALL | {
    "cut off": _truncated,
    "a list": lambda path, key: path.write_text("[1, 2]"),
    "a number": lambda path, key: path.write_text("3"),
    "a text in quotes": lambda path, key: path.write_text('"settings"'),
    "null": lambda path, key: path.write_text("null"),
    "without end": lambda path, key: path.write_text('{"a":' * 100_000),
    "a number of a million digits": lambda path, key: path.write_text('{"a": ' + "9" * 1_000_000 + "}"),
}


def _line(text):
    def damage(path, key):
        first = path.read_text(encoding="utf-8").split("\n")[0]
        path.write_text(f"{first}\n{text}\n", encoding="utf-8")

    return damage


OF_CSV = _OF_ALL | {
    "other columns": lambda path, key: path.write_text("a,b\n1,2\n"),
    "a line is cut off": _line("3"),
    "a line is too long": _line("," * 50),
    "texts for numbers": _line(",".join(["x"] * 20)),
    "a cell without end": _line('"' + "x" * 1_000_000),
}


def _steps(**columns):
    def damage(path, key):
        with h5py.File(path, "r+") as file:
            rows = file["steps"][()]
            for name, value in columns.items():
                rows[name] = value
            file["steps"][...] = rows

    return damage


def _replaced(name, value):
    def damage(path, key):
        with h5py.File(path, "r+") as file:
            del file[name]
            if value is not None:
                file[name] = value

    return damage


OF_TABLE = _OF_ALL | {
    "cut off": _truncated,
    "no steps": _replaced("steps", None),
    "no sizes": _replaced("sizes", None),
    "steps without columns": _replaced("steps", np.zeros(5)),
    "other columns": _replaced("steps", np.zeros(5, [("a", "i4")])),
    "negative sizes": _replaced("sizes", np.int32([-3, 7])),
    "sizes of another table": _replaced("sizes", np.int32([3, 3])),
    "sizes that overflow": _replaced("sizes", np.array([2**63 - 1, 2**63 - 1], np.int64)),
    "sizes that are broken": _replaced("sizes", np.float32([3, 1])),
    "places that are texts": _replaced("dropped_at", np.array([b"a"] * 4)),
    "an absurd iteration": _steps(iteration=2_000_000_000),
    "a negative iteration": _steps(iteration=-1),
    "an absurd cloud": _steps(cloud=2_000_000_000),
    "a negative cloud": _steps(cloud=-1),
    "an accuracy that is not finite": _steps(accuracy=np.nan),
}
