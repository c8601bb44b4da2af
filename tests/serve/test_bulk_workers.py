"""Bulk runs by several processes: what is lost with one of them is done by others, and once."""

import h5py
import numpy as np
import pytest

pytest.importorskip("apache_beam")

import pyarrow.parquet

from tests.reference import networks
from tests.serve.working import Write
from tfxai3d import serve
from tfxai3d.errors import UserError
from tfxai3d.serve.bulk import workers
from tfxai3d.serve.bulk.job import Job, Summary, explain_bulk
from tfxai3d.serve.bulk.workers import run

PROCESSES = "--direct_running_mode=multi_processing"
CLOUDS = np.random.default_rng(3).uniform(-1, 1, (11, 12, 3)).astype("float32")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "1"
    serve.export(networks.pointnet(), path, ["vanilla_gradient"])
    return str(path)


@pytest.fixture
def job(saved, tmp_path):
    with h5py.File(tmp_path / "clouds.h5", "w") as file:
        file["data"] = CLOUDS
    out = str(tmp_path / "out")
    return Job(saved, out, "vanilla_gradient", "parquet", batch_size=4, shard_size=3)


def assert_each_once(job, clouds):
    tables = [pyarrow.parquet.read_table(path) for path in clouds.parent.glob("out/*.parquet")]
    ids = [name for table in tables for name in table["id"].to_pylist()]
    assert sorted(ids) == sorted(f"{clouds.as_posix()}#{i}" for i in range(11))


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnhandledThreadExceptionWarning"
)  # Beam's, of a lost worker
def test_what_a_killed_process_has_left_is_done_by_others(tmp_path):
    work, numbers = Write(tmp_path, deadly=[5]), list(range(8))
    with pytest.warns(UserWarning, match="a worker process has ended; new ones do its"):
        run(work, numbers, lambda number: work.path(number).exists(), ["--direct_num_workers=2", PROCESSES])
    assert (tmp_path / "died-5").exists()
    doers = [work.path(number).read_text().splitlines() for number in numbers]
    assert all(len(lines) == 1 for lines in doers)
    assert len({line for lines in doers for line in lines}) >= 3


def test_a_shard_that_ends_each_process_is_an_error(tmp_path, monkeypatch):
    done = [1, 2]
    monkeypatch.setattr(workers, "_run_once", lambda work, left, options: True)  # they are all lost
    with (
        pytest.warns(UserWarning, match="new ones do its 1 shards"),
        pytest.raises(UserError, match="worker processes end before this is done: 3; "),
    ):
        run(Write(tmp_path), [1, 2, 3], done.__contains__, [PROCESSES])


def test_results_that_appear_nowhere_are_an_error(tmp_path):
    with pytest.raises(UserError, match="2 of its files are not here: its workers write elsewhere"):
        run(Write(tmp_path), [1, 2, 3], lambda number: number == 2, [])


def test_an_unknown_runner_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"the run has failed .*Unexpected pipeline runner: lemon"):
        run(Write(tmp_path), [1], lambda number: False, ["--runner=lemon"])


def test_dask(job, tmp_path):
    distributed = pytest.importorskip("distributed")
    clouds = tmp_path / "clouds.h5"
    runner = "--runner=apache_beam.runners.dask.dask_runner.DaskRunner"
    with distributed.LocalCluster(1, processes=False, dashboard_address=None, memory_limit=0) as cluster:
        address = f"--dask_client_address={cluster.scheduler_address}"
        summary = explain_bulk(job, [str(clouds)], [runner, address, "--dask_partition_size=1"])
        distributed.default_client().close()  # which Beam leaves to the end of the process
    assert summary == Summary(explained=11, rejected=0, shards=4, skipped=0)
    assert_each_once(job, clouds)
