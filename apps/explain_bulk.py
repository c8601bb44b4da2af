"""Explains the clouds of many files with Apache Beam: explanations as TFRecord or Parquet files.

  python apps/explain_bulk.py --flagfile=apps/flags/explain_bulk.cfg
  python apps/explain_bulk.py --model=pointnet_modelnet40 --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/explain_bulk.py --saved_model=served/pointnet/1 --input='clouds/**/*.h5' --format=parquet

--input takes H5 files (dataset `data`), NPY, TFRecord (`tf.train.Example`s with a float list `points`) and
files of one object, meshes or clouds. Every record is explained exactly once: stop the run at any moment,
the same command goes on. Records that cannot be explained are listed in rejected-*.jsonl, with the reason.

The work is done in this process. --beam hands options to Beam, such as another runner; then all workers must
find the files under the same paths, as on a shared disk, and --saved_model is needed:

  --beam=runner=FlinkRunner --beam=flink_master=host:8081 --beam=environment_type=LOOPBACK
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, explain, models, serve, storage
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
flags.DEFINE_string("saved_model", None, "SavedModel of a network of clouds, such as apps/export.py writes.")
flags.DEFINE_string(
    "model", "pointnet_shapes", "Preset or folder of apps/train.py, exported first; without --saved_model."
)
flags.DEFINE_list("input", None, "Files and patterns, such as 'clouds/*.h5'.")
flags.DEFINE_string("data_dir", None, "ModelNet40 HDF5 folder; its test split is used.")
flags.DEFINE_integer(
    "shapes", 64, "Number of procedural clouds, used without --input and --data_dir.", lower_bound=1
)
flags.DEFINE_integer("seed", 0, "Seed of the procedural clouds.", 0, 2**30)
flags.DEFINE_string("method", "integrated_gradients", "How to explain; a wrong name lists all.")
flags.DEFINE_integer(
    "steps", 50, "Steps of integrated_gradients, of --model; a SavedModel has its own.", lower_bound=2
)
flags.DEFINE_integer("num_points", 1024, "The most points of a cloud.", lower_bound=10)
flags.DEFINE_integer("batch_size", 32, "The most clouds the network sees at once.", lower_bound=1)
flags.DEFINE_integer(
    "shard_size", 256, "Clouds of a file of results; a killed run loses the file it is at.", lower_bound=1
)
flags.DEFINE_enum("format", "tfrecord", ["tfrecord", "parquet"], "Of the explanations.")
flags.DEFINE_multi_string("beam", [], "Option of Beam without its dashes, such as runner=FlinkRunner.")
flags.DEFINE_string("output_dir", "out/explain_bulk", "Folder of the results.")


def main(argv: list[str]) -> None:
    """Explains all records that no run before has explained."""
    if FLAGS.input is not None and FLAGS.data_dir:
        raise UserError("give --input or --data_dir, not both")
    output_dir = Path(FLAGS.output_dir)
    cli.check_output_dir(output_dir)
    cli.load_tensorflow()
    explain.get(FLAGS.method)
    bulk = serve.bulk  # an error without Beam, before any work
    patterns = _patterns(output_dir)
    with _saved_model() as saved_model:
        job = bulk.Job(
            saved_model,
            str(output_dir),
            FLAGS.method,
            FLAGS.format,
            FLAGS.num_points,
            FLAGS.batch_size,
            FLAGS.shard_size,
        )
        with _progress(output_dir):
            done = bulk.explain_bulk(job, patterns, [f"--{option}" for option in FLAGS.beam])
    print(f"explained {done.explained}, rejected {done.rejected}; {done.shards} files", end="")
    print(f", {done.skipped} of them were there" if done.skipped else "")
    print(f"results in {output_dir}")


def _patterns(output_dir: Path) -> list[str]:
    """Returns the files to explain; procedural clouds are written into a file first."""
    if FLAGS.input is not None:
        return FLAGS.input
    if FLAGS.data_dir:
        listing = Path(FLAGS.data_dir, "test_files.txt")
        if not listing.is_file():
            raise UserError(f"{listing}: no such file; --data_dir must be a ModelNet40 HDF5 folder")
        names = listing.read_text(encoding="utf-8", errors="replace").split()
        return [str(Path(FLAGS.data_dir, Path(name).name)) for name in names]
    path = output_dir / f"shapes-{FLAGS.shapes}-{FLAGS.num_points}-{FLAGS.seed}.h5"
    if not path.exists():
        import h5py

        made = data.shapes.make_dataset(FLAGS.shapes, FLAGS.num_points, seed=FLAGS.seed)
        with storage.atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file["data"], file["label"] = made.points, made.labels
    return [str(path)]


@contextlib.contextmanager
def _saved_model() -> Iterator[str]:
    """Yields --saved_model, or a temporary one of --model."""
    if FLAGS.saved_model:
        yield FLAGS.saved_model
        return
    model = models.from_preset(FLAGS.model)
    options = {"steps": FLAGS.steps} if FLAGS.method == "integrated_gradients" else {}
    explainer = explain.get(FLAGS.method)(model, batch_size=FLAGS.batch_size, **options)
    with tempfile.TemporaryDirectory() as folder:
        serve.export(model, Path(folder, "model"), [explainer])
        yield str(Path(folder, "model"))


@contextlib.contextmanager
def _progress(output_dir: Path) -> Iterator[None]:
    """Shows how many files are there while the block runs, on a terminal; whichever worker writes them."""
    ended = threading.Event()

    def watch() -> None:
        with tqdm(unit=" files", disable=None) as bar:
            while not ended.wait(1):
                there = [path.name for path in output_dir.glob("explanations-*")]
                bar.total = int(there[0].split("-of-")[1].split(".")[0]) if there else None
                bar.update(len(there) - bar.n)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


if __name__ == "__main__":
    cli.run(main)
