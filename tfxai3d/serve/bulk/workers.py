"""Shards given to the workers of a Beam runner; a worker process of this machine that dies is made good.

With `direct_running_mode=multi_processing` Beam's own runner waits for ever for the answer of a worker that
was killed (2.77; it looks only after its containers). Here the question is taken back when the process ends.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.portability import python_urns
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    SubprocessSdkWorkerHandler,
    WorkerHandler,
)

from tfxai3d.errors import UserError

_Shard = TypeVar("_Shard")


class WorkerLost(RuntimeError):
    """A worker process has ended before its work was done; what it has written stays."""


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class WatchedWorkerHandler(SubprocessSdkWorkerHandler):
    """Starts a worker process as Beam does, and takes back what it was asked for when it ends."""

    def start_worker(self) -> None:
        """Starts the process, and a thread that waits for its end."""
        self.provision_info.provision_info.pipeline_options["default_sdk_harness_log_level"] = "WARNING"
        self._closed = threading.Event()
        super().start_worker()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        self.worker_thread.join()
        while not self._closed.wait(0.5):  # it may be asked for more before the run has failed
            self.control_conn.abort(WorkerLost("a worker process has ended"))

    def close(self) -> None:
        """Ends the process; one that is lost has broken its connections off."""
        self._closed.set()
        with contextlib.suppress(grpc.RpcError):
            super().close()


def run(
    work: beam.DoFn, shards: list[_Shard], is_there: Callable[[_Shard], bool], options: Sequence[str]
) -> None:
    """Has the work done on all shards; what a lost worker process has left, by new ones.

    Args:
        work: Takes a shard, and leaves its results where all workers look.
        shards: What is to be done.
        is_there: Whether the results of a shard are there.
        options: Options of Beam; without a runner this machine does the work.

    Raises:
        UserError: If the work fails, or a worker process is lost again and again at the same shards.
    """
    left = shards
    while left:
        lost = _run_once(work, left, options)
        before, left = left, [shard for shard in left if not is_there(shard)]
        if left and not lost:
            raise UserError(
                f"the run has ended and {len(left)} of its files are not here: its workers write elsewhere; "
                "give paths that mean one folder on a shared disk to all of them"
            )
        if len(left) == len(before):
            raise UserError(
                f"worker processes end before this is done: {left[0]}; if memory is short give fewer of them "
                "or a smaller batch_size, and the same run goes on"
            )
        if left:
            warnings.warn(f"a worker process has ended; new ones do its {len(left)} shards", stacklevel=2)


def _run_once(work: beam.DoFn, shards: list[_Shard], options: Sequence[str]) -> bool:
    """Runs the pipeline; returns whether a worker process was lost."""
    parsed = PipelineOptions(list(options))
    # Beam's DirectRunner would first try to fetch Prism, a program of another language.
    runner = None if parsed.view_as(StandardOptions).runner else FnApiRunner()
    try:
        pipeline = beam.Pipeline(runner, parsed)
        # Without Reshuffle a runner may give all shards to one worker.
        pipeline | beam.Create(shards) | beam.Reshuffle() | beam.ParDo(work)
        pipeline.run().wait_until_finish()
    except WorkerLost:
        return True
    except Exception as error:  # each runner has its own; its text may be the trace of a worker
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
        raise UserError(f"the run has failed ({reason}); mend it, and the same run goes on") from error
    return False
