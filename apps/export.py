"""Writes a network and its explanations as one SavedModel, which runs wherever TensorFlow does.

  python apps/export.py --flagfile=apps/flags/export.cfg
  python apps/export.py --model=runs/vrn/preset --methods=gradient_times_input --output_dir=served/vrn/1
  python apps/export.py --model=mine.keras --data_kind=points --methods=grad_cam --layer=relu_5

--model is a shipped preset, a folder written by apps/train.py, or a .keras file of any model of points or
voxels. The signatures are `serving_default` and one `explain_<method>` a method; see them, and run one:

  saved_model_cli show --dir out/export/pointnet_modelnet40 --all
  saved_model_cli run --dir out/export/pointnet_modelnet40 --tag_set serve --signature_def serving_default \
    --inputs 'points=clouds.npy'

docs/serving.md serves them with TensorFlow Serving; tfxai3d.serve.load gives back explainers. A SavedModel in
--output_dir is replaced, anything else there is left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from tfxai3d import cli, explain, models, serve
from tfxai3d.errors import UserError
from tfxai3d.serve.folder import check_replaceable

if TYPE_CHECKING:
    import keras

FLAGS = flags.FLAGS
flags.DEFINE_string("model", "pointnet_modelnet40", "Preset, folder of apps/train.py, or .keras file.")
flags.DEFINE_list(
    "methods",
    ["vanilla_gradient", "integrated_gradients", "p_grad_cam"],
    "Names of methods; a wrong one lists them all.",
)
flags.DEFINE_integer("num_points", None, "Take this number of points only; any by default.", lower_bound=1)
flags.DEFINE_enum("data_kind", None, ["points", "voxels"], "What a .keras file takes that does not say.")
flags.DEFINE_string("layer", None, "Layer of the features, for the CAM family on a model without endpoint.")
flags.DEFINE_integer("steps", 50, "Steps of integrated_gradients.", lower_bound=2)
flags.DEFINE_integer("batch_size", 32, "The most examples the network sees at once.", lower_bound=1)
flags.DEFINE_string("output_dir", None, "Folder of the SavedModel; by default out/export/<model>.")


def main(argv: list[str]) -> None:
    """Exports."""
    output_dir = Path(FLAGS.output_dir or Path("out", "export", Path(FLAGS.model).stem))
    cli.check_output_dir(output_dir)
    check_replaceable(output_dir)
    if not FLAGS.methods:
        raise UserError("--methods= names no method; give one or more, such as integrated_gradients")
    cli.load_tensorflow()
    classes = [explain.get(name) for name in FLAGS.methods]
    model = _model()
    explainers = [one(model, **_options(one.method)) for one in classes]
    serve.export(model, output_dir, explainers, FLAGS.num_points, FLAGS.data_kind)
    for name in ("serving_default", *(f"explain_{explainer.method}" for explainer in explainers)):
        print(name)
    print(f"SavedModel in {output_dir}")


def _model() -> keras.Model:
    path = Path(FLAGS.model)
    if path.suffix != ".keras":
        return models.from_preset(FLAGS.model)
    import keras

    if not path.is_file():
        raise UserError(f"--model={path}: no such file")
    try:
        # In safe mode code inside the file, such as a Lambda layer's, is refused.
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises nearly anything on files it cannot read
        reason = " ".join(str(error).split())[:160]
        raise UserError(f"--model={path}: not a .keras file that can be read safely ({reason})") from error


def _options(method: str) -> dict[str, Any]:
    options: dict[str, Any] = {"batch_size": FLAGS.batch_size, "data_kind": FLAGS.data_kind}
    if method == "integrated_gradients":
        options["steps"] = FLAGS.steps
    if FLAGS.layer and method in ("critical_points", "feature_magnitude", "grad_cam", "p_grad_cam"):
        options["layer"] = FLAGS.layer
    return options


if __name__ == "__main__":
    cli.run(main)
