"""Explains the clouds or volumes of many files with Apache Beam: explanations as TFRecord or Parquet files.

  python apps/explain_bulk.py --flagfile=apps/flags/explain_bulk.cfg
  python apps/explain_bulk.py --model=pointnet_modelnet40 --data_dir=.../modelnet40_ply_hdf5_2048
  python apps/explain_bulk.py --saved_model=served/pointnet/1 --input='clouds/**/*.h5' --format=parquet

--input takes H5 files (dataset `data`), NPY, TFRecord (`tf.train.Example`s with a float list `points`) and
files of one object, meshes or clouds; with --data_kind=voxels arrays and files of volumes. Every record is
explained exactly once: stop the run at any moment, the same command goes on. Each of --methods has a folder
in --output_dir, where records that it cannot explain are listed in rejected-*.jsonl, with the reason. Without
--input and --data_dir --num_examples procedural clouds are explained, 64 by default.

The work is done in this process, in several, of which any may die, or on a cluster, whose workers must find
the files under the same paths, as on a shared disk, and which needs --saved_model; see docs/guides/bulk.md:

  --beam=direct_num_workers=2 --beam=direct_running_mode=multi_processing
  --beam=runner=apache_beam.runners.dask.dask_runner.DaskRunner --beam=dask_client_address=tcp://host:8786
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from absl import flags
from tqdm import tqdm

from tfxai3d import cli, data, explain, serve, storage
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL, data_kind="points", model="pointnet_shapes", methods=["integrated_gradients"], input=None,
    data_dir=None, num_examples=None, num_points=1024, steps=50, batch_size=32, shard_size=256, seed=0,
    output_dir="out/explain_bulk",
)  # fmt: skip
flags.DEFINE_string(
    "saved_model", None, "SavedModel of apps/export.py, in the place of --model; it has options of its own."
)
flags.DEFINE_enum("format", "tfrecord", ["tfrecord", "parquet"], "Format of the explanations.")
flags.DEFINE_float(
    "record_seconds", None, "Seconds that a cloud may take in a process of its own, or it is rejected; 0 for "
    "no limit. By default 60 with --saved_model, unless you trust it: it may hold a loop without end.", 0,
)  # fmt: skip
flags.DEFINE_multi_string("beam", [], "Option of Beam without its dashes, such as runner=FlinkRunner.")


def main(argv: list[str]) -> None:
    """Explains all records that no run before has explained."""
    _check_flags()
    output_dir = Path(FLAGS.output_dir)
    cli.load_tensorflow()
    bulk = serve.bulk  # an error without Beam, before any work
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    patterns = _patterns(output_dir)
    with _saved_model() as saved_model:
        for method in FLAGS.methods:
            sizes = FLAGS.num_points, FLAGS.batch_size, FLAGS.shard_size
            folder, kind = output_dir / method, FLAGS.data_kind
            reading = FLAGS.normalize != "none", FLAGS.trust_saved_model
            job = bulk.Job(saved_model, str(folder), method, FLAGS.format, *sizes, *reading, _limit(), kind)
            try:
                with _progress(folder):
                    done = bulk.explain_bulk(job, patterns, [f"--{option}" for option in FLAGS.beam])
            except UserError as error:
                raise UserError(str(error).replace("trust=True", "--trust_saved_model")) from error
            there = f", {done.skipped} of them were there" if done.skipped else ""
            print(
                f"{method}: explained {done.explained}, rejected {done.rejected}; {done.shards} files{there}"
            )
            if done.rejected:
                reason = bulk.commonest_reason(folder)
                if not done.explained:
                    raise UserError(f"nothing was explained, most often because: {reason}")
                print(f"most often rejected because: {reason}")
    print(f"results in {output_dir}")


def _limit() -> float:
    """Returns the seconds that a cloud may take."""
    default = 60 if FLAGS.saved_model and not FLAGS.trust_saved_model else 0
    return default if FLAGS.record_seconds is None else FLAGS.record_seconds


def _check_flags() -> None:
    if FLAGS.input is not None and FLAGS.data_dir:
        raise UserError("give --input or --data_dir, not both")
    if FLAGS.num_examples and (FLAGS.input is not None or FLAGS.data_dir):
        raise UserError(
            "--num_examples is the number of procedural clouds; of --input and --data_dir all are taken"
        )
    if FLAGS.data_kind == "voxels" and FLAGS.input is None:
        raise UserError("--data_kind=voxels needs --input, the files of the volumes")
    cli.check_outputs()
    explain.check_methods(FLAGS.methods)


def _patterns(output_dir: Path) -> list[str]:
    """Returns the files to explain; procedural clouds are written into a file first."""
    if FLAGS.input is not None:
        return FLAGS.input
    if FLAGS.data_dir:
        return [str(path) for path in data.modelnet40_shards(FLAGS.data_dir)]
    count = FLAGS.num_examples or 64
    path = output_dir / f"shapes-{count}-{FLAGS.num_points}-{FLAGS.seed}.h5"
    if not path.exists():
        import h5py

        made = data.shapes.make_dataset(count, FLAGS.num_points, seed=FLAGS.seed)
        with storage.atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
            file["data"], file["label"] = made.points, made.labels
    return [str(path)]


@contextlib.contextmanager
def _saved_model() -> Iterator[str]:
    """Yields --saved_model, or a temporary one of --model."""
    if FLAGS.saved_model:
        yield FLAGS.saved_model
        return
    net = cli.load_network()
    if net.kind != FLAGS.data_kind:
        raise UserError(f"--model={FLAGS.model}: takes {net.kind}; give --data_kind={net.kind}")
    options = cli.given("batch_size", "steps", "seed")
    explainers = [cli.create_explainer(method, net, **options) for method in FLAGS.methods]
    with storage.scratch_folder() as folder:
        serve.export(net, Path(folder, "model"), explainers)
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
