"""Loops without end: refused where this can be told, and else a cloud's time is limited."""

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from tests.serve.hostile import refused
from tfxai3d import serve

POINTS = np.random.default_rng(0).uniform(-1, 1, (3, 4, 3)).astype("float32")


def save(folder, loop):
    """Writes a SavedModel with a loop in it, whose variable counts from 0."""
    module = tf.Module()
    module.count = tf.Variable(0)

    def answer(points):
        with tf.control_dependencies([module.count.assign(0)]):
            return {"logits": tf.reduce_sum(loop(points, module.count), axis=1)}

    signature = [tf.TensorSpec((None, None, 3), name="points")]
    module.answer = tf.function(answer, signature, autograph=False)
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    return folder


def frozen(loop):
    """Writes a loop out as single nodes, as graphs of constants have it."""

    def run(points, _):
        function = tf.function(lambda x: loop(x, None), [tf.TensorSpec((None, None, 3))], autograph=False)
        return convert_variables_to_constants_v2(function.get_concrete_function())(points)[0]

    return run


def within(points, _):
    """The loop stands in a branch that is hardly ever taken."""
    rare = points[0, 0, 0] > 1000
    return tf.cond(rare, lambda: ENDLESS["asks for its input"](points, None), lambda: points)


ENDLESS = {
    "always": lambda x, _: tf.while_loop(lambda i, x: True, lambda i, x: (i + 1, x + 1), (0, x))[1],
    "asks for its input": lambda x, _: tf.while_loop(
        lambda i, y: x[0, 0, 0] > -1000, lambda i, y: (i + 1, y + 1), (0, x)
    )[1],
    "asks for what is passed on": lambda x, _: tf.while_loop(
        lambda i, y: tf.exp(tf.reduce_sum(y)) >= 0, lambda i, y: (i + 1, tf.identity(y)), (0, x)
    )[1],
    "in a branch": within,
}
ENDING = {
    "counts": lambda x, _: tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x), (0, x))[1],
    "of so many rounds": lambda x, _: tf.while_loop(
        lambda x: True, lambda x: (x + 1,), (x,), maximum_iterations=2
    )[0],
    "asks for the sum": lambda x, _: tf.while_loop(lambda x: tf.reduce_sum(x) < 90, lambda x: (x + 1,), (x,))[
        0
    ],
    "draws lots": lambda x, _: tf.while_loop(
        lambda i, x: tf.random.uniform(()) > 0.5, lambda i, x: (i, x), (0, x)
    )[1],
    "asks for a variable": lambda x, count: tf.while_loop(
        lambda x: count < 3,
        lambda x: (tf.identity(x) + 0.0 * tf.cast(count.assign_add(1), tf.float32),),
        (x,),
    )[0],
}


def written_out(loops, *names):
    return {f"{name}, written out": frozen(loops[name]) for name in names}


ENDLESS |= written_out(ENDLESS, "asks for its input", "asks for what is passed on")
ENDING |= written_out(ENDING, "counts", "asks for the sum", "draws lots")


@pytest.mark.parametrize("loop", ENDLESS.values(), ids=ENDLESS)
def test_a_loop_without_end_is_refused(loop, tmp_path):
    refused(save(tmp_path / "1", loop), "its loop ", "has no end")


@pytest.mark.parametrize("loop", ENDING.values(), ids=ENDING)
def test_a_loop_that_ends_passes(loop, tmp_path):
    assert serve.load(save(tmp_path / "1", loop), "points")(POINTS).shape == (3, 3)


def hidden(points, _):
    """A loop without end of which nobody can tell, for clouds that begin with a large number."""
    return tf.while_loop(lambda x: x[0, 0, 0] > 10, lambda x: (x + 0.0,), (points,))[0]


@pytest.mark.slow
def test_a_cloud_that_takes_for_ever_is_rejected_and_the_run_goes_on(tmp_path):
    pytest.importorskip("apache_beam")
    from tfxai3d.serve.bulk import Job, Summary, explain_bulk

    clouds = POINTS.copy()
    clouds[1, 0, 0] = 50
    np.save(tmp_path / "clouds.npy", clouds)
    saved = str(save(tmp_path / "1", hidden))
    job = Job(saved, str(tmp_path / "out"), "vanilla_gradient", batch_size=1, record_seconds=15)
    summary = explain_bulk(job, [str(tmp_path / "clouds.npy")])
    assert summary == Summary(explained=2, rejected=1, shards=1, skipped=0)
    (line,) = (tmp_path / "out" / "rejected-00000-of-00001.jsonl").read_text().splitlines()
    assert json.loads(line)["id"].endswith("clouds.npy#1")
    assert json.loads(line)["reason"] == "takes more than 15 s"
