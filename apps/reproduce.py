"""Makes the tables and figures of the papers again, each beside what was published, in one page.

Nothing to download, some minutes on two cores: procedural objects, shipped networks.

  python apps/reproduce.py --num_workers=2

The papers' own data, all test objects, 500 rotations; hours, and it goes on where it was stopped:

  python apps/reproduce.py --profile=full --data_dir=modelnet40_ply_hdf5_2048 --voxel_dir=modelnet10_voxels

The papers are 3D Point Cloud Feature Explanations Using Gradient-Based Methods (Gupta et al. 2020; figures 1
to 6 and table I) and p-grad-CAM (Struhs 2020; the plots of its program). Written to --output_dir:

  report.html           ours beside the published number or picture, and a plain verdict for each
  <experiment>/         its pictures, and finding.json
  run.json              verdicts, settings and versions
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfxai3d import cli, papers, storage, view
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(data_dir=None, num_workers=1, seed=0, output_dir="out/reproduce")
flags.DEFINE_enum("profile", "quick", ["quick", "full"], "Some objects in minutes, or all of them in hours.")
flags.DEFINE_string("voxel_dir", None, "Folder of modelnet10_{train,test}.npz, for the experiments on VRN.")
flags.DEFINE_list("experiments", None, "Which; by default all. A wrong name lists them.")
_DECISIVE = ("profile", "data_dir", "voxel_dir", "seed")


def main(argv: list[str]) -> None:
    """Does what is not done yet and writes the page."""
    output_dir = cli.check_outputs()
    if FLAGS.profile == "full" and not (FLAGS.data_dir and FLAGS.voxel_dir):
        raise UserError("--profile=full needs --data_dir and --voxel_dir, the papers' data")
    cli.load_tensorflow()
    size = papers.QUICK if FLAGS.profile == "quick" else papers.FULL
    setting = papers.Setting(size, _folder(FLAGS.data_dir), _folder(FLAGS.voxel_dir), FLAGS.seed)
    settings = {name: FLAGS[name].value for name in _DECISIVE}
    cli.spread(__file__, "experiments", FLAGS.experiments or [*papers.EXPERIMENTS])
    findings, shared = {}, not FLAGS.num_workers
    with storage.run_folder(output_dir, settings, "*/finding.json", shared):
        for name, finding in papers.reproduce(setting, output_dir, FLAGS.experiments):
            print(f"{name}: {finding.verdict}", flush=True)
            findings[name] = finding
        if shared:
            return
        cli.write_report(__name__, output_dir, {"verdicts": {k: f.verdict for k, f in findings.items()}})
    command = " ".join(["python apps/reproduce.py", *cli.changed_flags(__name__)])
    versions = ", ".join(f"{name} {text}" for name, text in storage.read_run(output_dir)["versions"].items())
    made = [f"Command: {command}", f"Seed {FLAGS.seed}; {versions}"]
    verdicts = [(finding.title, finding.verdict) for finding in findings.values()]
    about = view.Section("How it was made, and what came out", made, ("experiment", "verdict"), verdicts)
    sections = [finding.section(output_dir / name) for name, finding in findings.items()]
    view.write_report(output_dir / "report.html", "The papers again", [about, *sections])
    print(f"results in {output_dir}")


def _folder(given: str | None) -> Path | None:
    return Path(given) if given else None


if __name__ == "__main__":
    cli.run(main)
