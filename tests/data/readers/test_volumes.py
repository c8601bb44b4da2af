"""Scans of bodies: values, affine and spacing, and maps back in their frame."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfxai3d.data import load_grid
from tfxai3d.data.geometry import Volume
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")
RANDOM = np.random.default_rng(0)
OBLIQUE = np.array([[-2, 0.1, 0, 90], [0.1, 1.9, -0.3, -30], [0, 0.3, 2.5, -7], [0, 0, 0, 1]])
VALUES = RANDOM.normal(size=(7, 6, 5)).astype(np.float32)


def nifti(path: Path, values: np.ndarray = VALUES, kind: Any = None) -> Path:
    nibabel.save((kind or nibabel.Nifti1Image)(values, OBLIQUE), path)
    return path


def dicom(folder: Path) -> np.ndarray:
    """Writes a series of five slices into a folder, and returns its values."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    slices = (VALUES * 100).astype(np.int16)
    for number in range(5):
        image = sitk.GetImageFromArray(slices[:, :, number].T[None])
        for tag, value in (
            ("0020|000e", "1.2.3"), ("0020|0032", f"0\\0\\{3 * number}"), ("0020|0037", "1\\0\\0\\0\\1\\0"),
            ("0020|0013", str(number)), ("0008|0060", "CT"), ("0028|0030", "1\\1"),
        ):  # fmt: skip
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(image)
    return slices


def read_volume(path: Path) -> Volume:
    volume = read(path, kind="voxels")
    assert isinstance(volume, Volume)
    return volume


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII"])
def test_nifti_values_affine_and_spacing(tmp_path: Path, name: str) -> None:
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        nifti(tmp_path / name.lower(), kind=kind).rename(tmp_path / name)
        volume = read_volume(tmp_path / name)
        np.testing.assert_array_equal(volume.values[..., 0], VALUES)
        np.testing.assert_allclose(volume.affine, OBLIQUE, rtol=1e-6)
        np.testing.assert_allclose(volume.spacing, np.linalg.norm(OBLIQUE[:3, :3], axis=0), rtol=1e-6)


@pytest.mark.parametrize("suffix", ["nrrd", "mha", "mhd", "nhdr"])
def test_others_have_the_frame_of_nifti(tmp_path: Path, suffix: str) -> None:
    """SimpleITK reads the NIfTI file and writes the other: nibabel and it agree on every voxel's place."""
    orthogonal = np.diag([2.0, 3, 4, 1]) @ np.array([[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(VALUES, orthogonal), tmp_path / "a.nii")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.nii")), str(tmp_path / f"b.{suffix}"))
    volume = read_volume(tmp_path / f"b.{suffix}")
    np.testing.assert_array_equal(volume.values[..., 0], VALUES)
    np.testing.assert_allclose(volume.affine, orthogonal, atol=1e-5)
    assert load_grid(tmp_path / f"b.{suffix}").shape == (7, 6, 5, 1)


def test_channels_colours_and_scaled_values(tmp_path: Path) -> None:
    two = RANDOM.normal(size=(7, 6, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(read_volume(nifti(tmp_path / "a.nii", two)).values, two)
    np.testing.assert_array_equal(read_volume(nifti(tmp_path / "b.nii", two[:, :, :, None])).values, two)
    rgb = np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"][1, 2, 3] = 9
    assert np.argwhere(read_volume(nifti(tmp_path / "c.nii", rgb)).values).tolist() == [[1, 2, 3, 1]]
    image = nibabel.Nifti1Image((VALUES * 100).astype(np.int16), OBLIQUE)
    image.header.set_slope_inter(0.5, 3)
    nibabel.save(image, tmp_path / "d.nii")
    np.testing.assert_allclose(
        read_volume(tmp_path / "d.nii").values[..., 0],
        (VALUES * 100).astype(int) * 0.5 + 3,
        rtol=1e-3,
        atol=1,
    )


def test_a_dicom_series_is_a_folder(tmp_path: Path) -> None:
    slices = dicom(tmp_path)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.values[..., 0], slices)
    assert volume.spacing.tolist() == [1, 1, 3]
    one = read_volume(tmp_path / "3.dcm")
    np.testing.assert_array_equal(one.values[..., 0, 0], slices[:, :, 3])
    whole = (tmp_path / "2.dcm").read_bytes()
    (tmp_path / "._2.dcm").write_bytes(b"a stray file")
    for length in (100, 200):
        (tmp_path / "2.dcm").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"holds 2\.dcm, which is damaged or no slice of its series"):
            read(tmp_path)
    (tmp_path / "2.dcm").unlink()
    with pytest.raises(UserError, match="has slices 3 to 6 mm apart; one is missing"):
        read(tmp_path)


def test_damaged_scans_are_one_line(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VALUES, np.eye(4)), tmp_path / "a.nii")
    raw = (tmp_path / "a.nii").read_bytes()
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.nii")), str(tmp_path / "a.mha"))
    huge = bytearray(raw)
    huge[42:50] = np.array([32000, 32000, 32000, 1], "<i2").tobytes()
    cases = {
        "b.nii": raw[:400],
        "c.nii": bytes(huge),
        "d.nii": b"\0" * 500,
        "e.mha": (tmp_path / "a.mha").read_bytes()[:300],
        "f.nrrd": b"NRRD0004\ntype: float\ndimension: 3\nsizes: 9999 9999 9999\nencoding: raw\n\n",
        "g.mhd": b"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = /etc/passwd\n",
        "h.dcm": b"\0" * 128 + b"DICM" + b"\0" * 50,
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name.replace(".", r"\.") + ": ") as error:
            read(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="takes its values from '/etc/passwd'"):
        read(tmp_path / "g.mhd")


def test_no_byte_of_a_nifti_file_does_harm(tmp_path: Path) -> None:
    raw = nifti(tmp_path / "a.nii").read_bytes()
    path = tmp_path / "b.nii"
    for number in range(200):
        damaged = bytearray(raw)
        damaged[RANDOM.integers(0, 352 if number % 2 else len(raw))] = RANDOM.integers(256)
        path.write_bytes(bytes(damaged))
        message, found = "", None
        try:
            found = read_volume(path)
        except UserError as error:
            message = str(error)
        assert "\n" not in message
        assert found is None or np.isfinite(found.values).all()
        assert found is None or found.values.nbytes <= 8 * len(raw)


def test_values_on_a_surface_are_no_volume():
    sample = Path(nibabel.__file__).parent / "tests" / "data" / "row_major.dconn.nii"
    if not sample.is_file():
        pytest.skip("nibabel came without its samples")
    with pytest.raises(UserError, match=r"CIFTI.*not supported"):
        read(sample)


def test_values_that_are_not_finite_are_counted_and_the_remedy_is_named(tmp_path):
    values = VALUES.copy()
    values[0, 0, :3] = np.nan
    with pytest.raises(UserError, match="has 3 values that are NaN or infinite; give them a number"):
        read(nifti(tmp_path / "a.nii", values))
