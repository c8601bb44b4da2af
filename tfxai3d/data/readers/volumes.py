"""Scans: NIfTI by nibabel; NRRD, MetaImage and DICOM by SimpleITK in another process, for it is C++.

Errors do not name the file: `reading.read` does.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfxai3d.data.geometry import Volume
from tfxai3d.errors import UserError, missing_extra
from tfxai3d.storage.isolated import call
from tfxai3d.storage.limits import MAX_BYTES, check_size

_RIGHT_ANTERIOR = np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM counts to the left and the back, NIfTI against it


def read_nifti(path: Path) -> Volume:
    """Reads a NIfTI file; a fourth axis, or the fifth of vectors, is the channels."""
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("nibabel", "volumes") from error
    image: Any = nibabel.load(path)
    if not hasattr(image, "affine"):  # CIFTI has the suffix of NIfTI
        raise UserError("holds values on a surface (CIFTI), which are not supported; give a volume")
    dtype = image.get_data_dtype()
    check_size(math.prod(image.shape) * dtype.itemsize, path.stat().st_size)
    check_size(math.prod(image.shape) * 8, MAX_BYTES)
    values = np.asanyarray(image.dataobj)
    if dtype.names:  # RGB
        values = np.stack([values[name] for name in dtype.names], axis=-1)
    if values.ndim == 5 and values.shape[3] == 1:
        values = values[:, :, :, 0]
    return Volume(values, image.affine)


def read_itk(path: Path) -> Volume:
    """Reads an NRRD, MetaImage or DICOM file, or the DICOM series of a folder."""
    series = path.is_dir() or path.suffix.lower() in (".mhd", ".nhdr")  # a header, its values beside it
    files = (path if path.is_dir() else path.parent).iterdir() if series else [path]
    found = call(_itk, path, size=sum(file.stat().st_size for file in files if file.is_file()))
    return Volume(found["values"], found["affine"])


def _itk(path: str) -> Mapping[str, np.ndarray]:
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise missing_extra("SimpleITK", "volumes") from error
    file = Path(path)
    if file.is_dir():
        series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(path)
        if len(series) != 1:
            raise UserError(f"holds {len(series)} DICOM series; give a folder of one")
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(path, series[0])
        _check_slices(file, names)
        image = sitk.ReadImage(names)
    else:
        _check_data_file(file)
        image = sitk.ReadImage(path)
    if image.GetDimension() != 3:
        raise UserError(f"is an image of {image.GetDimension()} dimensions; give a volume")
    values = sitk.GetArrayFromImage(image)  # z, y, x and channels
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return {"values": np.ascontiguousarray(values.swapaxes(0, 2)), "affine": _RIGHT_ANTERIOR @ matrix}


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _check_slices(folder: Path, names: Sequence[str]) -> None:
    """Raises UserError if a series lacks slices: SimpleITK would set the others farther apart."""
    import SimpleITK as sitk

    known = {"DICOMDIR", *(Path(name).name for name in names)}
    others = (path for path in folder.iterdir() if path.name not in known and path.name[0] != ".")
    passed = [path.name for path in others if is_dicom(path) or path.suffix.lower() == ".dcm"]
    if passed:
        raise UserError(f"holds {min(passed)}, which is damaged or no slice of its series; fetch it again")
    reader, places = sitk.ImageFileReader(), []
    for name in names:
        reader.SetFileName(name)
        reader.ReadImageInformation()
        places.append(reader.GetOrigin())
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    if len(steps) and not np.allclose(steps, np.median(steps), rtol=0.05, atol=1e-3):
        raise UserError(
            f"has slices {steps.min():.3g} to {steps.max():.3g} mm apart; one is missing or there twice"
        )


def _check_data_file(path: Path) -> None:
    """Raises UserError if a header that stands alone names data in another folder: it could be any file."""
    with path.open("rb") as file:
        head = file.read(1 << 16).decode("latin-1")
    named = re.search(
        r"^[ \t]*(?:ElementDataFile[ \t]*=|data ?file:)(.*)$", head, re.MULTILINE | re.IGNORECASE
    )
    if named and re.search(r"[/\\]|\.\.", named[1]):
        raise UserError(f"takes its values from {named[1].strip()!r}; put them into the same folder")
