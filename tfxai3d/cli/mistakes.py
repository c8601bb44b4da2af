"""Mistakes as objects to explain."""

from __future__ import annotations

import numpy as np
from absl import flags

from tfxai3d import evaluate, explain
from tfxai3d.cli.files import indices
from tfxai3d.cli.fitting import Object, fitted, with_unique_names
from tfxai3d.cli.objects import open_split
from tfxai3d.errors import UserError

FLAGS = flags.FLAGS


def find_mistakes(net: explain.Network) -> list[Object]:
    """Returns the misclassified examples of --index, to be explained as what they were taken for."""
    listed, numbers = evaluate.read_mistakes(FLAGS.mistakes), indices()
    if max(numbers) >= len(listed):
        raise UserError(f"--index={max(numbers)}: {FLAGS.mistakes} lists {len(listed)} mistakes")
    split = open_split(net)
    found = []
    for mistake in (listed[number] for number in numbers):
        index, true, predicted = mistake.index, mistake.true, mistake.predicted
        if index >= len(split) or split.class_names[split.labels[index]] != true:
            raise UserError(f"{FLAGS.mistakes}: example {index} of --data_dir is no {true!r}; other data?")
        (inputs,) = split[[index]].inputs
        inputs = fitted(inputs.astype(np.float32), net)
        found.append(Object(f"{true}_as_{predicted}_{index}", inputs, predicted))
    return with_unique_names(found)
