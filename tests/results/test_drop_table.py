import dataclasses
import sys

import h5py
import numpy as np
import pytest

from tfxai3d.errors import UserError
from tfxai3d.results.drop_table import DropRun, DropStep, DropTable


def run_of(points, right, dropped_at=(0, 1, -1)):
    steps = [
        DropStep(i, count, int(ok), 0.5 + 0.1 * ok, float(ok), 0.25 * i, 0, 0.5)
        for i, (count, ok) in enumerate(zip(points, right, strict=True))
    ]
    return DropRun(steps, np.array(dropped_at), "number of steps")


@pytest.fixture
def table():
    """Three clouds of classes 2, 0 and 2; the second one is done early."""
    runs = [run_of((9, 6, 3), (1, 1, 0)), run_of((9, 6), (1, 0), (0,)), run_of((9, 6, 3), (1, 1, 1))]
    return DropTable().extended(runs[:2], [2, 0]).extended(runs[2:], [2])


def test_rows(table):
    assert len(table) == 3
    assert table.rows["cloud"].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert table.rows["label"].tolist() == [2, 2, 2, 0, 0, 2, 2, 2]
    assert set(table.rows.dtype.names) == {"cloud", "label", *(f.name for f in dataclasses.fields(DropStep))}


def test_sums_by_step_and_class(table):
    rows = table.by_step_and_class(("cup", "lamp", "vase"))
    assert [(row["class"], row["iteration"], row["clouds"]) for row in rows] == [
        ("all", 0, 3), ("all", 1, 3), ("all", 2, 2), ("cup", 0, 1), ("cup", 1, 1),
        ("vase", 0, 2), ("vase", 1, 2), ("vase", 2, 2),
    ]  # fmt: skip
    assert [row["accuracy"] for row in rows] == pytest.approx([1, 2 / 3, 0.5, 1, 0, 1, 1, 0.5])
    assert rows[1]["loss"] == pytest.approx(0.25)
    assert rows[1]["seconds"] == pytest.approx(1.5)
    assert rows[2]["points"] == 3
    assert table.by_step()["accuracy"].tolist() == [row["accuracy"] for row in rows[:3]]


def test_area_is_the_mean_height_of_the_curve():
    falling = DropTable().extended([run_of((10, 8, 2), (1, 1, 0))], [1])
    assert falling.area() == pytest.approx((1 * 2 + 0.5 * 6) / 8)
    assert falling.area("loss") == pytest.approx((0.125 * 2 + 0.375 * 6) / 8)
    assert np.isnan(DropTable().extended([run_of((10,), (1,))], [1]).area())


def test_clouds_of_different_sizes_count_alike_in_the_area():
    small, large = run_of((12, 10), (1, 0)), run_of((1000, 998, 500), (1, 1, 0))
    alone = [DropTable().extended([run], [1]).area() for run in (small, large)]
    assert alone == pytest.approx([0.5, (2 + 0.5 * 498) / 500])
    assert DropTable().extended([small, large], [1, 1]).area() == pytest.approx(np.mean(alone))


def test_insertion_is_deletion_read_backwards():
    """Also where the clouds differ in size: what they have in common is their end, not their beginning."""
    runs = [run_of((14, 12, 10), (1, 1, 0)), run_of((12, 10), (1, 1))]
    columns = DropTable().extended(runs, [1, 0]).insertion()
    assert columns["points"].tolist() == [10, 12, 14]
    assert columns["points_inserted"].tolist() == [0, 2, 4]
    assert columns["clouds"].tolist() == [2, 2, 1]
    assert columns["accuracy"].tolist() == [0.5, 1, 1]


def test_file(table, tmp_path):
    path = tmp_path / "drops.h5"
    table.save(path)
    loaded = DropTable.load(path)
    np.testing.assert_array_equal(loaded.rows, table.rows)
    for one, other in zip(loaded.dropped_at, table.dropped_at, strict=True):
        np.testing.assert_array_equal(one, other)
    DropTable().save(path)
    assert len(DropTable.load(path)) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["drops.h5"]


def test_damaged_files_are_named(table, tmp_path):
    path = tmp_path / "drops.h5"
    with pytest.raises(UserError, match="no such file"):
        DropTable.load(path)
    table.save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UserError, match="not a drop table"):
        DropTable.load(path)
    with h5py.File(path, "w") as file:
        file["steps"] = np.zeros(3)
    with pytest.raises(UserError, match="not a drop table"):
        DropTable.load(path)


def test_needs_no_tensorflow():
    import subprocess

    code = "import sys, tfxai3d.results.drop_table; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
