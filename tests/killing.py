"""Kills programs at random moments: what a killed run leaves must not change what the next one finds.

  python -m tests.killing --kills=100

Each program runs once undisturbed. Then it is started, killed by SIGKILL and started again in one folder
until it comes to its end; what the folder holds then is held against the undisturbed run, and nothing may
be left over, neither there nor in the folder of temporary files. Half of the moments are files: the n-th one
that the program opens, moves or removes in its folder. The other half are times. TensorFlow is imported
once; every run is a fork of the process that has.
"""

import argparse
import dataclasses
import multiprocessing
import os
import random
import re
import runpy
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.reference.results import differences

ROOT = Path(__file__).parents[1]
_SHOWN = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree")
_OF_OTHERS = ("__autograph_generated_file", "beam-pipeline-temp")
SMALL = ("--num_train=48", "--num_test=8", "--batch_size=16")
CLOUDS = ("--model=pointnet_shapes", "--num_points=48")
PROGRAMS = {
    "train": (*SMALL, "--variant=basic", "--stages=16x3", "--validation_fraction=0.2", "--dropout=0.1"),
    "prune": (
        *SMALL, "--model=pointnet_shapes", "--num_points=16", "--density=0.3", "--epochs=2",
        "--tune_epochs=1",
    ),
    "p_grad_cam": (*CLOUDS, "--shape=chair,table", "--rotations=2", "--nopictures"),
    "asm": (*CLOUDS, "--shape=chair,table", "--num_drop=8", "--num_steps=3"),
    "drop_curves": (
        *CLOUDS, "--num_examples=6", "--batch_size=2", "--num_drop=8", "--num_steps=3", "--nopictures",
        "--condition=random,vanilla_gradient",
    ),
    "compare": (
        *CLOUDS, "--num_examples=3", "--methods=vanilla_gradient,gradient_times_input", "--nopictures",
        "--metrics=deletion,gini",
    ),
    "explain_bulk": (*CLOUDS, "--num_examples=12", "--shard_size=3", "--methods=vanilla_gradient"),
    "reproduce": ("--experiments=figure_1,figure_6",),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Moment:
    """When a run is killed: at a file, after a time, or never."""

    file: int | None = None
    seconds: float | None = None


@dataclasses.dataclass
class Trial:
    """What came out of the kills of one program."""

    kills: int = 0
    runs: int = 0
    found: list[str] = dataclasses.field(default_factory=list)


class Killer:
    """Runs programs in a folder of its own, and kills them.

    Args:
        folder: Where results and temporary files go.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, seed: int = 0):
        self.folder, self.random = folder, random.Random(seed)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.temporary)

    def undisturbed(self, app: str) -> tuple[Path, int, float]:
        """Returns the results of a run that nobody kills, the number of its files, and its seconds."""
        began = time.monotonic()
        if self._run(app, Moment()) != 0:
            raise RuntimeError(f"{app}: {self._log()}")
        seconds, results = time.monotonic() - began, self.folder / app
        (self.folder / "out").rename(results)
        return results, int((self.folder / "files").read_text()), seconds

    def trial(self, app: str, kills: int) -> Trial:
        """Kills a program so many times, and returns how often it was, and what was wrong afterwards."""
        reference, files, seconds = self.undisturbed(app)
        trial, output = Trial(), self.folder / "out"
        while True:
            at = self.random.random()
            moment = Moment(1 + int(at * files)) if trial.runs % 2 == 0 else Moment(seconds=at * seconds)
            code = self._run(app, moment if trial.kills < kills else Moment())
            trial.runs += 1
            if code == -signal.SIGKILL:
                trial.kills += 1
                continue
            found = [f"left over: {path}" for path in (*output.rglob(".*"), *self._temporary())]
            found += [f"exit code {code}: {self._log()}"] if code else differences(reference, output)
            trial.found += [f"{app}, run {trial.runs}: {one}" for one in found]
            shutil.rmtree(output, ignore_errors=True)
            if trial.kills == kills:
                return trial

    def _temporary(self) -> list[Path]:
        """Returns the temporary files but TensorFlow's, Beam's and Keras's own, which sweep nothing."""
        names = sorted(self.temporary.iterdir())
        return [path for path in names if not (path.name.startswith(_OF_OTHERS) or _is_of_keras(path))]

    def _log(self) -> str:
        """Returns the end of what the last run has said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-1500:]

    def _run(self, app: str, moment: Moment) -> int:
        process = multiprocessing.get_context("fork").Process(target=self._program, args=(app, moment))
        process.start()
        process.join(moment.seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
        return process.exitcode

    def _program(self, app: str, moment: Moment) -> None:
        """Runs a program in this process, a fork."""
        log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        output, seen = self.folder / "out", 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            if event in _SHOWN and arguments and str(output) in str(arguments[0]):
                seen += 1
                if seen == moment.file:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        sys.argv = [f"apps/{app}.py", *PROGRAMS[app], f"--output_dir={output}"]
        try:
            runpy.run_path(str(ROOT / "apps" / f"{app}.py"), run_name="__main__")
        finally:
            (self.folder / "files").write_text(str(seen))


def _is_of_keras(path: Path) -> bool:
    """Returns whether a path is what Keras makes while it writes a `.keras` file: a folder without files."""
    empty = path.is_dir() and not any(one.is_file() for one in path.rglob("*"))
    return empty and re.fullmatch(r"tmp\w{8}", path.name) is not None


def main() -> None:
    """Kills the programs, and prints what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="of all programs together")
    parser.add_argument("--programs", nargs="*", choices=PROGRAMS, default=[*PROGRAMS])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    from tfxai3d import explain, papers, pruning, serve, training

    explain.Explainer, papers.reproduce, pruning.kernel_sparsity, serve.bulk, training.prune  # noqa: B018
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        killer = Killer(Path(folder), given.seed)
        for number, app in enumerate(given.programs):
            so_far, with_it = (given.kills * n // len(given.programs) for n in (number, number + 1))
            trial = killer.trial(app, with_it - so_far)
            print(f"{app}: {trial.kills} kills of {trial.runs} runs, {len(trial.found)} faults", flush=True)
            for one in trial.found:
                print(f"  {one}", flush=True)
            failed |= bool(trial.found)
    sys.exit(failed)


if __name__ == "__main__":
    main()
