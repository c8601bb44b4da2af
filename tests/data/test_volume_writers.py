"""Maps of scans come back in the scans' frames: what is read is what was written, where it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.readers.test_volumes import OBLIQUE, VALUES, dicom, nifti, read_volume
from tests.reference.files import npy
from tfxai3d.data import load_volume, map_suffix, resampled, resampled_affine, volume_writers, write_volume
from tfxai3d.errors import UserError

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")
SAMPLES = Path(nibabel.__file__).parent / "tests" / "data"
MAP = np.random.default_rng(1).normal(size=VALUES.shape).astype(np.float32)
TURNED = np.diag([2.0, 3, 4, 1]) @ np.array([[0, -1, 0, 5.1], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1]])


def test_a_map_has_the_affine_of_its_nifti_scan_to_the_bit(tmp_path: Path) -> None:
    """The sample of nibabel: anisotropic, oblique, its frame in the quaternions of the header alone."""
    scan = SAMPLES / "example4d.nii.gz"
    before = nibabel.load(scan)
    marked = np.zeros(before.shape, np.float32)
    marked[-1, 0, 2] = (1.5, -2)
    for name, values in (("a.nii.gz", marked), ("b.nii", marked[..., 0])):
        write_volume(scan, tmp_path / name, values)
        after = nibabel.load(tmp_path / name)
        assert (after.affine == before.affine).all()
        assert after.shape == values.shape
        for code in ("sform_code", "qform_code"):
            assert after.header[code] == before.header[code]
        np.testing.assert_array_equal(after.get_fdata(), values)
    (place,) = np.argwhere(read_volume(tmp_path / "b.nii").values[..., 0])
    assert place.tolist() == [127, 0, 2]
    with pytest.raises(UserError, match="bring it to the shape of the scan"):
        write_volume(scan, tmp_path / "c.nii", marked[1:])
    with pytest.raises(UserError, match=r"ends with \.nii, \.nii\.gz or \.nii\.gz"):
        write_volume(scan, tmp_path / "c.mha", marked)
    assert not list(tmp_path.glob("c.*"))


def test_axes_of_one_are_those_of_the_scan(tmp_path: Path) -> None:
    for shape in ((7, 6, 5, 1), (7, 6, 5, 1, 2)):
        scan = nifti(tmp_path / "a.nii", np.random.default_rng(0).normal(size=shape).astype(np.float32))
        write_volume(scan, tmp_path / "b.nii", read_volume(scan).values)
        assert nibabel.load(tmp_path / "b.nii").shape == shape
        np.testing.assert_array_equal(read_volume(tmp_path / "b.nii").values, read_volume(scan).values)


@pytest.mark.parametrize("suffix", ["nrrd", "nhdr", "mha", "mhd"])
def test_a_map_of_another_scan_is_in_its_format_and_place(tmp_path: Path, suffix: str) -> None:
    nibabel.save(nibabel.Nifti1Image(VALUES, TURNED), tmp_path / "a.nii")
    scan = tmp_path / f"b.{suffix}"
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.nii")), str(scan))
    path = tmp_path / f"map{map_suffix(scan)}"
    write_volume(scan, path, MAP)
    np.testing.assert_array_equal(read_volume(path).values[..., 0], MAP)
    before, after = sitk.ReadImage(str(scan)), sitk.ReadImage(str(path))
    for field in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(after, field)(), getattr(before, field)(), rtol=1e-12)
    write_volume(scan, tmp_path / "map.nii.gz", MAP)
    np.testing.assert_array_equal(read_volume(tmp_path / "map.nii.gz").values[..., 0], MAP)
    np.testing.assert_allclose(nibabel.load(tmp_path / "map.nii.gz").affine, TURNED, atol=1e-5)


def test_what_simpleitk_refuses_to_write_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VALUES), str(tmp_path / "a.mha"))
    monkeypatch.setattr(volume_writers, "_write_itk", read_volume)  # returns no arrays
    with pytest.raises(UserError, match=r"a\.mha: no map can be written with its header .*; give \.nii\.gz"):
        write_volume(tmp_path / "a.mha", tmp_path / "b.mha", np.ones(VALUES.shape[::-1]))
    assert not list(tmp_path.glob("*b.mha"))


def test_channels_of_nrrd(tmp_path: Path) -> None:
    two = np.stack([VALUES, MAP], axis=-1)
    image = sitk.GetImageFromArray(np.ascontiguousarray(two.swapaxes(0, 2)), isVector=True)
    image.SetSpacing((1, 2, 3))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nrrd").values, two)
    write_volume(tmp_path / "a.nrrd", tmp_path / "b.nrrd", -two)
    np.testing.assert_array_equal(read_volume(tmp_path / "b.nrrd").values, -two)


def test_a_map_of_a_dicom_series_is_nifti(tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.mkdir()
    values = dicom(series)
    assert map_suffix(series) == map_suffix(series / "0.dcm") == ".nii.gz"
    marked = np.zeros(values.shape, np.float32)
    marked[6, 0, 4] = 1
    write_volume(series, tmp_path / "map.nii.gz", marked)
    found: Any = nibabel.load(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(found.get_fdata(), marked)
    np.testing.assert_allclose(found.affine, read_volume(series).affine)
    # DICOM counts to the left and the back: the last column is at x = -6 mm, the fifth slice at 12 mm.
    np.testing.assert_allclose(found.affine @ [6, 0, 4, 1], [-6, 0, 12, 1])


def test_arrays_have_no_frame(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(VALUES))
    write_volume(tmp_path / "a.npy", tmp_path / f"b{map_suffix(tmp_path / 'a.npy')}", MAP)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), MAP)
    assert not load_volume(tmp_path / "b.npy").oriented
    assert load_volume(nifti(tmp_path / "a.nii")).oriented


def test_the_affine_of_a_resampled_volume_knows_the_same_places() -> None:
    ramp = np.indices((12, 8, 10)).astype(np.float32)
    millimetres = np.einsum("ij,jdhw->idhw", OBLIQUE[:3, :3], ramp) + OBLIQUE[:3, 3, None, None, None]
    new = (6, 16, 5)
    affine = resampled_affine(OBLIQUE, ramp.shape[1:], new)
    place = (3, 7, 2)
    found = [resampled(axis, new)[place] for axis in millimetres]
    np.testing.assert_allclose(affine @ [*place, 1], [*found, 1], atol=1e-4)
    np.testing.assert_array_equal(resampled_affine(OBLIQUE, new, new), OBLIQUE)
