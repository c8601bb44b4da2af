"""Drop experiments are read back from TensorBoard's files as they were written."""

import numpy as np
import pytest
import tensorflow as tf

from tfxai3d import tensorboard
from tfxai3d.errors import UserError
from tfxai3d.evaluate import DropRun, DropTable
from tfxai3d.results.drop_table import DropStep

COLUMNS = ("accuracy", "confidence", "loss")


def table(*points):
    """Two clouds that lose points, and accuracy with them."""
    steps = [
        DropStep(
            iteration=i,
            points=left,
            predicted=0,
            confidence=left / 100,
            accuracy=left / 50,
            loss=100.0 / left,
            dropped=0,
            seconds=0.0,
        )
        for i, left in enumerate(points)
    ]
    run = DropRun(steps, np.full(points[0], -1), "number of steps")
    return DropTable().extended([run, run], [0, 1])


TABLES = {"point_saliency:lowest": table(50, 40, 30), "../random": table(50, 25)}


@pytest.fixture
def read():
    """Reads a run back: by tag, pairs of step and tensor."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("matplotlib")

    def read(folder):
        events = accumulator.EventAccumulator(str(folder)).Reload()
        return {
            tag: [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
            for tag in events.Tags()["tensors"]
        }

    return read


def test_each_table_is_a_run_of_scalars(read, tmp_path):
    tensorboard.write_drop_curves(tmp_path / "a", TABLES)
    assert {path.name for path in tmp_path.iterdir()} == {"a"}  # whatever the names are
    folders = {"point_saliency_lowest": "point_saliency:lowest", "_random": "../random"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == {*folders, "figures"}
    for folder, name in folders.items():
        found, expected = read(tmp_path / "a" / folder), TABLES[name].by_step()
        assert set(found) == {f"dropping/{column}" for column in COLUMNS}
        for column in COLUMNS:
            steps, values = zip(*found[f"dropping/{column}"], strict=True)
            assert list(steps) == [50 - int(left) for left in expected["points"]]
            np.testing.assert_allclose(np.array(values), expected[column], rtol=1e-6)


def test_the_figures_are_images(read, tmp_path):
    tensorboard.write_drop_curves(tmp_path, TABLES)
    found = read(tmp_path / "figures")
    assert set(found) == {f"dropping/{column}" for column in COLUMNS}
    for ((step, (width, height, png)),) in found.values():
        image = tf.io.decode_png(png).numpy()
        assert (step, image.shape) == (0, (int(height), int(width), 3))
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10  # lines in colours, text


def test_written_again_it_is_there_once_and_other_files_stay(read, tmp_path):
    other = tmp_path / "random" / "events.out.tfevents.1.host.1.0.v2"
    other.parent.mkdir()
    other.touch()
    tensorboard.write_drop_curves(tmp_path, {"random": table(50, 40, 30)})
    tensorboard.write_drop_curves(tmp_path, {"random": table(50, 25)})
    files = list(other.parent.iterdir())
    assert len(files) == 2
    assert other in files
    assert [step for step, _ in read(other.parent)["dropping/loss"]] == [0, 25]


def test_mistakes(tmp_path):
    with pytest.raises(UserError, match="the drop table 'random' is empty"):
        tensorboard.write_drop_curves(tmp_path, {"random": DropTable()})
    with pytest.raises(UserError, match="no curves to draw"):
        tensorboard.write_drop_curves(tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(read, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write here") as caught:
        tensorboard.write_drop_curves(tmp_path / "file", TABLES)
    assert "\n" not in str(caught.value)
