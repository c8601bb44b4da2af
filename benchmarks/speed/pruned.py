"""Times what pruning leaves, in every form that it can run in.

  TF_NUM_INTRAOP_THREADS=2 python -m benchmarks.speed.pruned
  TF_NUM_INTRAOP_THREADS=2 python -m benchmarks.speed.pruned --networks=out/half/preset

The forms are the original; the pruned network as its file has it, zeros and all, which is also what
tensorflow_model_optimization leaves after strip_pruning; without its dead channels ("shrunk"); that with its
sparse layers computed from the weights that are left ("sparse", serve.compile_sparse); and the shrunk one
converted for LiteRT, dense and with its sparsity encoded. They take turns round by round, and what counts is
the median over the rounds of the ratio to the original of the same round. LiteRT runs forward passes alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import flags

from tfxai3d import cli, data, explain, models, pruning, serve
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS
cli.define_flags(num_points=1024, seed=0)
flags.DEFINE_string("original", "pointnet_modelnet40", "Preset of the network before pruning.")
flags.DEFINE_list("networks", ["pointnet_modelnet40_one_percent"], "Presets of pruned networks.")
flags.DEFINE_list("batches", ["1", "32"], "Clouds of a call.")
flags.DEFINE_integer("steps", 50, "Steps of integrated gradients.", lower_bound=2)
flags.DEFINE_integer("rounds", 5, "Rounds that count, after one that does not.", lower_bound=1)
flags.DEFINE_integer("threads", 2, "Threads of LiteRT; TensorFlow's are TF_NUM_INTRAOP_THREADS.")
flags.DEFINE_enum("clock", "wall", ["wall", "cpu"], "cpu: of all threads; fairer on a busy machine.")

Run = Callable[[np.ndarray], Any]


def main(argv: list[str]) -> None:
    """Prints a table a batch size."""
    cli.load_tensorflow()
    clouds = data.shapes.make_dataset(
        max(map(int, FLAGS.batches)), FLAGS.num_points, seed=FLAGS.seed
    ).points.astype(np.float32)
    forms = _forms()
    for batch in map(int, FLAGS.batches):
        some = clouds[:batch]
        tasks = [
            {name: _forward(form) for name, form in forms.items()} | _lite(batch),
            {name: _gradient(form) for name, form in forms.items()},
            {name: _explain(form) for name, form in forms.items()},
        ]
        found = [_times(runs, some) for runs in tasks]
        print(f"\n| batch {batch} | forward | and input gradient | IG-{FLAGS.steps} |\n|---|---|---|---|")
        for name in tasks[0]:
            cells = [
                f"{1e3 * times[name][0]:.1f} ms, {times[name][1]:.2f}" if name in times else ""
                for times in found
            ]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _forms() -> dict[str, Run]:
    """Returns the forms by name, as functions from clouds to logits."""
    forms: dict[str, Run] = {"original": models.from_preset(FLAGS.original)}
    for name in FLAGS.networks:
        pruned = models.from_preset(name)
        small = pruning.remove_dead_channels(pruned)
        forms[name] = pruned
        if small.count_params() < pruned.count_params():
            forms[f"{name}, shrunk"] = small
        try:
            forms[f"{name}, sparse"] = serve.compile_sparse(small)
        except UserError as error:
            print(error)
    return forms


def _forward(form: Run) -> Any:
    import tensorflow as tf

    options = {"training": False} if isinstance(form, keras.Model) else {}
    return tf.function(lambda x: form(x, **options), autograph=False)


def _gradient(form: Run) -> Run:
    import tensorflow as tf

    forward = _forward(form)

    @tf.function(autograph=False)
    def gradient(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            score = forward(x)[:, 0]
        return tape.gradient(score, x)

    return lambda x: gradient(tf.convert_to_tensor(x))


def _explain(form: Run) -> Run:
    explainer = explain.IntegratedGradients(form, FLAGS.steps, data_kind="points")
    return lambda x: explainer(x, 0)


def _lite(batch: int) -> dict[str, Run]:
    """Returns the LiteRT forms of the shrunk networks for a batch size, by name."""
    import tensorflow as tf

    runs: dict[str, Run] = {}
    for name in FLAGS.networks:
        small = pruning.remove_dead_channels(models.from_preset(name))
        spec = tf.TensorSpec((batch, FLAGS.num_points, 3), tf.float32)
        concrete = _forward(small).get_concrete_function(spec)
        for form, optimizations in (("", []), (", sparsity", [tf.lite.Optimize.EXPERIMENTAL_SPARSITY])):
            converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], small)
            converter.optimizations = optimizations
            try:
                runs[f"{name}, LiteRT{form}"] = _interpreted(converter.convert())
            except Exception as error:
                print(f"LiteRT{form} of {name}: {str(error).splitlines()[0][:200]}")
    return runs


def _interpreted(content: bytes) -> Run:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_content=content, num_threads=FLAGS.threads)
    interpreter.allocate_tensors()
    place, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(x: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(place, x)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(answer))

    return run


def _times(runs: dict[str, Run], clouds: np.ndarray) -> dict[str, tuple[float, float]]:
    """Returns the median seconds of each form, and of the ratios to the original."""
    clock = time.perf_counter if FLAGS.clock == "wall" else time.process_time
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(FLAGS.rounds + 1):
        for name, run in runs.items():
            began = clock()
            run(clouds)
            if number:
                times[name].append(clock() - began)
    ratios = {
        name: [mine / other for mine, other in zip(some, times["original"], strict=True)]
        for name, some in times.items()
    }
    return {name: (statistics.median(some), statistics.median(ratios[name])) for name, some in times.items()}


if __name__ == "__main__":
    cli.run(main)
