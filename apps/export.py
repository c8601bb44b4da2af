"""Writes a network and its explanations as one SavedModel, which runs wherever TensorFlow does.

  python apps/export.py --flagfile=apps/flags/export.cfg
  python apps/export.py --model=runs/vrn/preset --methods=gradient_times_input --output_dir=served/vrn/1
  python apps/export.py --model=mine.keras --data_kind=points --methods=grad_cam --layer=relu_5

--model is a shipped preset, a folder written by the app train, or any model of points or voxels. The
signatures are `serving_default` and one `explain_<method>` a method; see them, and run one:

  saved_model_cli show --dir out/export/pointnet_modelnet40 --all
  saved_model_cli run --dir out/export/pointnet_modelnet40 --tag_set serve --signature_def serving_default \
    --inputs 'points=clouds.npy'

docs/guides/serving.md serves them with TensorFlow Serving; tfxai3d.serve.load gives back explainers. A
SavedModel in --output_dir, by default out/export/<model>, is replaced; anything else there is left alone.
Without --num_points it takes any number.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from tfxai3d import cli, explain, serve
from tfxai3d.models.saved_model.folder import check_replaceable

FLAGS = flags.FLAGS
cli.define_flags(
    cli.MODEL, model="pointnet_modelnet40",
    methods=["vanilla_gradient", "integrated_gradients", "p_grad_cam"], num_points=None, steps=50,
    batch_size=32, output_dir=None,
)  # fmt: skip


def main(argv: list[str]) -> None:
    """Exports."""
    output_dir = Path(FLAGS.output_dir or Path("out", "export", Path(FLAGS.model).stem))
    cli.check_outputs(output_dir)
    check_replaceable(output_dir)
    explain.check_methods(FLAGS.methods)
    cli.load_tensorflow()
    net = cli.load_network()
    options = {name: FLAGS[name].value for name in ("batch_size", "steps")}
    explainers = [cli.create_explainer(name, net, **options) for name in FLAGS.methods]
    with cli.quiet():  # TensorFlow tells of the file that it writes
        serve.export(net, output_dir, explainers, FLAGS.num_points)
    for name in ("serving_default", *(f"explain_{explainer.method}" for explainer in explainers)):
        print(name)
    print(f"SavedModel in {output_dir}")


if __name__ == "__main__":
    cli.run(main)
