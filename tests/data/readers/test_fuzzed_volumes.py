"""Damaged scans end in a volume or in one line, and their maps are written whole or not at all."""

import gzip
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.readers.test_volumes import OBLIQUE, VALUES, dicom
from tests.reference.files import npy
from tfxai3d.data import load_volume, map_suffix, write_volume
from tfxai3d.errors import UserError

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")

Make = Callable[[Path], bytes]


def _nifti(path: Path, scaled: bool = False) -> bytes:
    image = nibabel.Nifti1Image((VALUES * 100).astype(np.int16) if scaled else VALUES, OBLIQUE)
    if scaled:
        image.header.set_slope_inter(0.5, 3)
    return bytes(image.to_bytes())


def _itk(suffix: str, compressed: bool) -> Make:
    def make(folder: Path) -> bytes:
        path = folder / f"valid.{suffix}"
        sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(path), compressed)
        return path.read_bytes()

    return make


def _dicom(folder: Path) -> bytes:
    (folder / "series").mkdir()
    dicom(folder / "series")
    return (folder / "series" / "3.dcm").read_bytes()


# Read in this process, hence quickly ...
IN_PROCESS: dict[str, tuple[str, Make]] = {
    "nii": ("nii", _nifti),
    "nii scaled": ("nii", lambda folder: _nifti(folder, True)),
    "nii.gz": ("nii.gz", lambda folder: gzip.compress(_nifti(folder))),
    "npy": ("npy", lambda folder: npy(VALUES)),
}
# ... or in one of their own each.
ISOLATED: dict[str, tuple[str, Make]] = {
    "nrrd": ("nrrd", _itk("nrrd", False)),
    "nrrd gzip": ("nrrd", _itk("nrrd", True)),
    "mha": ("mha", _itk("mha", False)),
    "mha zlib": ("mha", _itk("mha", True)),
    "dcm": ("dcm", _dicom),
}


def damaged(raw: bytes, random: np.random.Generator) -> bytes:
    """Cuts, changes bytes anywhere or in the header, puts other digits there, or splices something in."""
    way, changed = random.integers(5), bytearray(raw)
    if way == 0:
        return raw[: random.integers(len(raw))]
    if way in (1, 2):
        end = len(raw) if way == 1 else min(len(raw), 400)
        for place in random.integers(0, end, random.integers(1, 12)):
            changed[place] = random.integers(256)
    elif way == 3:
        digits = [place for place, byte in enumerate(raw[:600]) if chr(byte).isdigit()] or [0]
        for place in random.choice(digits, random.integers(1, 4)):
            changed[place] = ord(random.choice(list("0123456789-")))
    else:
        place = int(random.integers(len(raw)))
        changed[place : place + random.integers(30)] = random.bytes(random.integers(30))
    return bytes(changed)


def attempt(path: Path, content: bytes) -> None:
    """Reads a file and writes a map of it; anything but a valid volume or a UserError fails the test."""
    path.write_bytes(content)
    new, message, volume = path.with_name(f"map{map_suffix(path)}"), "", None
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nibabel about damaged headers
            volume = load_volume(path)
            write_volume(path, new, np.ones(volume.values.shape[:3]))
    except UserError as error:
        message = str(error)
    assert time.monotonic() - began < 90
    assert "\n" not in message
    assert volume is not None or message.startswith(f"{path}: ")
    assert len(list(path.parent.glob("*map*"))) == new.exists() == (not message)
    if volume is not None:
        assert np.isfinite(volume.values).all()
        assert np.isfinite(volume.affine).all()
        assert volume.values.size <= 1032 * len(content)
    if not message:
        found = np.load(new) if new.suffix == ".npy" else np.asarray(_pixels(new))
        assert (found == 1).all()
        new.unlink()


def _pixels(path: Path) -> np.ndarray:
    if path.name.endswith((".nii", ".nii.gz")):
        return np.asarray(nibabel.load(path).dataobj)
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def fuzz(folder: Path, kind: str, count: int, seed: int) -> None:
    suffix, make = (IN_PROCESS | ISOLATED)[kind]
    raw, random = make(folder), np.random.default_rng(seed)
    (folder / "one").mkdir()
    path = folder / "one" / f"fuzzed.{suffix}"
    attempt(path, raw)
    for _ in range(count):
        attempt(path, damaged(raw, random))


@pytest.mark.parametrize("kind", IN_PROCESS)
def test_a_damaged_scan_does_no_harm(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 100, seed=0)


@pytest.mark.parametrize("kind", ISOLATED)
def test_a_few_damaged_scans_of_other_formats_do_no_harm(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 1, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ISOLATED)
def test_many_damaged_scans_of_other_formats_do_no_harm(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 4, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", IN_PROCESS)
def test_many_damaged_scans_do_no_harm(tmp_path: Path, kind: str) -> None:
    fuzz(tmp_path, kind, 300, seed=3)
