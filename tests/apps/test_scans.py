"""A scan goes through a network and its map comes back in the frame of the scan."""

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import ndimage

from tests.data.readers.test_volumes import VALUES, dicom
from tests.reference.pages import data_of
from tests.reference.volumes import AFFINE, blob_detector, body, inside
from tfxai3d.explain import Explanation
from tfxai3d.view import point_colors
from tfxai3d.view.shown.slices import PLANES, sliced

nibabel = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")
SAMPLE = Path(nibabel.__file__).parent / "tests" / "data" / "example4d.nii.gz"


@pytest.fixture
def explain_scan(run_app, tmp_path):
    """Explains a file by a network that answers with the brightest place of the first channel."""

    def run(path, shape, *arguments):
        inputs = keras.Input(shape)
        first = keras.layers.Conv3D(1, 1, use_bias=False, name="first")
        brightest = keras.layers.GlobalMaxPooling3D()(first(inputs))
        model = keras.Model(inputs, keras.layers.Concatenate()([brightest, -brightest]))
        first.set_weights([np.eye(shape[-1])[:1].reshape(1, 1, 1, shape[-1], 1)])
        model.save(tmp_path / "mine.keras")
        return run_app(
            "explain", f"--model={tmp_path / 'mine.keras'}", "--data_kind=voxels", f"--input={path}",
            "--methods=gradient_times_input", "--nopictures", f"--output_dir={tmp_path / 'out'}", *arguments,
        )  # fmt: skip

    return run


def test_a_marked_corner_of_an_oblique_scan_comes_back(explain_scan, tmp_path):
    """The sample of nibabel is 128 x 96 x 24 x 2; the corner is nobody's by symmetry."""
    before = nibabel.load(SAMPLE)
    values = np.zeros(before.shape, np.float32)
    values[-8:, :8, 3:6, 0] = 1000
    values[..., 1] = np.random.default_rng(0).normal(size=before.shape[:3])
    nibabel.save(type(before)(values, None, before.header), tmp_path / "scan.nii.gz")
    code, out, err = explain_scan(tmp_path / "scan.nii.gz", (32, 24, 12, 2), "--resample")
    assert (code, err) == (0, "")
    assert "scan: why '0'?" in out
    explained = Explanation.load(tmp_path / "out" / "scan" / "gradient_times_input.npz")
    hottest = np.unravel_index(explained.importance[0].argmax(), explained.importance[0].shape)
    scan = nibabel.load(tmp_path / "scan.nii.gz")
    places = {}
    for name, shape in (("", scan.shape[:3]), ("_channels", scan.shape)):
        found = nibabel.load(tmp_path / "out" / "scan" / f"gradient_times_input{name}.nii.gz")
        assert (found.affine == scan.affine).all()
        assert (found.affine == before.affine).all()
        assert found.shape == shape
        places[name] = np.unravel_index(found.get_fdata().argmax(), shape)
    x, y, z = places[""]
    assert x >= 120
    assert y < 8
    assert 2 <= z <= 6
    assert places["_channels"] == (x, y, z, 0)
    # The explanation's own affine says the same place, in millimetres, within a voxel of the network.
    there = explained.affine[0] @ [*hottest, 1]
    step = np.abs(explained.affine[0][:3, :3]).sum(axis=1)
    assert (np.abs(there - scan.affine @ [x, y, z, 1])[:3] <= step).all()


def test_without_resampling_the_map_is_the_importance(explain_scan, tmp_path):
    nibabel.save(nibabel.Nifti1Image(VALUES, np.diag([1.0, 2, 3, 1])), tmp_path / "a.nii")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "a.nii")), str(tmp_path / "b.nrrd"))
    code, _, err = explain_scan(f"{tmp_path / 'a.nii'},{tmp_path / 'b.nrrd'}", (None, None, None, 1))
    assert (code, err) == (0, "")
    for name, suffix in (("a", ".nii"), ("b", ".nrrd")):
        folder = tmp_path / "out" / name
        importance = Explanation.load(folder / "gradient_times_input.npz").importance[0]
        assert importance.max() == VALUES.max()
        found = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"gradient_times_input{suffix}")))
        np.testing.assert_array_equal(found.swapaxes(0, 2), importance)
    assert Explanation.load(folder / "gradient_times_input.npz").affine.shape == (1, 4, 4)


def test_a_dicom_series_gives_nifti(explain_scan, tmp_path):
    (tmp_path / "ct").mkdir()
    values = dicom(tmp_path / "ct")
    code, _, err = explain_scan(tmp_path / "ct", (4, 4, 4, 1), "--resample")
    assert (code, err) == (0, "")
    assert nibabel.load(tmp_path / "out" / "ct" / "gradient_times_input.nii.gz").shape == values.shape


def test_a_scan_of_another_size_is_one_line(explain_scan, tmp_path):
    code, _, err = explain_scan(SAMPLE, (32, 24, 12, 2))
    assert code == 1
    assert err.strip().endswith(
        "is a volume (128, 96, 24, 2), the network takes (32, 24, 12, 2); give --resample"
    )


def test_the_lesion_that_a_network_sees_is_where_the_eye_goes(run_app, tmp_path):
    """From the scan to its picture: every slice and projection is hottest in the lesion."""
    imread = pytest.importorskip("matplotlib.image").imread
    nibabel.save(nibabel.Nifti1Image(body(), AFFINE), tmp_path / "ct.nii.gz")
    blob_detector().save(tmp_path / "mine.keras")
    code, out, err = run_app(
        "explain", f"--model={tmp_path / 'mine.keras'}", "--data_kind=voxels", "--class_names=healthy,ill",
        f"--input={tmp_path / 'ct.nii.gz'}", "--methods=vanilla_gradient,gradient_times_input",
        "--window=-200,300", f"--output_dir={tmp_path / 'out'}",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "ct: why 'ill'?" in out
    for method in ("vanilla_gradient", "gradient_times_input"):
        explained = Explanation.load(tmp_path / "out" / "ct" / f"{method}.npz")
        np.testing.assert_allclose(explained.affine[0], AFFINE, rtol=1e-6)
        shown = sliced(explained, 0, None)
        lesion = np.flip(ndimage.binary_dilation(inside(), iterations=1), 0)
        top = point_colors(np.array([shown.limits[1]]), shown.colormap, shown.limits)
        for plane, (_, _, cut) in enumerate(PLANES):
            for colors, there in (
                (shown.slice(plane), lesion.take(shown.place[cut], axis=cut)),
                (shown.projection(plane), lesion.any(axis=cut)),
            ):
                apart = np.abs(colors - top).sum(axis=-1)
                assert there[apart == apart.min()].all()
    image = imread(tmp_path / "out" / "panel.png")[..., :3]
    assert (np.ptp(image, axis=-1) > 0.3).sum() > 5000
    page = (tmp_path / "out" / "panel.html").read_text(encoding="utf-8")
    assert len(data_of(page)["volumes"][0]["maps"]) == 2
    assert data_of(page)["volumes"][0]["windows"] == [[-200, 300]]


def test_a_bad_window_is_one_line(explain_scan):
    for window in ("1", "a,b", "3,2"):
        code, _, err = explain_scan(SAMPLE, (32, 24, 12, 2), f"--window={window}")
        assert code == 1
        assert f"--window={window}: give the values of black and white" in err
