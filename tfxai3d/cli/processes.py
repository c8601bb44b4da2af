"""An app's work in several processes: the same command in each, with one value of a list."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
from collections.abc import Sequence

from absl import flags
from tqdm import tqdm

from tfxai3d.cli.command import with_shipped_flagfiles
from tfxai3d.storage import AnyPath

_PLAIN = ("pictures", "tensorboard")  # flags of what the app does with results when all are there


def spread(app: AnyPath, flag: str, values: Sequence[str]) -> None:
    """Has --num_workers processes do the app's command for each value of a list flag, one value at a time.

    What they have done is in --output_dir, where the app goes on: with nothing to do, or with what a process
    that died has left, whose mistake, if it was one, it then makes itself. So results are to the bit those
    of one process, and a run that was killed goes on.

    Args:
        app: File of the app. With --num_workers=0, as it is called here, it shares the folder of its results
            with others, and leaves what is made of all results to them.
        flag: The flag.
        values: Its values, each independent of the others.
    """
    num_workers = flags.FLAGS.num_workers
    if num_workers < 2:
        return
    plain = [f"--no{name}" for name in _PLAIN if name in flags.FLAGS]
    command = [
        sys.executable,
        str(app),
        *with_shipped_flagfiles(sys.argv)[1:],
        *plain,
        "--num_workers=0",
    ]

    def work(value: str) -> None:
        subprocess.run(
            [*command, f"--{flag}={value}"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    with concurrent.futures.ThreadPoolExecutor(num_workers) as pool:
        list(
            tqdm(pool.map(work, values), total=len(values), desc=f"in {num_workers} processes", disable=None)
        )
