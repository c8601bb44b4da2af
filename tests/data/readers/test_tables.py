"""Columns of numbers, however they are written: the right cloud, or an error."""

import logging

import numpy as np
import pytest

from tests.reference.files import Put
from tfxai3d.data.geometry import PointCloud
from tfxai3d.data.readers.loading import load_points
from tfxai3d.data.readers.reading import read
from tfxai3d.errors import UserError

CLOUD = np.round(np.random.default_rng(1).uniform(-2, 2, (24, 3)), 4)
SHADE = np.arange(24) % 9


def text(columns: np.ndarray, separator: str = " ", head: str = "", end: str = "\n") -> str:
    return head + "".join(separator.join(f"{value:.4f}" for value in row) + end for row in columns)


def comma(content: str) -> str:
    return content.replace(".", ",")


FOUR = np.column_stack([SHADE, CLOUD])
LABELLED = "".join(f"a chair,{x},{y},{z}\n" for x, y, z in CLOUD)
WELL_FORMED = {
    "decimal commas between blanks": ("a.xyz", comma(text(CLOUD))),
    "decimal commas between tabs, and a title": ("a.txt", comma(text(CLOUD, "\t", "X\tY\tZ\n"))),
    "decimal commas and semicolons": ("a.csv", comma(text(CLOUD, ";", "x;y;z\n"))),
    "decimal commas with a comma and a blank between": ("a.csv", comma(text(CLOUD, ", "))),
    "quoted decimal commas": (
        "a.csv",
        "".join('"' + '","'.join(f"{v:.4f}".replace(".", ",") for v in r) + '"\n' for r in CLOUD),
    ),
    "points and semicolons": ("a.csv", text(CLOUD, "; ")),
    "a title": ("a.csv", text(CLOUD, ",", "x,y,z\n")),
    "a title in another order": ("a.txt", text(CLOUD[:, ::-1], " ", "z y x\n")),
    "a title in a comment": ("a.txt", text(FOUR, " ", "# shade x y z\n")),
    "a title after other words": ("a.txt", text(FOUR, " ", "# Fields: shade x y z\n")),
    "a comment of slashes and a count": ("a.asc", text(CLOUD, " ", "//X Y Z\n24\n")),
    "units": ("a.csv", text(CLOUD, ";", "x [m];y [m];z [m]\n")),
    "ParaView": ("a.csv", text(CLOUD, ",", '"Points:0","Points:1","Points:2"\n')),
    "words above": ("a.txt", text(CLOUD, " ", "Scan of a chair\n24.12.2025, by hand\n")),
    "a column of text": ("a.csv", "name,x,y,z\n" + LABELLED),
    "elements and a count": ("a.xyz", "24\na molecule\n" + "".join(f"C {x} {y} {z}\n" for x, y, z in CLOUD)),
    "two scans": ("a.pts", "10\n" + text(CLOUD[:10]) + "14\n" + text(CLOUD[10:])),
    "UTF-16": ("a.txt", text(CLOUD).encode("utf-16")),
    "separators at the end, and CRLF": ("a.csv", text(CLOUD, ",", end=",\r\n")),
    "gzip": ("a.XYZ.gz", __import__("gzip").compress(text(CLOUD).encode())),
}


@pytest.mark.parametrize("case", WELL_FORMED)
def test_the_cloud_is_read(put: Put, case: str) -> None:
    cloud = read(put(*WELL_FORMED[case]))
    assert isinstance(cloud, PointCloud)
    np.testing.assert_allclose(cloud.points, CLOUD, atol=1e-6)


ILL_FORMED = {
    "commas of both kinds": (comma(text(CLOUD, ",")), "decimal comma, and commas between"),
    "thousands": ("1,234.5 2,345.6 3,456.7\n" * 12, "commas and blanks"),
    "thousands and semicolons": ("1.234,5;2.345,6;3.456,7\n" * 12, "a comma and a point"),
    "groups": ("1,2,3 255,0,0\n" * 12, "commas and blanks"),
    "a count too high": (text(CLOUD, " ", "25\n"), "declares 25 points but holds 24"),
    "names that are none": (text(FOUR, ",", "a,b,c,d\n"), "call three of them x, y and z"),
    "names of other columns": (text(FOUR, ",", "x,y,z\n"), "names 3 columns and has 4"),
    "a raster": ("ncols 4\nnrows 4\n" + "1 2 3 4\n" * 4, "raster, which is not supported"),
    "binary": (b"\x00\x01\x02", "holds binary data"),
    "a word in the first row": ("x,y,z\n=cmd(),1,2\n" + text(CLOUD, ","), "has a word where other rows"),
    "columns lost at the end": (text(CLOUD) + "1 2\n", "rows of 3 and of 2 columns"),
    "a column lost in the middle": (text(CLOUD) + "1 2\n1 2 3\n", "not a readable CSV"),
}


@pytest.mark.parametrize("case", ILL_FORMED)
def test_what_cannot_be_told_is_an_error(put: Put, case: str) -> None:
    content, message = ILL_FORMED[case]
    with pytest.raises(UserError, match=message):
        read(put("a.csv", content))


def test_further_columns_are_kept_by_one_name(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    table = np.column_stack([CLOUD, SHADE, CLOUD])
    named = put("a.csv", text(table, ",", "x,y,z,Scalar_Intensity,NormalX,normal_y,NZ\n"))
    cloud = read(named)
    assert isinstance(cloud, PointCloud)
    assert list(cloud.columns) == ["intensity", "nx", "ny", "nz"]
    np.testing.assert_array_equal(cloud.columns["intensity"], SHADE)
    usual = {
        "a.pts": ("intensity", "red", "green", "blue"),
        "a.xyzn": ("column_4", "column_5", "column_6", "column_7"),
    }
    for name, names in usual.items():
        cloud = read(put(name, text(table)))
        assert isinstance(cloud, PointCloud)
        assert tuple(cloud.columns) == names
    with caplog.at_level(logging.WARNING):
        read(put("b.csv", "name,x,y,z\n" + LABELLED))
    assert [record.getMessage() for record in caplog.records] == [
        "passed over 1 of 4 columns, which hold text"
    ]


def test_a_value_that_is_missing_is_not_the_next_one(put: Put) -> None:
    rows = "".join(f"{x},{y},{z},,{shade}\n" for (x, y, z), shade in zip(CLOUD, SHADE, strict=True))
    path = put("a.csv", "x,y,z,red,shade\n" + rows)
    cloud = read(path)
    assert isinstance(cloud, PointCloud)
    assert np.isnan(cloud.columns["red"]).all()
    np.testing.assert_array_equal(cloud.columns["shade"], SHADE)
    with pytest.raises(UserError, match="values in the column red that are NaN"):
        load_points(path, features=["red"])
    with pytest.raises(UserError, match="NaN or infinite coordinates"):
        read(put("b.csv", ",2,3\n" * 12))


def test_map_coordinates_keep_their_digits(put: Put) -> None:
    far = CLOUD + np.array([500_000, 5_800_000, 40])
    loaded, near = load_points(put("a.xyz", text(far))), load_points(put("b.xyz", text(CLOUD)))
    np.testing.assert_allclose(loaded, near, atol=1e-6)
