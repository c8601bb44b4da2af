"""What two runs of one command must have in common: all that they leave in their folders, but times."""

import csv
import json
from pathlib import Path

import h5py
import numpy as np

_OF_THE_CLOCK = {"seconds", "passes"}  # a method's passes are its seconds in forward passes
_PICTURES = {".html", ".md", ".png", ".svg", ".keras"}


def differences(one: Path, other: Path) -> list[str]:
    """Returns what differs between two folders of results, one line a file."""
    names = [{p.relative_to(f).as_posix() for p in f.rglob("*") if p.is_file()} for f in (one, other)]
    found = [f"{name}: only one run has it" for name in sorted(names[0] ^ names[1])]
    for name in sorted(names[0] & names[1]):
        ours, theirs = (_content(folder / name) for folder in (one, other))
        if not _same(ours, theirs):
            found.append(f"{name}: differs")
    return found


def _content(path: Path):
    if path.suffix in _PICTURES:
        return path.stat().st_size > 0
    if path.suffix == ".npz":
        with np.load(path) as store:
            arrays = {name: store[name] for name in store.files if name != "meta"}
            return arrays | {"meta": _timeless(json.loads(str(store["meta"]))) if "meta" in store else None}
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return {name: _columns(file[name][()]) for name in file}
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [[row for row in map(_timeless, rows) if not _OF_THE_CLOCK & set(row.values())]]
    if path.suffix in (".json", ".jsonl"):
        text = path.read_text(encoding="utf-8")
        return [
            _timeless(json.loads(line)) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])
        ]
    return path.read_bytes()


def _columns(array):
    names = array.dtype.names
    return {name: array[name] for name in names if name not in _OF_THE_CLOCK} if names else array


def _timeless(value):
    if isinstance(value, dict):
        return {name: _timeless(one) for name, one in value.items() if name not in _OF_THE_CLOCK}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _same(one, other) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    return one == other
