"""Maps of volumes as files in the frame of the scan, which viewers lay over it."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Volume
from tfxai3d.data.readers.loading import load_volume
from tfxai3d.errors import UserError, missing_extra, reason_of
from tfxai3d.storage import AnyPath, atomic_path
from tfxai3d.storage.isolated import call
from tfxai3d.storage.leftovers import scratch_folder

_NIFTI = (".nii", ".nii.gz")
# Formats with the suffix of their maps: of a header that stands alone the one that holds the values too.
_OWN = {".nrrd": ".nrrd", ".nhdr": ".nrrd", ".mha": ".mha", ".mhd": ".mha", ".npy": ".npy"}
_MILLIMETRES, _SCANNER = 2, 1  # codes of NIfTI


def map_suffix(like: AnyPath) -> str:
    """Returns the suffix of a map of a scan: the scan's own format, or NIfTI where that cannot hold a map.

    NIfTI, NRRD, MetaImage and NPY are written as they are; DICOM and all that is gzipped but NIfTI are not.
    """
    name = Path(like).name.lower()
    return next(
        (suffix for suffix in _NIFTI if name.endswith(suffix)), _OWN.get(Path(name).suffix, ".nii.gz")
    )


def write_volume(like: AnyPath, path: AnyPath, values: np.ndarray) -> None:
    """Writes a map of a scan in the scan's frame: NIfTI of any scan, or in the format of the scan.

    A map of a NIfTI file keeps its affine to the bit and the codes of its space, one of an NRRD or MetaImage
    file its origin, spacing and directions; what is written as NIfTI of another format has the affine that
    `read` gives the scan.

    Args:
        like: The scan, a file or the folder of a DICOM series.
        path: The new file: `.nii`, `.nii.gz`, or what `map_suffix` says.
        values: A number for each voxel, float32 (D,H,W) or (D,H,W,C), in the order of `read`.

    Raises:
        UserError: If the values have another shape than the scan, or the file another format.
    """
    path, scan, values = Path(path), load_volume(like), np.asarray(values, np.float32)
    shape = scan.values.shape
    if values.shape not in (shape, shape[:3]):
        raise UserError(
            f"{like}: has {shape} voxels, the map {values.shape}; bring it to the shape of the scan"
        )
    suffix = next((suffix for suffix in _NIFTI if path.name.lower().endswith(suffix)), path.suffix.lower())
    if suffix not in (*_NIFTI, map_suffix(like)):
        raise UserError(f"{path}: give a name that ends with .nii, .nii.gz or {map_suffix(like)}")
    with atomic_path(path) as temporary:
        if suffix == ".npy":
            with temporary.open("wb") as file:
                np.save(file, values)
        elif suffix in _NIFTI:
            content = _nifti(Path(like), scan, values)
            temporary.write_bytes(gzip.compress(content) if suffix == ".nii.gz" else content)
        else:
            _in_own_format(Path(like), temporary, values)


def _in_own_format(like: Path, path: Path, values: np.ndarray) -> None:
    """Writes a map with the header of an NRRD or MetaImage file, by SimpleITK in another process."""
    with scratch_folder() as folder:
        kept = Path(folder, "values.npy")
        np.save(kept, values)
        try:
            call(_write_itk, like, str(path), str(kept), size=like.stat().st_size + values.nbytes)
        except ValueError as error:  # a UserError is one
            reason = reason_of(error)
            raise UserError(
                f"{like}: no map can be written with its header ({reason}); give .nii.gz"
            ) from error


def _nifti(like: Path, scan: Volume, values: np.ndarray) -> bytes:
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("nibabel", "volumes") from error
    if not like.name.lower().endswith(_NIFTI):
        image: Any = nibabel.Nifti1Image(values, scan.affine)
        image.header.set_xyzt_units(_MILLIMETRES)
        image.set_sform(scan.affine, _SCANNER)
        return bytes(image.to_bytes())
    image = nibabel.load(like)
    header = image.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0  # the window of the scan's values
    if values.size == np.prod(image.shape):  # with an axis of length 1 before the channels, or after all
        values = values.reshape(image.shape)
    return bytes(type(image)(values, None, header).to_bytes())


def _write_itk(like: str, path: str, values: str) -> Mapping[str, np.ndarray]:
    import SimpleITK as sitk

    scan, array = sitk.ReadImage(like), np.load(values).swapaxes(0, 2)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=array.ndim == 4)
    image.CopyInformation(scan)
    sitk.WriteImage(image, path, useCompression=True)
    return {}
